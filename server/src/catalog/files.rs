//! The files of a location: one file, those below a folder, or those that fit a pattern.
//!
//! In: a location and the store. Out: files with their versions, in order of their paths, and the
//! folder that they are below. It reads names only, no file.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::format::Format;
use super::location::{Location, readable};
use super::pattern;
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;

/// The files of a location.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The mounted path of the folder that all files are below.
    pub folder: String,
    /// The files, at least one.
    pub files: Vec<ObjectMeta>,
    /// Their format.
    pub format: Format,
}

/// Finds the files of a location, of one format: the one given, or the one that their names say.
///
/// # Errors
/// `Data` if there is no file, or no format is given and the names say several or none.
pub async fn find(store: &dyn ObjectStore, location: &Location, format: Option<Format>) -> Result<Found> {
    let path = object_path(&location.path)?;
    if !location.folder && location.pattern.is_none() {
        match store.head(&path).await {
            Ok(meta) => return single(location, meta, format),
            Err(object_store::Error::NotFound { .. }) if !location.is_web() => {}
            Err(error) => return Err(from_datafusion(error.into())),
        }
    }
    if location.is_web() {
        return Err(Error::unsupported(format!(
            "{}: folders and patterns of a web server cannot be listed, name a file",
            location.written
        )));
    }
    let listed: Vec<ObjectMeta> = store
        .list(Some(&path))
        .try_collect()
        .await
        .map_err(|error| from_datafusion(error.into()))?;
    let mut files: Vec<ObjectMeta> = listed
        .into_iter()
        .filter(|meta| is_wanted(location, meta, format))
        .collect();
    if files.is_empty() {
        return Err(nothing(location, format));
    }
    files.sort_by(|one, other| one.location.cmp(&other.location));
    let format = match format {
        Some(format) => format,
        None => format_of(location, &files)?,
    };
    Ok(Found {
        folder: location.path.clone(),
        files,
        format,
    })
}

/// A mounted path as an object's.
pub fn object_path(path: &str) -> Result<Path> {
    Path::parse(path).map_err(|error| Error::data(format!("{}: {error}", readable(path))))
}

/// Whether a name is a file's that holds data: those that start with `.` or `_` are other programs'
/// notes, unless they are Hive-style folders.
pub fn is_visible(relative: &str) -> bool {
    relative
        .split('/')
        .all(|segment| !segment.starts_with(['.', '_']) || segment.contains('='))
}

fn single(location: &Location, meta: ObjectMeta, format: Option<Format>) -> Result<Found> {
    let Some(format) = format.or_else(|| Format::of_file(location.last())) else {
        return Err(Error::sql(format!(
            "{}: the name says no format, expected one that ends in .parquet, .csv, .json or .arrow, \
             or the format to be given",
            location.written
        )));
    };
    if meta.size == 0 {
        return Err(Error::data(format!(
            "{}: the file is empty",
            readable(&location.path)
        )));
    }
    let folder = location.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Ok(Found {
        folder: folder.to_owned(),
        files: vec![meta],
        format,
    })
}

fn is_wanted(location: &Location, meta: &ObjectMeta, format: Option<Format>) -> bool {
    let Some(relative) = relative(&location.path, meta.location.as_ref()) else {
        return false;
    };
    let fits = match &location.pattern {
        // A pattern that fits the file's name outranks the rules for names and endings.
        Some(wanted) if pattern::fits(wanted, relative) => true,
        Some(wanted) => {
            pattern::fits_folder(wanted, relative) && is_visible(relative) && is_data(relative, format)
        }
        None => is_visible(relative) && is_data(relative, format),
    };
    fits && meta.size > 0
}

/// Whether a file in a folder is one of the format, or of any.
fn is_data(name: &str, format: Option<Format>) -> bool {
    match (Format::of_file(name), format) {
        (Some(found), Some(wanted)) => found == wanted,
        // With the format given, files without an ending are taken for it: many writers make none.
        (None, Some(_)) => !name.rsplit('/').next().unwrap_or(name).contains('.'),
        (found, None) => found.is_some(),
    }
}

/// The part of `path` below `folder`.
pub fn relative<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn format_of(location: &Location, files: &[ObjectMeta]) -> Result<Format> {
    let named = |meta: &ObjectMeta| Format::of_file(meta.location.as_ref());
    let first = files.first().and_then(named).ok_or_else(|| {
        Error::sql(format!(
            "{}: the names say no format, expected it to be given",
            location.written
        ))
    })?;
    match files.iter().find(|meta| named(meta) != Some(first)) {
        None => Ok(first),
        Some(other) => Err(Error::data(format!(
            "{}: files of several formats, {} and {}; expected one, or the format to be given",
            location.written,
            readable(files[0].location.as_ref()),
            readable(other.location.as_ref())
        ))),
    }
}

fn nothing(location: &Location, format: Option<Format>) -> Error {
    let what = match (format, &location.pattern) {
        (_, Some(_)) => "no file fits the pattern".to_owned(),
        (Some(format), None) => format!("no such file, and no folder with {format} files"),
        (None, None) => "no such file, and no folder with files of parquet, csv, json or arrow".to_owned(),
    };
    Error::data(format!("{}: {what}", location.written))
}
