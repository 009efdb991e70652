use super::*;

fn stores(entries: &[(&str, &[(&str, &str)])], environment: &[(&str, &str)]) -> Result<Stores> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let config = Config {
        stores: entries
            .iter()
            .map(|(url, options)| StoreEntry {
                url: (*url).to_owned(),
                options: options.iter().map(pair).collect(),
            })
            .collect(),
        ..Config::default()
    };
    Stores::new(&config, &environment.iter().map(pair).collect())
}

#[test]
fn unknown_options_are_refused_by_name() {
    for (url, option, words) in [
        (
            "s3://b",
            "endpont",
            "[[store]] \"s3://b\": unknown option endpont for S3",
        ),
        (
            "gs://b",
            "endpoint_url",
            "unknown option endpoint_url for Google Cloud Storage",
        ),
        ("az://c", "bucket", "unknown option bucket for Azure Blob Storage"),
        ("https://h", "region", "unknown option region for a web server"),
        ("/data", "x", "expected a URL of s3"),
        ("ftp://", "x", "found scheme \"ftp\""),
    ] {
        let error = stores(&[(url, &[(option, "x")])], &[]).unwrap_err();
        assert!(error.message().contains(words), "{error}");
    }
}

#[test]
fn bad_values_are_refused_at_start() {
    let error = stores(&[("s3://b", &[("allow_http", "perhaps")])], &[]).unwrap_err();
    assert!(error.message().starts_with("[[store]] \"s3://b\": "), "{error}");
    assert!(error.message().contains("perhaps"), "{error}");
}

#[test]
fn the_longest_entry_above_a_path_counts() {
    let stores = stores(
        &[
            ("s3://", &[]),
            ("s3://b", &[]),
            ("s3://b/p", &[]),
            ("https://", &[]),
        ],
        &[],
    )
    .unwrap();
    for (path, entry) in [
        ("s3/other/x", Some(0)),
        ("s3/b2/x", Some(0)),
        ("s3/b/x", Some(1)),
        ("s3/b/p", Some(2)),
        ("s3/b/p/x", Some(2)),
        ("s3/b/p2", Some(1)),
        ("https/h/x", Some(3)),
        ("http/h/x", None),
        ("gs/b/x", None),
    ] {
        assert_eq!(stores.entry_for(path), entry, "{path}");
    }
}

#[test]
fn stores_are_made_once_for_a_bucket_and_entry() {
    let stores = stores(&[("s3://", &[("region", "eu-west-1")]), ("s3://b/p", &[])], &[]).unwrap();
    let (one, inner) = stores.of("s3/b/x/y").unwrap();
    assert_eq!(inner.as_ref(), "x/y");
    assert!(Arc::ptr_eq(&one, &stores.of("s3/b/z").unwrap().0));
    assert!(!Arc::ptr_eq(&one, &stores.of("s3/c/x").unwrap().0));
    assert!(!Arc::ptr_eq(&one, &stores.of("s3/b/p/x").unwrap().0));
    assert_eq!(stores.used().len(), 3);
    assert!(stores.of("s3").is_err());
}

#[test]
fn the_environment_fills_what_an_entry_leaves_open() {
    let environment = [
        ("AWS_REGION", "eu-north-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_PROFILE", "x"),
    ];
    let stores = stores(&[("s3://b", &[("region", "us-west-2")])], &environment).unwrap();
    let shown = |path: &str| format!("{:?}", stores.of(path).unwrap().0);
    assert!(shown("s3/b/x").contains("us-west-2") && shown("s3/b/x").contains("127.0.0.1:1"));
    assert!(shown("s3/c/x").contains("eu-north-1"));
}

#[test]
fn an_azure_container_has_one_name() {
    let by_entry = stores(
        &[("az://c", &[("account_name", "acc")])],
        &[("AZURE_STORAGE_ACCOUNT_NAME", "env")],
    )
    .unwrap();
    let located = |stores: &Stores, text: &str| {
        stores
            .with_account(Location::parse(text, &PathBuf::from("/")).unwrap())
            .path
    };
    assert_eq!(located(&by_entry, "az://c/x"), "az/acc/c/x");
    assert_eq!(located(&by_entry, "az://d/x"), "az/env/d/x");
    assert_eq!(
        located(&by_entry, "abfss://c@acc.dfs.core.windows.net/x"),
        "az/acc/c/x"
    );
    assert_eq!(by_entry.entry_for("az/acc/c/x"), Some(0));
    assert_eq!(by_entry.entry_for("az/other/c/x"), None);
    assert_eq!(located(&stores(&[], &[]).unwrap(), "az://c/x"), "az/-/c/x");
}
