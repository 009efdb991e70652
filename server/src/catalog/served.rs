//! The tables that the configuration names.
//!
//! In: the option `data` and the `[[table]]` entries. Out: names and what makes each table. The
//! files of a `[[table]]` are not looked at; of an entry of `data` the names are:
//!
//! - a file is a table by its name without the ending, in small letters;
//! - a folder with Hive-style folders in it (`year=2024`) is one table by its own name;
//! - of any other folder, each data file is a table, and so is each folder with data files below it;
//! - each file that a pattern fits is a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};

use super::files::{self, is_visible, object_path, relative};
use super::format::Format;
use super::location::Location;
use super::mounted::MountedStore;
use super::table::Specification;
use crate::config::tables::TableEntry;
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;

/// A table that the configuration names.
#[derive(Debug)]
pub struct Named {
    /// What makes it.
    pub specification: Specification,
    /// What it holds, if the configuration says so.
    pub comment: Option<String>,
}

/// Adds a table under its name.
///
/// # Errors
/// `Sql` if the name is taken: the message says where from.
pub fn add(tables: &mut BTreeMap<String, Named>, table: Named) -> Result<()> {
    let name = table.specification.name.clone();
    let place = |table: &Named| table.specification.locations[0].written.clone();
    match tables.get(&name) {
        None => {
            tables.insert(name, table);
            Ok(())
        }
        Some(first) => Err(Error::sql(format!(
            "table {name}: named twice, for {} and for {}",
            place(first),
            place(&table)
        ))),
    }
}

/// The table of a `[[table]]` entry.
///
/// # Errors
/// `Sql` if the name is empty or the format is none.
pub fn of_entry(entry: &TableEntry, location: Location) -> Result<Named> {
    let refuse = |error: Error| error.context(format_args!("[[table]] {:?}", entry.name));
    if entry.name.is_empty() {
        return Err(refuse(Error::sql("found an empty name, expected one")));
    }
    let format = entry
        .format
        .as_deref()
        .map(Format::of_name)
        .transpose()
        .map_err(refuse)?;
    Ok(Named {
        specification: Specification {
            name: entry.name.clone(),
            locations: vec![location],
            format,
            options: entry.options.clone(),
            partition_columns: entry.partition_columns.clone(),
            ..Specification::default()
        },
        comment: entry.comment.clone(),
    })
}

/// The tables of an entry of `data`.
///
/// # Errors
/// `Data` if there is nothing or it cannot be listed.
pub async fn of_data(store: &Arc<MountedStore>, location: &Location) -> Result<Vec<Named>> {
    if location.pattern.is_some() {
        let found = files::find(store.as_ref(), location, None).await?;
        let path = |meta: &object_store::ObjectMeta| {
            relative(&location.path, meta.location.as_ref()).map(|rest| location.below(rest, false))
        };
        return Ok(found.files.iter().filter_map(path).map(of_file).collect());
    }
    let path = object_path(&location.path)?;
    if !location.folder {
        match store.head(&path).await {
            Ok(_) if Format::of_file(location.last()).is_some() => {
                return Ok(vec![of_file(location.clone())]);
            }
            Ok(_) => {
                return Err(Error::sql(format!(
                    "{}: the name says no format, expected .parquet, .csv, .json or .arrow; \
                     a [[table]] entry can give it",
                    location.written
                )));
            }
            Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(from_datafusion(error.into())),
        }
    }
    of_folder(store, location).await
}

async fn of_folder(store: &Arc<MountedStore>, location: &Location) -> Result<Vec<Named>> {
    let path = object_path(&location.path)?;
    let listed = store
        .list_with_delimiter(Some(&path))
        .await
        .map_err(|error| from_datafusion(error.into()))?;
    let below = |path: &object_store::path::Path| relative(&location.path, path.as_ref()).map(str::to_owned);
    let folders: Vec<String> = listed
        .common_prefixes
        .iter()
        .filter_map(below)
        .filter(|name| is_visible(name))
        .collect();
    if folders.iter().any(|name| name.contains('=')) {
        return Ok(vec![of_place(Location {
            folder: true,
            ..location.clone()
        })]);
    }
    let mut tables: Vec<Named> = listed
        .objects
        .iter()
        .filter_map(|meta| below(&meta.location))
        .filter(|name| is_visible(name) && Format::of_file(name).is_some())
        .map(|name| of_file(location.below(&name, false)))
        .collect();
    for name in folders {
        let folder = location.below(&name, true);
        if holds_data(store, &folder).await? {
            tables.push(of_place(folder));
        }
    }
    match tables.is_empty() {
        false => Ok(tables),
        true => Err(Error::data(format!(
            "{}: holds no tables, expected files that end in .parquet, .csv, .json or .arrow, or folders of them",
            location.written
        ))),
    }
}

async fn holds_data(store: &Arc<MountedStore>, folder: &Location) -> Result<bool> {
    let path = object_path(&folder.path)?;
    let mut listed = store.list(Some(&path));
    while let Some(meta) = listed
        .try_next()
        .await
        .map_err(|error| from_datafusion(error.into()))?
    {
        let name = relative(&folder.path, meta.location.as_ref());
        if name.is_some_and(|name| is_visible(name) && Format::of_file(name).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn of_file(location: Location) -> Named {
    let name = location
        .last()
        .rsplit_once('.')
        .map_or(location.last(), |(stem, _)| stem)
        .to_lowercase();
    of_place_named(location, name)
}

fn of_place(location: Location) -> Named {
    let name = location.last().to_lowercase();
    of_place_named(location, name)
}

fn of_place_named(location: Location, name: String) -> Named {
    let specification = Specification {
        name,
        locations: vec![location],
        ..Specification::default()
    };
    Named {
        specification,
        comment: None,
    }
}
