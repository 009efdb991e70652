//! A table of files: opened when it is first used, opened again when its files change.
//!
//! In: locations, a format, what is known of the columns. Out: a `TableProvider` for one statement.
//! Opening lists the files, reads the schemas of those not seen before, and checks that they make
//! one table. It does not know who asks, nor under which name sessions see the table.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::catalog::Session;
use datafusion::common::{Constraints, Statistics};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::logical_expr::{Expr, SortExpr};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore};

use super::files::{self, Found};
use super::format::Format;
use super::listings::{Listing, Listings};
use super::location::{Location, readable, url_path};
use super::mounted::MountedStore;
use super::{partitions, schema, statistics};
use crate::error::{Error, Kind, Result};
use crate::error_datafusion::from_datafusion;

/// Files whose schemas are read at once.
const OPENED_AT_ONCE: usize = 16;
/// For how long a listing is taken for the present state within one statement.
const LISTING_AGE_MAX: Duration = Duration::from_secs(1);

/// What makes a table.
#[derive(Debug, Clone, Default)]
pub struct Specification {
    /// The table's name, for messages.
    pub name: String,
    /// Where its files are, at least one place.
    pub locations: Vec<Location>,
    /// Their format; by their names if absent.
    pub format: Option<Format>,
    /// Options of the format.
    pub options: BTreeMap<String, String>,
    /// The partition columns; by the folders' names if absent.
    pub partition_columns: Option<Vec<String>>,
    /// The columns with those of partitions; by the files if absent.
    pub columns: Option<SchemaRef>,
    /// Orders in which the rows are known to be.
    pub orders: Vec<Vec<SortExpr>>,
    /// Keys that the rows are known to have.
    pub constraints: Constraints,
    /// Values of columns that a file does not have.
    pub defaults: HashMap<String, Expr>,
    /// The statement that made it.
    pub definition: Option<String>,
}

/// A table of files.
#[derive(Debug)]
pub struct FileTable {
    /// What makes it.
    pub specification: Specification,
    store: Arc<MountedStore>,
    /// The store's URL, without a slash at its end.
    store_url: &'static str,
    listings: Arc<Listings>,
    opened: Mutex<Option<Arc<Opened>>>,
    opening: tokio::sync::Mutex<()>,
}

/// A table as it was when its files were listed.
#[derive(Debug)]
pub struct Opened {
    found: Vec<Found>,
    schemas: HashMap<Version, SchemaRef>,
    /// DataFusion's table over exactly these files.
    pub provider: ListingTable,
    /// What the files' footers say of their rows, if they do.
    pub statistics: Option<Statistics>,
    verified: Mutex<Instant>,
    _listing: Listing,
}

/// One version of one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Version(object_store::path::Path, u64, DateTime<Utc>);

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        Self(meta.location.clone(), meta.size, meta.last_modified)
    }
}

impl Opened {
    /// How many files were listed.
    pub fn files(&self) -> usize {
        self.found.iter().map(|found| found.files.len()).sum()
    }

    /// Whether the listing is too old to be taken for the present state.
    pub fn is_old(&self) -> bool {
        self.verified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            > LISTING_AGE_MAX
    }
}

impl FileTable {
    /// A table that has not been looked at yet. `store_url` is the URL under which DataFusion knows `store`.
    pub fn new(
        specification: Specification,
        store: Arc<MountedStore>,
        store_url: &'static str,
        listings: Arc<Listings>,
    ) -> Self {
        Self {
            specification,
            store,
            store_url,
            listings,
            opened: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    /// The table as its files are now.
    ///
    /// # Errors
    /// `Data` if there are no files, one cannot be read, or they do not make one table; `Denied` if
    /// they are not below the roots. The message starts with the table's name, if it has one.
    pub async fn open(&self, session: &dyn Session) -> Result<Arc<Opened>> {
        self.open_now(session)
            .await
            .map_err(|error| match self.specification.name.as_str() {
                "" => error,
                name => error.context(format_args!("table {name}")),
            })
    }

    async fn open_now(&self, session: &dyn Session) -> Result<Arc<Opened>> {
        let found = self.find().await?;
        if let Some(opened) = self.unchanged(&found) {
            return Ok(opened);
        }
        // One at a time: the others find it opened.
        let _opening = self.opening.lock().await;
        if let Some(opened) = self.unchanged(&found) {
            return Ok(opened);
        }
        let opened = Arc::new(self.read(session, found).await?);
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&opened));
        Ok(opened)
    }

