use std::os::unix::fs::symlink;

use super::*;
use crate::error::Kind;

fn roots(texts: &[&str]) -> Roots {
    let parse = |text: &&str| Location::parse(text, Path::new("/")).unwrap();
    Roots::new("data_roots", texts.iter().map(parse).collect()).unwrap()
}

fn allows(roots: &Roots, text: &str) -> bool {
    let path = Location::parse(text, Path::new("/")).unwrap().path;
    match roots.check(&path) {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), Kind::Denied);
            false
        }
    }
}

#[test]
fn below_means_segment_by_segment() {
    let roots = roots(&["s3://b/p", "https://h/data/", "gs://whole", "az://c@acc/x"]);
    for text in [
        "s3://b/p",
        "s3://b/p/x",
        "https://h/data/x",
        "gs://whole/x",
        "abfss://c@acc.dfs.core.windows.net/x/y",
    ] {
        assert!(allows(&roots, text), "{text}");
    }
    for text in [
        "s3://b/p2",
        "s3://B/p/x",
        "s3://b/P/x",
        "s3://b/p/../q",
        "s3://b",
        "gs://b/p/x",
        "gs://whole2/x",
        "https://h/data2/x",
        "http://h/data/x",
        "https://h:8443/data/x",
        "https://h.evil/data/x",
        "az://c@other/x/y",
        "/b/p/x",
    ] {
        assert!(!allows(&roots, text), "{text}");
    }
}

#[test]
fn no_roots_allow_nothing() {
    let error = roots(&[]).check("file/tmp/x").unwrap_err();
    assert!(
        error.message().contains("option data_roots names no folder"),
        "{error}"
    );
}

#[test]
fn a_root_is_no_pattern() {
    let location = Location::parse("/data/*", Path::new("/")).unwrap();
    assert!(Roots::new("data_roots", vec![location]).is_err());
}

#[test]
fn links_count_for_where_they_lead() {
    let kept = tempfile::tempdir().unwrap();
    let folder = kept.path().canonicalize().unwrap();
    let text = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    for name in ["real", "real/sub", "other"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("other/x"), "x").unwrap();
    symlink(folder.join("real"), folder.join("root")).unwrap();
    symlink(folder.join("other"), folder.join("real/out")).unwrap();
    symlink(folder.join("real/sub"), folder.join("real/in")).unwrap();
    symlink(folder.join("other/later"), folder.join("real/dangling")).unwrap();
    symlink("loop", folder.join("real/loop")).unwrap();

    let roots = roots(&[&text("root")]);
    for name in ["root", "root/sub", "real/sub", "root/in/x", "root/not/there/yet"] {
        assert!(allows(&roots, &text(name)), "{name}");
    }
    for name in [
        "root/out",
        "root/out/x",
        "root/out/not/there",
        "root/dangling",
        "root/loop",
        "other",
        "root2",
        "",
    ] {
        assert!(!allows(&roots, &text(name)), "{name}");
    }

    std::fs::write(folder.join("real/x"), "x").unwrap();
    assert!(roots.open(&folder.join("root/x")).is_ok());
    let error = roots.open(&folder.join("root/out/x")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("data_roots"), "{error}");
}

#[test]
fn only_regular_files_are_opened() {
    let kept = tempfile::tempdir().unwrap();
    let pipe = kept.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    // Would wait for a writer if it were opened as files are.
    assert_eq!(
        open_regular(&pipe, 0).unwrap_err().to_string(),
        "not a regular file"
    );
    let device = open_regular(Path::new("/dev/zero"), 0).unwrap_err();
    assert_eq!(device.to_string(), "not a regular file");
}
