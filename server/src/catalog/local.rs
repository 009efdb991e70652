//! Local files as an object store, with a guard on what is opened.
//!
//! In: paths without their leading slash. Out: bytes and versions. Reading and listing are done
//! here, so that what is opened can be checked against the roots and so that the version of a file
//! holds its inode and its time of change in nanoseconds; writing is object_store's.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{
    Attributes, Error as StoreError, GetOptions, GetResult, GetResultPayload, ListResult, ObjectMeta,
    Result as StoreResult,
};

use super::roots::{Roots, open_regular};

/// Folders within folders, counted from where a listing starts; more is a cycle of links.
const DEPTH_MAX: usize = 64;

/// Reads local files, all of them or those below the roots.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    roots: Option<Arc<Roots>>,
}

impl LocalFiles {
    /// Files below `roots`, or all files if there are none to keep to.
    pub fn new(roots: Option<Arc<Roots>>) -> Self {
        Self { roots }
    }

    /// Opens a file; the payload is the open file.
    pub async fn get(&self, location: Path, options: GetOptions) -> StoreResult<GetResult> {
        self.blocking(move |files| files.get_now(location, options)).await
    }

    /// Reads ranges of a file, which is opened once.
    pub async fn get_ranges(&self, location: Path, ranges: Vec<Range<u64>>) -> StoreResult<Vec<Bytes>> {
        self.blocking(move |files| {
            let path = file_path(&location);
            let file = files.open(&path)?;
            let size = file.metadata().map_err(|error| io_error(&path, error))?.len();
            let read = |range: Range<u64>| read_range(&file, &path, range, size);
            ranges.into_iter().map(read).collect()
        })
        .await
    }

    /// All files below a folder, in order of their paths.
    pub async fn list(&self, prefix: Path) -> StoreResult<Vec<ObjectMeta>> {
        self.blocking(move |files| {
            let mut found = Vec::new();
            files.walk(&file_path(&prefix), DEPTH_MAX, &mut found, None)?;
            found.sort_by(|one, other| one.location.cmp(&other.location));
            Ok(found)
        })
        .await
    }

    /// The files and folders of a folder.
    pub async fn list_folder(&self, prefix: Path) -> StoreResult<ListResult> {
        self.blocking(move |files| {
            let (mut objects, mut folders) = (Vec::new(), BTreeSet::new());
            files.walk(&file_path(&prefix), 0, &mut objects, Some(&mut folders))?;
            objects.sort_by(|one, other| one.location.cmp(&other.location));
            Ok(ListResult {
                common_prefixes: folders.into_iter().collect(),
                objects,
            })
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let files = self.clone();
        tokio::task::spawn_blocking(move || work(&files)).await?
    }

    fn open(&self, path: &FilePath) -> StoreResult<File> {
        let opened = match &self.roots {
            Some(roots) => roots.open(path),
            None => open_regular(path, 0),
        };
        opened.map_err(|error| io_error(path, error))
    }

    fn get_now(&self, location: Path, options: GetOptions) -> StoreResult<GetResult> {
        let path = file_path(&location);
        let file = self.open(&path)?;
        let metadata = file.metadata().map_err(|error| io_error(&path, error))?;
        let meta = meta_of(&metadata, location);
        options.check_preconditions(&meta)?;
        let range = match options.range {
            Some(range) => range.as_range(meta.size).map_err(|error| StoreError::Generic {
                store: "file",
                source: Box::new(error),
            })?,
            None => 0..meta.size,
        };
        Ok(GetResult {
            payload: GetResultPayload::File(file, path),
            meta,
            range,
            attributes: Attributes::default(),
        })
    }

    /// Adds the files of a folder, and of the folders in it down to `depth`, to `found`; with
    /// `folders`, its folders are added to those instead of being entered.
    fn walk(
        &self,
        folder: &FilePath,
        depth: usize,
        found: &mut Vec<ObjectMeta>,
        mut folders: Option<&mut BTreeSet<Path>>,
    ) -> StoreResult<()> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            // As in an object store: nothing lies below what does not exist.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(()),
            Err(error) => return Err(io_error(folder, error)),
        };
        self.check(folder)?;
        for entry in entries {
            let entry = entry.map_err(|error| io_error(folder, error))?;
            let path = entry.path();
            // Follows links; one that leads nowhere, or a file just removed, is not there.
            let Ok(metadata) = std::fs::metadata(&path) else {
                continue;
            };
            let Some(text) = path.to_str() else {
                tracing::warn!(path = %path.display(), "file name is not UTF-8, the file is left out");
                continue;
            };
            if !metadata.is_dir() && !metadata.is_file() {
                continue;
            }
            let location = Path::parse(text)?;
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_link {
                self.check(&path)?;
            }
            match (metadata.is_dir(), folders.as_mut()) {
                (true, Some(folders)) => {
                    folders.insert(location);
                }
                (true, None) if depth == 0 => {
                    return Err(io_error(
                        &path,
                        std::io::Error::other("folders too deep, or a cycle of links"),
                    ));
                }
                (true, None) => self.walk(&path, depth - 1, found, None)?,
                (false, _) => found.push(meta_of(&metadata, location)),
            }
        }
        Ok(())
    }

    /// Refuses what leads out of the roots.
    fn check(&self, path: &FilePath) -> StoreResult<()> {
        let Some(roots) = &self.roots else { return Ok(()) };
        roots
            .check(&format!("file{}", path.display()))
            .map_err(|error| StoreError::PermissionDenied {
                path: path.display().to_string(),
                source: Box::new(error),
            })
    }
}

/// The file of an object's path.
pub fn file_path(location: &Path) -> PathBuf {
    PathBuf::from(format!("/{location}"))
}

fn read_range(file: &File, path: &FilePath, range: Range<u64>, size: u64) -> StoreResult<Bytes> {
    if range.end > size || range.start > range.end {
        let text = format!(
            "bytes {} to {} asked for, the file has {size}",
            range.start, range.end
        );
        return Err(io_error(
            path,
            std::io::Error::new(std::io::ErrorKind::UnexpectedEof, text),
        ));
    }
    let length = usize::try_from(range.end - range.start)
        .map_err(|_| io_error(path, std::io::Error::from(std::io::ErrorKind::OutOfMemory)))?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)
        .map_err(|error| io_error(path, error))?;
    Ok(bytes.into())
}

/// What is known of a file. The tag changes whenever the file is replaced, written to or given
/// another time by hand: its inode, and when content and inode changed.
fn meta_of(metadata: &Metadata, location: Path) -> ObjectMeta {
    let tag = format!(
        "{:x}-{:x}-{:x}-{:x}-{:x}",
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    );
    ObjectMeta {
        location,
        last_modified: DateTime::<Utc>::from_timestamp(metadata.mtime(), 0).unwrap_or_default(),
        size: metadata.len(),
        e_tag: Some(tag),
        version: None,
    }
}

fn io_error(path: &FilePath, error: std::io::Error) -> StoreError {
    let (path, kind) = (path.display().to_string(), error.kind());
    let source = Box::new(error);
    match kind {
        // As in an object store: a folder is no object.
        std::io::ErrorKind::NotFound
        | std::io::ErrorKind::NotADirectory
        | std::io::ErrorKind::IsADirectory => StoreError::NotFound { path, source },
        std::io::ErrorKind::PermissionDenied => StoreError::PermissionDenied { path, source },
        _ => StoreError::Generic {
            store: "file",
            source,
        },
    }
}