    async fn find(&self) -> Result<Vec<Found>> {
        let mut all: Vec<Found> = Vec::with_capacity(self.specification.locations.len());
        for location in &self.specification.locations {
            let found = files::find(self.store.as_ref(), location, self.specification.format).await?;
            if let Some(first) = all.first()
                && first.format != found.format
            {
                return Err(Error::data(format!(
                    "{} holds {}, but {} {}; expected one format",
                    self.specification.locations[0].written, first.format, location.written, found.format
                )));
            }
            all.push(found);
        }
        Ok(all)
    }

    fn unchanged(&self, found: &[Found]) -> Option<Arc<Opened>> {
        let opened = self
            .opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        if opened.found != found {
            return None;
        }
        *opened.verified.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Some(opened)
    }

    async fn read(&self, session: &dyn Session, found: Vec<Found>) -> Result<Opened> {
        let first = found
            .first()
            .ok_or_else(|| Error::internal("a table of no locations"))?;
        let format = first.format;
        let name = first.files[0].location.filename().unwrap_or_default().to_owned();
        let reader = format.reader(session, &self.specification.options, &name)?;
        let partitions = self.partitions(&found)?;
        let schemas = match &self.specification.columns {
            Some(_) => HashMap::new(),
            None => self.schemas(session, format, reader.as_ref(), &found).await?,
        };
        let columns = self.columns(format, &found, &schemas, &partitions)?;
        let (provider, listing) = self.provider(reader, &found, columns, partitions)?;
        // Else each scan of it adds up all its footers again.
        let cache = session.runtime_env().cache_manager.get_file_statistic_cache();
        let provider = provider.with_cache(cache);
        let files = found.iter().flat_map(|found| &found.files);
        let statistics = statistics::of_table(session, &provider, format, self.store.as_ref(), files).await;
        Ok(Opened {
            found,
            schemas,
            provider,
            statistics,
            verified: Mutex::new(Instant::now()),
            _listing: listing,
        })
    }

    /// The partition columns, with the types declared where they are.
    fn partitions(&self, found: &[Found]) -> Result<Vec<(String, DataType)>> {
        let mut all: Option<Vec<(String, DataType)>> = None;
        for found in found {
            let given = self.specification.partition_columns.as_deref();
            let mut columns = partitions::columns(&found.folder, &found.files, given)?;
            for (name, data_type) in &mut columns {
                if let Some(declared) = &self.specification.columns
                    && let Ok(field) = declared.field_with_name(name)
                {
                    *data_type = field.data_type().clone();
                }
            }
            match &all {
                Some(first) if *first != columns => {
                    return Err(Error::data(format!(
                        "{} has other partition columns than {}",
                        readable(&found.folder),
                        self.specification.locations[0].written
                    )));
                }
                _ => all = Some(columns),
            }
        }
        Ok(all.unwrap_or_default())
    }

    /// The schema of every file; those of files that were seen before are not read again.
    async fn schemas(
        &self,
        session: &dyn Session,
        format: Format,
        reader: &dyn FileFormat,
        found: &[Found],
    ) -> Result<HashMap<Version, SchemaRef>> {
        let before = self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let store = Arc::clone(&self.store) as Arc<dyn ObjectStore>;
        let read = |meta: ObjectMeta| {
            let (before, store) = (before.clone(), Arc::clone(&store));
            async move {
                let version = Version::of(&meta);
                if let Some(schema) = before.and_then(|opened| opened.schemas.get(&version).cloned()) {
                    return Ok((version, schema));
                }
                let schema = reader
                    .infer_schema(session, &store, std::slice::from_ref(&meta))
                    .await
                    .map_err(|error| unreadable(format, &meta, from_datafusion(error)))?;
                Ok((version, schema))
            }
        };
        let files: Vec<ObjectMeta> = found.iter().flat_map(|found| found.files.clone()).collect();
        futures::stream::iter(files)
            .map(read)
            .buffered(OPENED_AT_ONCE)
            .try_collect()
            .await
    }

