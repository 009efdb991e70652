//! Tables: where they come from, who sees them, how they are opened.
//!
//! In: the configuration, the environment's variables for stores, and each session's rights. Out:
//! DataFusion's catalogs for a session, its registry of stores and its caches. It does not know
//! Flight, plans or how queries run.
//!
//! The modules in the order in which a name becomes a table: `session`, `external` (where a name or
//! a path comes in), `location`, `pattern`, `roots` (what it stands for and whether it is allowed),
//! `served`, `table`, `provider` (tables), `files`, `format`, `schema`, `partitions`, `listings`
//! (opening one), `statistics`, `distinct` (what its footers say), `scanned`, `read_tables` (the files and the tables of a
//! plan), `mounted`, `local`, `stores`, `store_kinds`, `version`, `counters` (bytes).

mod catalogs;
mod counters;
mod distinct;
mod external;
mod files;
pub mod footer;
mod format;
mod listings;
mod local;
pub(crate) mod location;
mod mounted;
mod partitions;
mod pattern;
mod provider;
mod read_tables;
mod registry;
mod roots;
mod scanned;
mod schema;
mod served;
mod session;
mod settings;
mod statistics;
mod store_kinds;
mod stores;
mod table;
mod version;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use datafusion::catalog::Session;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use futures::StreamExt;

use listings::Listings;
use location::{Location, url_path};
use mounted::{Access, MountedStore};
use roots::Roots;
use stores::Stores;
use table::FileTable;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::security::rights::Rights;

pub use catalogs::{CATALOG, SessionCatalogs};
pub use counters::StoreCounts;
pub use external::ExternalTableFactory;
pub use read_tables::ReadTables;
pub use scanned::with_files;
pub use session::{SCHEMA, SessionSchema, TableInfo, TableKind};
pub use settings::session_options;

/// The URL of the store behind served tables.
const SERVED_URL: &str = "data://served";
/// The URL of the store behind users' paths.
const USER_URL: &str = "data://user";
/// The URL of the store that COPY TO writes to.
const WRITE_URL: &str = "data://write";

/// Served tables that are opened at once when all are tried.
const TRIED_AT_ONCE: usize = 8;

/// All that the configuration says of tables and stores.
#[derive(Debug)]
pub struct Catalog {
    folder: PathBuf,
    stores: Arc<Stores>,
    write_roots: Arc<Roots>,
    data_roots: Arc<Roots>,
    served_store: Arc<MountedStore>,
    user_store: Arc<MountedStore>,
    write_store: Arc<MountedStore>,
    served: BTreeMap<String, Served>,
    listings: Arc<Listings>,
    footer_cache_bytes: usize,
    state: OnceLock<SessionState>,
}

/// A served table.
#[derive(Debug)]
struct Served {
    table: Arc<FileTable>,
    comment: Option<String>,
}

