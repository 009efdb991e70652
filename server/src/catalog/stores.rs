//! The object stores behind the mounted paths: made once from the configuration, then kept.
//!
//! In: `[[store]]` entries, the environment's variables, timeouts. Out: the store of a mounted
//! path and the path in it. An entry counts for all paths below its URL, the longest one wins;
//! what it does not set comes from the environment, and what that does not set is left to
//! object_store, which asks the machine for its role. It does not know who asks.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::ObjectStore;
use object_store::path::Path;

use super::counters::Counters;
use super::location::{CONFIGURED_ACCOUNT, Location};
use super::roots::is_below;
use super::store_kinds::{self, Kind, Limits};
use crate::config::Config;
use crate::config::tables::StoreEntry;
use crate::error::{Error, Result};

/// One store: what does the requests, and what was requested so far.
#[derive(Debug)]
pub struct Store {
    /// The store; its paths are those behind the mount. `None` for local files.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// The mounted path of its root, for example `s3/bucket`.
    pub mount: String,
    /// Requests and bytes.
    pub counters: Counters,
}

/// All stores of a server.
#[derive(Debug)]
pub struct Stores {
    entries: Vec<Entry>,
    environment: BTreeMap<String, String>,
    limits: Limits,
    made: Mutex<HashMap<Key, Arc<Store>>>,
}

/// What makes a store: its mount, and the entry whose settings it has.
type Key = (String, Option<usize>);

/// A `[[store]]` entry whose options are known to be good.
#[derive(Debug)]
struct Entry {
    /// The mounted path that it counts for, the account of Azure left open.
    path: String,
    kind: Kind,
    options: BTreeMap<String, String>,
}

impl Stores {
    /// Reads the entries and tries their options.
    ///
    /// # Errors
    /// `Sql` if an entry's URL is of no store, or an option of it is not known or not valid.
    pub fn new(config: &Config, environment: &BTreeMap<String, String>) -> Result<Self> {
        let limits = Limits {
            timeout: config.data.store_timeout.limit().unwrap_or(Duration::MAX),
            retries: config.data.store_retries,
        };
        let stores = Self {
            entries: config.stores.iter().map(entry).collect::<Result<_>>()?,
            environment: environment.clone(),
            limits,
            made: Mutex::default(),
        };
        for (index, entry) in stores.entries.iter().enumerate() {
            let account = stores.account_of(entry.kind, Some(index));
            let mount = entry.kind.sample_mount(account.as_deref());
            stores
                .make(entry.kind, &mount, Some(index))
                .map_err(|error| error.context(format_args!("[[store]] {:?}", config.stores[index].url)))?;
        }
        Ok(stores)
    }

    /// The location with the configured account of Azure in place of none.
    pub fn with_account(&self, mut location: Location) -> Location {
        let open = format!("az/{CONFIGURED_ACCOUNT}/");
        if let Some(rest) = location.path.strip_prefix(&open)
            && let Some(account) = self.account_of(Kind::Azure, self.entry_for(&location.path))
        {
            location.path = format!("az/{account}/{rest}");
        }
        location
    }

    /// The store of a mounted path, and the path in it.
    ///
    /// # Errors
    /// `Data` if the path is of no store or the store's settings do not suffice.
    pub fn of(&self, path: &str) -> Result<(Arc<Store>, Path)> {
        let (kind, mount) = Kind::of_path(path)
            .ok_or_else(|| Error::data(format!("{path}: names no store, expected a bucket or a host")))?;
        let inner = path[mount.len()..].trim_start_matches('/');
        let inner = Path::parse(inner).map_err(|error| Error::data(format!("{path}: {error}")))?;
        let entry = self.entry_for(path);
        let key = (mount.to_owned(), entry);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = made.get(&key) {
            return Ok((Arc::clone(store), inner));
        }
        let objects = self.make(kind, mount, entry)?;
        let store = Arc::new(Store {
            objects,
            mount: mount.to_owned(),
            counters: Counters::default(),
        });
        made.insert(key, Arc::clone(&store));
        Ok((store, inner))
    }

    /// All stores that were used, by mount.
    pub fn used(&self) -> Vec<Arc<Store>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stores: Vec<_> = made.values().cloned().collect();
        stores.sort_by(|one, other| one.mount.cmp(&other.mount));
        stores
    }

    /// The entry with the longest URL above a path.
    fn entry_for(&self, path: &str) -> Option<usize> {
        let open = without_account(path);
        let counts =
            |entry: &&(usize, &Entry)| is_below(&open, &entry.1.path) && self.account_fits(path, entry.1);
        self.entries
            .iter()
            .enumerate()
            .collect::<Vec<_>>()
            .iter()
            .filter(counts)
            .max_by_key(|(_, entry)| entry.path.len())
            .map(|(index, _)| *index)
    }

    /// Whether a path's account, if it names one, is the one that the entry sets, if it sets one.
    fn account_fits(&self, path: &str, entry: &Entry) -> bool {
        let named = path.strip_prefix("az/").and_then(|rest| rest.split('/').next());
        match (named, store_kinds::azure_account(&entry.options)) {
            (Some(CONFIGURED_ACCOUNT) | None, _) | (_, None) => true,
            (Some(named), Some(set)) => named == set,
        }
    }

    fn account_of(&self, kind: Kind, entry: Option<usize>) -> Option<String> {
        if kind != Kind::Azure {
            return None;
        }
        entry
            .and_then(|index| store_kinds::azure_account(&self.entries[index].options))
            .or_else(|| store_kinds::azure_account(&self.environment))
    }

    fn make(&self, kind: Kind, mount: &str, entry: Option<usize>) -> Result<Option<Arc<dyn ObjectStore>>> {
        let nothing = BTreeMap::new();
        let options = entry.map_or(&nothing, |index| &self.entries[index].options);
        store_kinds::make(kind, mount, &self.environment, options, self.limits)
    }
}

/// A mounted path with the account of Azure left open.
fn without_account(path: &str) -> String {
    match path.strip_prefix("az/").and_then(|rest| rest.split_once('/')) {
        Some((_, rest)) => format!("az/{CONFIGURED_ACCOUNT}/{rest}"),
        None => path.to_owned(),
    }
}

fn entry(entry: &StoreEntry) -> Result<Entry> {
    let refuse = |what: String| Error::sql(format!("[[store]] {:?}: {what}", entry.url));
    // `s3://` alone is every bucket, which is no location.
    let whole = entry.url.strip_suffix("://").map(str::to_ascii_lowercase);
    let path = match whole.as_deref() {
        Some("s3" | "s3a") => "s3".to_owned(),
        Some("gs") => "gs".to_owned(),
        Some("az" | "azure" | "abfs" | "abfss") => format!("az/{CONFIGURED_ACCOUNT}"),
        Some(scheme @ ("http" | "https")) => scheme.to_owned(),
        _ => Location::parse(&entry.url, &PathBuf::from("/"))?.path,
    };
    let kind = Kind::of_scheme(path.split('/').next().unwrap_or_default())
        .filter(|kind| *kind != Kind::File)
        .ok_or_else(|| refuse("expected a URL of s3, gs, az, abfss, https or http".into()))?;
    for name in entry.options.keys() {
        if !kind.knows(name) {
            return Err(refuse(format!("unknown option {name} for {}", kind.words())));
        }
    }
    Ok(Entry {
        path: without_account(&path),
        kind,
        options: entry.options.clone(),
    })
}

#[cfg(test)]
mod tests;
