//! One object store over all stores: the first segments of a path name the store, the rest is the
//! path in it.
//!
//! In: mounted paths. Out: bytes and versions under mounted paths. DataFusion keeps footers by path
//! alone, so two buckets must never show equal paths; that is why there is one store and not many.
//! It is registered three times, once for each thing that is allowed: `data://served/` reads what
//! the configuration names, `data://user/` reads below `data_roots` only, `data://write/` writes
//! below `write_roots` only. It does not know tables or users.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error as StoreError, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult, coalesce_ranges,
};

use super::local::LocalFiles;
use super::location::readable;
use super::roots::Roots;
use super::stores::{Store, Stores};
use super::version::stamped;
use crate::error::Error;

/// What a mounted store lets pass.
#[derive(Debug, Clone)]
pub enum Access {
    /// Reads anything: what the configuration names.
    Served,
    /// Reads below the roots.
    Read(Arc<Roots>),
    /// Writes below the roots.
    Write(Arc<Roots>),
}

/// All stores as one.
#[derive(Debug)]
pub struct MountedStore {
    stores: Arc<Stores>,
    access: Access,
    files: LocalFiles,
}

impl MountedStore {
    /// The stores behind one kind of access.
    pub fn new(stores: Arc<Stores>, access: Access) -> Self {
        let files = LocalFiles::new(match &access {
            Access::Served => None,
            Access::Read(roots) | Access::Write(roots) => Some(Arc::clone(roots)),
        });
        Self {
            stores,
            access,
            files,
        }
    }

    /// The store of a path that is to be read.
    fn readable(&self, location: &Path) -> StoreResult<(Arc<Store>, Path)> {
        match &self.access {
            Access::Served => self.routed(location),
            // Local files are checked when they are opened, without a moment in between.
            Access::Read(_) if location.as_ref().starts_with("file/") => self.routed(location),
            Access::Read(roots) | Access::Write(roots) => {
                roots
                    .check(location.as_ref())
                    .map_err(|error| denied(location, error))?;
                self.routed(location)
            }
        }
    }

    /// The store of a path that is to be written.
    fn writable(&self, location: &Path) -> StoreResult<(Arc<Store>, Path)> {
        match &self.access {
            Access::Write(roots) => {
                roots
                    .check(location.as_ref())
                    .map_err(|error| denied(location, error))?;
                self.routed(location)
            }
            _ => Err(self.refused(location, "write")),
        }
    }

    fn routed(&self, location: &Path) -> StoreResult<(Arc<Store>, Path)> {
        self.stores
            .of(location.as_ref())
            .map_err(|error| StoreError::Generic {
                store: "data",
                source: Box::new(error),
            })
    }

    fn refused(&self, location: &Path, operation: &str) -> StoreError {
        denied(
            location,
            Error::denied(format!(
                "{}: tables read from files are not changed, cannot {operation}",
                readable(location.as_ref())
            )),
        )
    }
}

impl fmt::Display for MountedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("warpflight's stores")
    }
}