impl Catalog {
    /// Reads the configuration, and the names in the folders of the option `data`. Tables are
    /// opened when they are used: one that cannot be is no error here.
    ///
    /// # Errors
    /// `Sql` if an option or an entry is wrong, names a table twice or cannot be understood, `Data`
    /// if a place of `data` holds nothing: its tables' names would not be known.
    pub async fn open(config: &Config, store_environment: &BTreeMap<String, String>) -> Result<Arc<Self>> {
        let folder =
            std::env::current_dir().map_err(|error| Error::data(format!("the server's folder: {error}")))?;
        let stores = Arc::new(Stores::new(config, store_environment)?);
        let locate =
            |text: &String| Location::parse(text, &folder).map(|location| stores.with_account(location));
        let roots = |option: &'static str, texts: &[String]| {
            let locations = texts.iter().map(locate).collect::<Result<Vec<_>>>();
            let roots = Roots::new(
                option,
                locations.map_err(|error| error.context(format_args!("option {option}")))?,
            )?;
            Ok::<_, Error>(Arc::new(roots))
        };
        let data_roots = roots("data_roots", &config.data.data_roots)?;
        let write_roots = roots("write_roots", &config.data.write_roots)?;
        let store = |access| Arc::new(MountedStore::new(Arc::clone(&stores), access));
        let served_store = store(Access::Served);
        let mut named = BTreeMap::new();
        for text in &config.data.data {
            let in_option = |error: Error| error.context("option data");
            let location = locate(text).map_err(in_option)?;
            for table in served::of_data(&served_store, &location)
                .await
                .map_err(in_option)?
            {
                served::add(&mut named, table)?;
            }
        }
        for entry in &config.tables {
            let location = locate(&entry.location)
                .map_err(|error| error.context(format_args!("[[table]] {:?}", entry.name)))?;
            served::add(&mut named, served::of_entry(entry, location)?)?;
        }
        let listings = Arc::new(Listings::default());
        let serve = |(name, table): (String, served::Named)| {
            let file_table = FileTable::new(
                table.specification,
                Arc::clone(&served_store),
                SERVED_URL,
                Arc::clone(&listings),
            );
            (
                name,
                Served {
                    table: Arc::new(file_table),
                    comment: table.comment,
                },
            )
        };
        let served = named.into_iter().map(serve).collect();
        Ok(Arc::new(Self {
            user_store: store(Access::Read(Arc::clone(&data_roots))),
            write_store: store(Access::Write(Arc::clone(&write_roots))),
            folder,
            stores,
            data_roots,
            write_roots,
            served_store,
            served,
            listings,
            footer_cache_bytes: usize::try_from(config.data.footer_cache_size.0).unwrap_or(usize::MAX),
            state: OnceLock::new(),
        }))
    }

    /// The builder with this catalog's stores and caches; the memory pool and spilling are others'.
    pub fn configure(&self, builder: RuntimeEnvBuilder) -> RuntimeEnvBuilder {
        let registry = registry::StoreRegistry::new([
            (SERVED_URL, Arc::clone(&self.served_store) as _),
            (USER_URL, Arc::clone(&self.user_store) as _),
            (WRITE_URL, Arc::clone(&self.write_store) as _),
        ]);
        builder
            .with_object_store_registry(Arc::new(registry))
            .with_cache_manager(self.cache_config())
    }

    /// What DataFusion caches: footers and statistics by version, and the listings of open tables.
    pub fn cache_config(&self) -> CacheManagerConfig {
        CacheManagerConfig::default()
            .with_metadata_cache_limit(self.footer_cache_bytes)
            .with_file_statistics_cache_limit(self.footer_cache_bytes / 8)
            .with_list_files_cache(Some(Arc::clone(&self.listings) as _))
    }

    /// Lets tables be opened, in the runtime that [`Catalog::configure`] was built into. To be called once.
    pub fn attach(&self, runtime: Arc<RuntimeEnv>) {
        // The first one stays: a second call changes nothing.
        let _ = self.state.set(settings::opening_state(runtime));
    }

    /// The catalogs of one session.
    pub fn session(self: &Arc<Self>, rights: Arc<Rights>) -> Arc<SessionCatalogs> {
        Arc::new(SessionCatalogs::new(SessionSchema::new(Arc::clone(self), rights)))
    }

    /// Opens every served table: what each is missing, if anything. One that fails is tried again
    /// when it is used.
    pub async fn try_tables(&self) -> Vec<(String, Result<()>)> {
        let tables: Vec<(String, Arc<FileTable>)> = self
            .served
            .iter()
            .map(|(name, served)| (name.clone(), Arc::clone(&served.table)))
            .collect();
        let tries = tables.into_iter().map(|(name, table)| async move {
            let outcome = match self.opening_session() {
                Ok(session) => table.open(session).await.map(drop),
                Err(error) => Err(error),
            };
            (name, outcome)
        });
        futures::stream::iter(tries)
            .buffered(TRIED_AT_ONCE)
            .collect()
            .await
    }

    /// Opens every served table and logs which cannot be.
    pub async fn warn_of_broken(&self) {
        for (table, outcome) in self.try_tables().await {
            if let Err(error) = outcome {
                tracing::warn!(table, %error, "table cannot be read now, it is tried again when it is used");
            }
        }
    }

    /// The mounted URL that a COPY TO of this target writes to.
    ///
    /// # Errors
    /// `Denied` if the user may not write or the target is not below `write_roots`, `Sql` if it is none.
    pub fn write_target(&self, rights: &Rights, target: &str) -> Result<String> {
        if !rights.write {
            return Err(Error::denied(format!(
                "user {} may not write files with COPY TO",
                rights.user
            )));
        }
        let location = self.locate(target)?;
        if location.pattern.is_some() {
            return Err(Error::sql(format!(
                "{target}: found a pattern, expected a file or a folder to write to"
            )));
        }
        self.write_roots.check(&location.path)?;
        let slash = if location.folder { "/" } else { "" };
        Ok(format!("{WRITE_URL}/{}{slash}", url_path(&location.path)))
    }

    /// The names of all served tables.
    pub fn table_names(&self) -> Vec<String> {
        self.served.keys().cloned().collect()
    }

    /// Requests and bytes of every store used so far.
    pub fn store_counts(&self) -> Vec<StoreCounts> {
        let counts = |store: Arc<stores::Store>| store.counters.now(location::readable(&store.mount));
        self.stores.used().into_iter().map(counts).collect()
    }

    fn locate(&self, text: &str) -> Result<Location> {
        Ok(self.stores.with_account(Location::parse(text, &self.folder)?))
    }

    /// The location of a user's path, if the user may read it.
    fn locate_for(&self, rights: &Rights, text: &str) -> Result<Location> {
        if !rights.files {
            return Err(Error::denied(format!(
                "{text}: user {} may not read files by path",
                rights.user
            )));
        }
        let location = self.locate(text)?;
        self.data_roots.check(&location.path)?;
        Ok(location)
    }

    /// A table of a user's paths.
    fn user_table(&self, specification: table::Specification) -> Arc<FileTable> {
        let store = Arc::clone(&self.user_store);
        Arc::new(FileTable::new(
            specification,
            store,
            USER_URL,
            Arc::clone(&self.listings),
        ))
    }

    fn opening_session(&self) -> Result<&dyn Session> {
        match self.state.get() {
            Some(state) => Ok(state),
            None => Err(Error::unavailable(
                "the server is starting, tables cannot be opened yet",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
