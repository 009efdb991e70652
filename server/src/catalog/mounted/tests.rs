//! The mounted store over local files and over a web server that knows HEAD and GET only.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{HeaderMap, Method, StatusCode, Uri};
use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::*;
use crate::catalog::location::Location;
use crate::config::Config;
use crate::config::tables::StoreEntry;

fn served(config: &Config) -> MountedStore {
    let stores = Stores::new(config, &std::collections::BTreeMap::new()).unwrap();
    MountedStore::new(Arc::new(stores), Access::Served)
}

fn mounted_path(path: &std::path::Path) -> Path {
    Path::parse(format!("file{}", path.display())).unwrap()
}

#[tokio::test]
async fn listing_head_and_get_agree_on_the_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b%20#1.bin");
    std::fs::write(&path, b"0123456789").unwrap();
    let store = served(&Config::default());
    let location = mounted_path(&path);
    let head = store.head(&location).await.unwrap();
    let got = store.get(&location).await.unwrap();
    let listed: Vec<_> = store
        .list(Some(&mounted_path(folder.path())))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed, std::slice::from_ref(&head));
    assert_eq!(got.meta, head);
    assert_eq!(got.bytes().await.unwrap(), "0123456789");
    let ranges = store.get_ranges(&location, &[0..2, 8..10, 3..3]).await.unwrap();
    assert_eq!(ranges, ["01", "89", ""]);
    assert!(
        store
            .get_ranges(&location, std::slice::from_ref(&(8..11)))
            .await
            .is_err()
    );
    let folder = store
        .list_with_delimiter(Some(&mounted_path(folder.path())))
        .await
        .unwrap();
    assert_eq!((folder.objects, folder.common_prefixes), (vec![head], vec![]));
}

#[tokio::test]
async fn requests_and_bytes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, b"0123456789").unwrap();
    let store = served(&Config::default());
    store.get_range(&mounted_path(&path), 0..4).await.unwrap();
    store
        .head(&mounted_path(&folder.path().join("y")))
        .await
        .unwrap_err();
    let _: Vec<_> = store
        .list(Some(&mounted_path(folder.path())))
        .try_collect()
        .await
        .unwrap();
    let counts = store.stores.used()[0].counters.now("/".into());
    assert_eq!((counts.requests, counts.errors, counts.read_bytes), (3, 1, 4));
}

#[tokio::test]
async fn nothing_is_written_or_deleted_where_tables_are_read() {
    let store = served(&Config::default());
    let location = Path::from("file/tmp/warpflight-never-written");
    assert!(store.put(&location, "x".into()).await.is_err());
    assert!(store.put_multipart(&location).await.is_err());
    assert!(store.delete(&location).await.is_err());
    assert!(store.copy(&location, &location).await.is_err());
}

/// A web server with one file, which cannot list, and answers HEAD only if told to.
async fn web(heads: bool, failures: usize) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answer = async move |method: Method, uri: Uri, headers: HeaderMap| {
        if counter.fetch_add(1, Ordering::SeqCst) < failures {
            return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Vec::new());
        }
        if uri.path() != "/d/x%20y.bin" {
            return (StatusCode::NOT_FOUND, HeaderMap::new(), Vec::new());
        }
        let body = b"0123456789".to_vec();
        let mut answer = HeaderMap::new();
        answer.insert("etag", "\"v1\"".parse().unwrap());
        answer.insert("last-modified", "Tue, 14 Nov 2023 22:13:20 GMT".parse().unwrap());
        match (method.as_str(), headers.get("range")) {
            ("HEAD", _) if !heads => (StatusCode::METHOD_NOT_ALLOWED, answer, Vec::new()),
            ("HEAD", _) => {
                answer.insert("content-length", "10".parse().unwrap());
                (StatusCode::OK, answer, Vec::new())
            }
            ("GET", Some(range)) => {
                let range = range.to_str().unwrap().trim_start_matches("bytes=").to_owned();
                let (start, end) = range.split_once('-').unwrap();
                let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
                answer.insert(
                    "content-range",
                    format!("bytes {start}-{end}/10").parse().unwrap(),
                );
                (StatusCode::PARTIAL_CONTENT, answer, body[start..=end].to_vec())
            }
            ("GET", None) => (StatusCode::OK, answer, body),
            _ => (StatusCode::METHOD_NOT_ALLOWED, answer, Vec::new()),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), asked)
}

fn web_path(url: &str, name: &str) -> Path {
    let location = Location::parse(&format!("{url}/{name}"), std::path::Path::new("/")).unwrap();
    Path::parse(location.path).unwrap()
}

#[tokio::test]
async fn a_web_server_needs_head_and_ranges_only() {
    for heads in [true, false] {
        let (url, _) = web(heads, 0).await;
        let store = served(&Config::default());
        let location = web_path(&url, "d/x%20y.bin");
        let head = store.head(&location).await.unwrap();
        assert_eq!((head.size, head.e_tag.as_deref()), (10, Some("\"v1\"")));
        assert_eq!(head.last_modified.timestamp(), 1_700_000_000);
        assert_eq!(store.get_range(&location, 2..5).await.unwrap(), "234");
        let missing = store.head(&web_path(&url, "d/z")).await.unwrap_err();
        assert!(matches!(missing, StoreError::NotFound { path, .. } if path == format!("{url}/d/z")));
    }
}

#[tokio::test]
async fn failed_requests_are_tried_again_as_often_as_configured() {
    let mut config = Config::default();
    config.data.store_retries = 2;
    let (url, asked) = web(true, 2).await;
    let location = web_path(&url, "d/x%20y.bin");
    assert!(served(&config).head(&location).await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    config.data.store_retries = 0;
    let (url, _) = web(true, 2).await;
    let error = served(&config)
        .get(&web_path(&url, "d/x%20y.bin"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains(&format!("{url}/d/x y.bin: ")),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut config = Config::default();
    config.data.store_retries = 0;
    config.data.store_timeout = crate::config::value::Duration(std::time::Duration::from_millis(200));
    config.stores.push(StoreEntry {
        url: "http://".into(),
        options: std::collections::BTreeMap::new(),
    });
    let started = std::time::Instant::now();
    served(&config).get(&web_path(&url, "x")).await.unwrap_err();
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}