    /// The columns that are in the files: declared or merged, without those of the partitions,
    /// whose values come from the folders even where a file has such a column too.
    fn columns(
        &self,
        format: Format,
        found: &[Found],
        schemas: &HashMap<Version, SchemaRef>,
        partitions: &[(String, DataType)],
    ) -> Result<SchemaRef> {
        let columns = match &self.specification.columns {
            Some(declared) => Arc::clone(declared),
            None => {
                let named: Vec<(String, &SchemaRef)> = found
                    .iter()
                    .flat_map(|found| &found.files)
                    .filter_map(|meta| {
                        Some((readable(meta.location.as_ref()), schemas.get(&Version::of(meta))?))
                    })
                    .collect();
                let files: Vec<schema::FileSchema<'_>> = named
                    .iter()
                    .map(|(file, schema)| (file.as_str(), schema.as_ref()))
                    .collect();
                schema::merged(format, &files)?
            }
        };
        let is_partition = |name: &str| partitions.iter().any(|(partition, _)| partition == name);
        let kept: Vec<_> = columns
            .fields()
            .iter()
            .filter(|field| !is_partition(field.name()))
            .cloned()
            .collect();
        Ok(Arc::new(Schema::new(kept)))
    }

    fn provider(
        &self,
        reader: Arc<dyn FileFormat>,
        found: &[Found],
        columns: SchemaRef,
        partitions: Vec<(String, DataType)>,
    ) -> Result<(ListingTable, Listing)> {
        let mut folders: BTreeMap<&str, Vec<ObjectMeta>> = BTreeMap::new();
        // Places may overlap; a file is read once.
        let mut seen = HashSet::new();
        for found in found {
            let files = folders.entry(&found.folder).or_default();
            files.extend(
                found
                    .files
                    .iter()
                    .filter(|meta| seen.insert(&meta.location))
                    .cloned(),
            );
        }
        let urls = folders
            .keys()
            .map(|folder| self.url(folder))
            .collect::<Result<Vec<_>>>()?;
        let listed = urls
            .iter()
            .zip(folders.into_values())
            .map(|(url, files)| (url.prefix().clone(), files))
            .collect();
        let listing = self.listings.keep(listed);
        let urls = urls
            .into_iter()
            .map(|url| url.with_table_ref(listing.table.clone()))
            .collect();
        let options = ListingOptions::new(reader)
            .with_file_extension("")
            .with_table_partition_cols(partitions)
            .with_file_sort_order(self.specification.orders.clone());
        let config = ListingTableConfig::new_with_multi_paths(urls)
            .with_listing_options(options)
            .with_schema(columns);
        let table = ListingTable::try_new(config)
            .map_err(from_datafusion)?
            .with_constraints(self.specification.constraints.clone())
            .with_column_defaults(self.specification.defaults.clone())
            .with_definition(self.specification.definition.clone());
        Ok((table, listing))
    }

    fn url(&self, folder: &str) -> Result<ListingTableUrl> {
        ListingTableUrl::parse(format!("{}/{}/", self.store_url, url_path(folder))).map_err(from_datafusion)
    }
}

/// What could not be read of which file.
fn unreadable(format: Format, meta: &ObjectMeta, error: Error) -> Error {
    // The libraries' errors, whatever they call them; ours come from the roots and the limits.
    if !matches!(error.kind(), Kind::Data | Kind::Sql | Kind::Internal) {
        return error;
    }
    let place = readable(meta.location.as_ref());
    // The store's errors name the object already.
    if error.message().starts_with(&place) {
        return error;
    }
    Error::data(format!(
        "{place}: {} bytes that are no readable {format} file: {}",
        meta.size,
        error.message()
    ))
}
