//! The files of each open table, where DataFusion looks for them.
//!
//! In: what a table found when it listed its files. Out: the same, to the scan of that table.
//! DataFusion asks this cache before it lists a folder, so a query lists once, plans and reads the
//! same files, and never takes the listing of an earlier one: a key is used by one table as it was
//! at one moment, and is gone with it. It does not list.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use datafusion::common::TableReference;
use datafusion::execution::cache::cache_manager::CachedFileList;
use datafusion::execution::cache::{Cache, CacheEntryInfo, TableScopedPath};
use object_store::ObjectMeta;

type Files = Vec<ObjectMeta>;

/// The listings of all open tables.
#[derive(Debug, Default)]
pub struct Listings {
    files: RwLock<HashMap<TableScopedPath, Weak<Files>>>,
    last: AtomicU64,
}

/// The listing of one table at one moment; DataFusion finds it for as long as this lives.
#[derive(Debug)]
pub struct Listing {
    listings: Arc<Listings>,
    keys: Vec<TableScopedPath>,
    _files: Vec<Arc<Files>>,
    /// What stands for the table in the keys.
    pub table: TableReference,
}

impl Listings {
    /// Keeps the files of some folders (their mounted paths) under a name never used before.
    pub fn keep(self: &Arc<Self>, folders: Vec<(object_store::path::Path, Files)>) -> Listing {
        let table = TableReference::bare(format!("#{}", self.last.fetch_add(1, Ordering::Relaxed)));
        let (mut keys, mut kept) = (Vec::new(), Vec::new());
        let mut listed = self.files.write().unwrap_or_else(PoisonError::into_inner);
        for (path, files) in folders {
            let key = TableScopedPath {
                table: Some(table.clone()),
                path,
            };
            let files = Arc::new(files);
            listed.insert(key.clone(), Arc::downgrade(&files));
            keys.push(key);
            kept.push(files);
        }
        Listing {
            listings: Arc::clone(self),
            keys,
            _files: kept,
            table,
        }
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        let mut listed = self
            .listings
            .files
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            listed.remove(key);
        }
    }
}

impl Cache<TableScopedPath, CachedFileList> for Listings {
    fn get(&self, key: &TableScopedPath) -> Option<CachedFileList> {
        let listed = self.files.read().unwrap_or_else(PoisonError::into_inner);
        listed.get(key)?.upgrade().map(|files| CachedFileList { files })
    }

    /// Keeps nothing: what DataFusion listed by itself would never be listed again.
    fn put(&self, _key: &TableScopedPath, _value: CachedFileList) -> Option<CachedFileList> {
        None
    }

    fn remove(&self, _key: &TableScopedPath) -> Option<CachedFileList> {
        None
    }

    fn contains_key(&self, key: &TableScopedPath) -> bool {
        self.get(key).is_some()
    }

    fn len(&self) -> usize {
        self.files.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn clear(&self) {}

    fn name(&self) -> String {
        "listings of open tables".into()
    }

    fn cache_limit(&self) -> usize {
        usize::MAX
    }

    fn update_cache_limit(&self, _limit: usize) {}

    fn cache_ttl(&self) -> Option<Duration> {
        None
    }

    fn update_cache_ttl(&self, _ttl: Option<Duration>) {}

    fn drop_table_entries(&self, _table: &TableReference) -> datafusion::error::Result<()> {
        Ok(())
    }

    fn list_entries(&self) -> datafusion::common::HashMap<TableScopedPath, CacheEntryInfo<CachedFileList>> {
        datafusion::common::HashMap::new()
    }
}