#[async_trait]
impl ObjectStore for MountedStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> StoreResult<PutResult> {
        let (store, inner) = self.writable(location)?;
        let bytes = payload.content_length() as u64;
        let outcome = match &store.objects {
            Some(objects) => objects.put_opts(&inner, payload, options).await,
            None => LocalFileSystem::new().put_opts(&inner, payload, options).await,
        };
        let result = store
            .counters
            .count(outcome)
            .map_err(|error| explained(error, location))?;
        store.counters.written(bytes);
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let (store, inner) = self.writable(location)?;
        let outcome = match &store.objects {
            Some(objects) => objects.put_multipart_opts(&inner, options).await,
            None => LocalFileSystem::new().put_multipart_opts(&inner, options).await,
        };
        let upload = store
            .counters
            .count(outcome)
            .map_err(|error| explained(error, location))?;
        Ok(Box::new(CountedUpload { upload, store }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        let (store, inner) = self.readable(location)?;
        let outcome = match &store.objects {
            None => self.files.get(inner, options).await,
            Some(objects) => {
                let head = options.head;
                match objects.get_opts(&inner, options).await {
                    // Some web servers answer GET only, which object_store takes for a missing
                    // object; one byte tells the length as well.
                    Err(StoreError::Generic { .. } | StoreError::NotFound { .. })
                        if head && location.as_ref().starts_with("http") =>
                    {
                        let first = GetOptions {
                            range: Some(GetRange::Bounded(0..1)),
                            ..GetOptions::default()
                        };
                        objects.get_opts(&inner, first).await
                    }
                    outcome => outcome,
                }
            }
        };
        let mut result = store
            .counters
            .count(outcome)
            .map_err(|error| explained(error, location))?;
        result.meta.location = location.clone();
        result.meta = stamped(result.meta);
        result.payload = match result.payload {
            GetResultPayload::Stream(stream) => {
                let location = location.clone();
                let counted = stream
                    .inspect_ok(move |bytes| store.counters.read(bytes.len() as u64))
                    .map_err(move |error| explained(error, &location));
                GetResultPayload::Stream(counted.boxed())
            }
            file => {
                store.counters.read(result.range.end - result.range.start);
                file
            }
        };
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        if !location.as_ref().starts_with("file/") {
            return coalesce_ranges(
                ranges,
                |range| self.get_range(location, range),
                OBJECT_STORE_COALESCE_DEFAULT,
            )
            .await;
        }
        let (store, inner) = self.readable(location)?;
        let outcome = self.files.get_ranges(inner, ranges.to_vec()).await;
        let read = store
            .counters
            .count(outcome)
            .map_err(|error| explained(error, location))?;
        store
            .counters
            .read(read.iter().map(|bytes| bytes.len() as u64).sum());
        Ok(read)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, StoreResult<Path>>,
    ) -> BoxStream<'static, StoreResult<Path>> {
        locations
            .map(|location| {
                let path = location?;
                Err(StoreError::NotSupported {
                    source: format!("deleting {}", readable(path.as_ref())).into(),
                })
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let (store, inner) = match self.readable(&prefix) {
            Ok(routed) => routed,
            Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
        };
        let mount = store.mount.clone();
        let listed = match &store.objects {
            Some(objects) => objects.list(Some(&inner)),
            None => {
                let files = self.files.clone();
                futures::stream::once(async move { files.list(inner).await })
                    .map_ok(|found| futures::stream::iter(found.into_iter().map(Ok)))
                    .try_flatten()
                    .boxed()
            }
        };
        let listed = listed
            .map(move |meta| match meta {
                Ok(meta) => Ok(stamped(ObjectMeta {
                    location: mounted(&mount, &meta.location)?,
                    ..meta
                })),
                Err(error) => Err(explained(error, &prefix)),
            })
            .boxed();
        counted_listing(store, listed)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let (store, inner) = self.readable(&prefix)?;
        let outcome = match &store.objects {
            Some(objects) => objects.list_with_delimiter(Some(&inner)).await,
            None => self.files.list_folder(inner).await,
        };
        let listed = store
            .counters
            .count(outcome)
            .map_err(|error| explained(error, &prefix))?;
        let folder = |path: Path| mounted(&store.mount, &path);
        let object = |meta: ObjectMeta| {
            Ok(stamped(ObjectMeta {
                location: mounted(&store.mount, &meta.location)?,
                ..meta
            }))
        };
        Ok(ListResult {
            common_prefixes: listed
                .common_prefixes
                .into_iter()
                .map(folder)
                .collect::<StoreResult<_>>()?,
            objects: listed
                .objects
                .into_iter()
                .map(object)
                .collect::<StoreResult<_>>()?,
        })
    }

    async fn copy_opts(&self, from: &Path, _to: &Path, _options: CopyOptions) -> StoreResult<()> {
        Err(self.refused(from, "copy"))
    }
}

/// A listing that counts as one request when it ends or fails.
fn counted_listing(
    store: Arc<Store>,
    listed: BoxStream<'static, StoreResult<ObjectMeta>>,
) -> BoxStream<'static, StoreResult<ObjectMeta>> {
    let failed = Arc::clone(&store);
    listed
        .inspect_err(move |_| {
            let _ = failed.counters.count(Err::<(), ()>(()));
        })
        .chain(futures::stream::poll_fn(move |_| {
            let _ = store.counters.count(Ok::<(), ()>(()));
            std::task::Poll::Ready(None)
        }))
        .boxed()
}

fn mounted(mount: &str, inner: &Path) -> StoreResult<Path> {
    Ok(Path::parse(format!("{mount}/{inner}"))?)
}

fn denied(location: &Path, error: Error) -> StoreError {
    StoreError::PermissionDenied {
        path: readable(location.as_ref()),
        source: Box::new(error),
    }
}

/// The store's error with the location as a person would write it.
fn explained(error: StoreError, location: &Path) -> StoreError {
    let place = readable(location.as_ref());
    match error {
        StoreError::NotFound { source, .. } => StoreError::NotFound { path: place, source },
        StoreError::AlreadyExists { source, .. } => StoreError::AlreadyExists { path: place, source },
        StoreError::PermissionDenied { source, .. } => StoreError::PermissionDenied { path: place, source },
        StoreError::Unauthenticated { source, .. } => StoreError::Unauthenticated { path: place, source },
        StoreError::Precondition { source, .. } => StoreError::Precondition { path: place, source },
        StoreError::NotModified { source, .. } => StoreError::NotModified { path: place, source },
        StoreError::Generic { store, source } => StoreError::Generic {
            store,
            source: Box::new(Error::data(format!("{place}: {}", chain(source.as_ref())))),
        },
        other => other,
    }
}

/// An error and its causes on one line, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// An upload whose bytes are counted.
#[derive(Debug)]
struct CountedUpload {
    upload: Box<dyn MultipartUpload>,
    store: Arc<Store>,
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, data: PutPayload) -> object_store::UploadPart {
        let (bytes, store) = (data.content_length() as u64, Arc::clone(&self.store));
        let part = self.upload.put_part(data);
        Box::pin(async move {
            store.counters.count(part.await)?;
            store.counters.written(bytes);
            Ok(())
        })
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        self.upload.complete().await
    }

    async fn abort(&mut self) -> StoreResult<()> {
        self.upload.abort().await
    }
}

#[cfg(test)]
mod tests;
