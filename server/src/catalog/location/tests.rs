use super::*;

fn parsed(text: &str) -> Result<Location> {
    Location::parse(text, FilePath::new("/srv/[data]"))
}

fn path(text: &str) -> String {
    parsed(text).unwrap_or_else(|error| panic!("{error}")).path
}

fn refusal(text: &str) -> String {
    match parsed(text) {
        Err(error) => error.message().to_owned(),
        Ok(location) => panic!("{text} is {location:?}"),
    }
}

#[test]
fn one_form_for_all_ways_to_write_a_place() {
    for (text, expected) in [
        ("/a/b.parquet", "file/a/b.parquet"),
        ("/a//b/./c/../d", "file/a/b/d"),
        ("b.parquet", "file/srv/[data]/b.parquet"),
        ("../b.parquet", "file/srv/b.parquet"),
        ("a:b.parquet", "file/srv/[data]/a:b.parquet"),
        ("/a/100%20.csv", "file/a/100%20.csv"),
        ("file:///a/b%20c.csv", "file/a/b c.csv"),
        ("file:/a", "file/a"),
        ("FILE://localhost/a", "file/a"),
        ("file:///a/%2e%2e/b", "file/b"),
        ("file:///a/..%2fb", "file/b"),
        ("file:///a/%252e%252e/b", "file/a/%2e%2e/b"),
        ("s3://Bucket.name/a//b", "s3/Bucket.name/a/b"),
        ("S3A://b", "s3/b"),
        ("s3://b/x/../y%3F", "s3/b/y?"),
        ("gs://b/k=1/x", "gs/b/k=1/x"),
        ("az://c/x", "az/-/c/x"),
        ("abfss://c@Acc.dfs.core.windows.net/x", "az/acc/c/x"),
        ("az://c@acc/x", "az/acc/c/x"),
        ("https://Example.COM:443/x", "https/example.com/x"),
        ("http://h:8080/x", "http/h:8080/x"),
        ("http://0x7f.1/x", "http/127.0.0.1/x"),
        ("http://2852039166/x", "http/169.254.169.254/x"),
        ("http://[::ffff:a9fe:a9fe]/x", "http/[::ffff:a9fe:a9fe]/x"),
    ] {
        assert_eq!(path(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_place_is_refused_with_the_reason() {
    for (text, words) in [
        ("", "found nothing"),
        ("/a\0b", "control character"),
        ("file:///a%00b", "control character"),
        ("a\\b", "backslash"),
        ("file:///a%5c..%5cb", "backslash"),
        ("~/a", "~ is not expanded"),
        ("/../etc/passwd", "leads out of the file system"),
        ("s3://b/../other/x", "leads out of s3/b"),
        ("s3://b/%2e%2e/other/x", "leads out of s3/b"),
        ("az://c/../d", "leads out of az/-/c"),
        ("s3:///x", "expected the name of a bucket"),
        ("s3://b%2fc/x", "expected the name of a bucket"),
        ("s3://b:80/x", "expected the name of a bucket"),
        ("s3://../x", "expected the name of a bucket"),
        ("s3://user@b/x", "found a user"),
        ("https://u:p@h/x", "found a user"),
        ("https://h/x?y", "without a query"),
        ("https://h/x#y", "without a query"),
        ("file://host/x", "found host \"host\""),
        ("abfss://c@acc.example.com/x", "found host \"acc.example.com\""),
        ("gopher://h/x", "found scheme \"gopher\""),
        ("data://served/file/etc/passwd", "found scheme \"data\""),
        ("file:///a%ff", "not UTF-8"),
        ("/a/*/../../etc", "behind a wildcard"),
        ("s3://b/*/%2e%2e/x", "behind a wildcard"),
    ] {
        let message = refusal(text);
        assert!(message.contains(words), "{text:?}: {message}");
        assert!(message.starts_with(&format!("location {text:?}: ")), "{message}");
    }
}

#[test]
fn patterns_start_at_the_first_wildcard() {
    for (text, fixed, pattern) in [
        ("/a/b*/c.csv", "file/a", "b*/c.csv"),
        ("*.csv", "file/srv/[data]", "*.csv"),
        ("s3://b/*.csv", "s3/b", "*.csv"),
        ("s3://b/a/[0-9]/x%20*", "s3/b/a", "[0-9]/x *"),
    ] {
        let location = parsed(text).unwrap();
        assert_eq!(
            (location.path.as_str(), location.pattern.as_deref()),
            (fixed, Some(pattern)),
            "{text}"
        );
    }
    assert_eq!(parsed("/a/b").unwrap().pattern, None);
    assert!(parsed("/a/b/").unwrap().folder);
}

#[test]
fn mounted_paths_are_shown_as_people_write_them() {
    for text in [
        "/a/b",
        "s3://b/k",
        "https://h:1/x",
        "az://c/x",
        "abfss://c@acc.dfs.core.windows.net/x",
    ] {
        assert_eq!(readable(&path(text)), text);
    }
    let odd = "file/a b/%41?#[x]";
    let decoded = percent_decode_str(&url_path(odd))
        .decode_utf8()
        .unwrap()
        .into_owned();
    assert_eq!(decoded, odd);
}
