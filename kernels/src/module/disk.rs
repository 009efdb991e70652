//! Compiled images on disk. Comes in: keys and images. Goes out: images that are whole and were made for the key.
//! Several processes may share the folder: entries appear by atomic rename and are never changed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::ModuleKey;
use crate::error::{DeviceError, Result};

/// First bytes of an entry; the last one counts the format's versions.
const MAGIC: &[u8; 8] = b"WFMOD\0\0\x01";
/// Magic, key, checksum of the image.
const HEADER_BYTES: usize = 8 + 32 + 32;

/// Entries kept; the oldest go first.
const ENTRIES_MAX: usize = 4096;
/// How many publications pass between two looks at the number of entries.
const PRUNE_EVERY: u64 = 64;
/// A draft older than this was left behind by a process that ended.
const DRAFT_AGE_MAX: Duration = Duration::from_secs(3600);

/// A folder of compiled images.
#[derive(Debug, Clone)]
pub struct DiskCache {
    folder: PathBuf,
}

impl DiskCache {
    /// The cache in `folder`, which is made when the first entry is published.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The image under `key`, or `None` if there is none that is whole.
    pub fn load(&self, key: &ModuleKey) -> Option<Vec<u8>> {
        let mut entry = fs::read(self.folder.join(key.file_name())).ok()?;
        if entry.len() < HEADER_BYTES || &entry[..8] != MAGIC || &entry[8..40] != key.hash() {
            return None;
        }
        let image = entry.split_off(HEADER_BYTES);
        (entry[40..72] == <[u8; 32]>::from(Sha256::digest(&image))).then_some(image)
    }

    /// Puts `image` under `key`, in place of what was there.
    pub fn publish(&self, key: &ModuleKey, image: &[u8]) -> Result<()> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        fs::create_dir_all(&self.folder).map_err(|error| DeviceError::file(&self.folder, &error))?;
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = key.file_name();
        let draft = self
            .folder
            .join(format!(".{name}.{}.{serial}", std::process::id()));
        let written = write_entry(&draft, key, image)
            .and_then(|()| fs::rename(&draft, self.folder.join(&name)))
            .map_err(|error| DeviceError::file(&draft, &error));
        if written.is_err() {
            // The draft may not exist; the error that counts is the first one.
            let _ = fs::remove_file(&draft);
        }
        if written.is_ok() && serial % PRUNE_EVERY == PRUNE_EVERY - 1 {
            self.prune(ENTRIES_MAX)?;
        }
        written
    }

    /// Removes the oldest entries beyond `entries_max`, and drafts that nobody finishes. Another process may be at
    /// the same: what is gone already is not an error, and an entry removed in use is compiled again.
    pub fn prune(&self, entries_max: usize) -> Result<()> {
        let failed = |error: std::io::Error| DeviceError::file(&self.folder, &error);
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)?.flatten() {
            let Ok(written) = entry.metadata().and_then(|metadata| metadata.modified()) else {
                continue;
            };
            if !entry.file_name().to_string_lossy().starts_with('.') {
                entries.push((written, entry.path()));
            } else if written.elapsed().is_ok_and(|age| age > DRAFT_AGE_MAX) {
                let _ = fs::remove_file(entry.path());
            }
        }
        entries.sort();
        let surplus = entries.len().saturating_sub(entries_max);
        for (_, path) in &entries[..surplus] {
            let _ = fs::remove_file(path);
        }
        Ok(())
    }
}

fn write_entry(draft: &Path, key: &ModuleKey, image: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::create(draft)?;
    file.write_all(MAGIC)?;
    file.write_all(key.hash())?;
    file.write_all(&Sha256::digest(image))?;
    // Not synchronised with the disk, for which a query would wait: what a crash leaves of it fails its checksum.
    file.write_all(image)
}
