//! Options by file, environment and flag: which one wins, and what is refused.

use std::fs;

use warpflight_tests::client::Client;
use warpflight_tests::server::Options;
use warpflight_tests::target::workspace_dir;

fn assert_refused(options: Options, words: &[&str]) {
    let refusal = options.refused();
    let status = refusal
        .status
        .unwrap_or_else(|| panic!("it neither started nor ended: {refusal:?}"));
    assert!(status.code().is_some_and(|code| code != 0), "{refusal:?}");
    for word in words {
        assert!(
            refusal.stderr.contains(word),
            "expected {word:?} in {}",
            refusal.stderr
        );
    }
}

#[test]
fn unknown_keys_are_refused() {
    assert_refused(
        Options::new().config("[limits]\nquery_timeoutt = \"1s\""),
        &["query_timeoutt"],
    );
    assert_refused(
        Options::new().config("[no_such_section]\nx = 1"),
        &["no_such_section"],
    );
    assert_refused(
        Options::new().config("[[table]]\nname = \"t\"\nlocation = \"x\"\nfromat = \"csv\""),
        &["fromat"],
    );
    assert_refused(
        Options::new().config("[[user]]\nname = \"u\"\npassword = \"x\""),
        &["password"],
    );
    assert_refused(
        Options::new().args(["--no-such-option", "1"]),
        &["--no-such-option"],
    );
    assert_refused(Options::new().config("not toml at all"), &["warpflight.toml"]);
}

#[test]
fn bad_values_are_refused() {
    let cases = [
        ("query_timeout", "soon", "limits"),
        ("memory_limit", "lots", "limits"),
        ("batch_rows", "-1", "engine"),
        ("device", "abacus", "engine"),
        ("http", "perhaps", "server"),
        ("http_listen", "here", "server"),
        ("log", "loud", "server"),
    ];
    for (name, value, section) in cases {
        let flag = format!("--{}", name.replace('_', "-"));
        assert_refused(Options::new().args([format!("{flag}={value}")]), &[name, value]);
        let variable = format!("WARPFLIGHT_{}", name.to_uppercase());
        if name != "http_listen" {
            assert_refused(Options::new().env(&variable, value), &[name, value]);
        }
        assert_refused(
            Options::new().config(&format!("[{section}]\n{name} = \"{value}\"")),
            &[name, value],
        );
    }
    assert_refused(
        Options::new().config("[limits]\nhandles_max = \"many\""),
        &["handles_max", "many"],
    );
    assert_refused(
        Options::new().config("[[user]]\nname = \"u\"\npassword_hash = \"plain\""),
        &["password_hash"],
    );
    assert_refused(
        Options::new().args(["--config", "/no/such/file.toml"]),
        &["/no/such/file.toml"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_wins_over_the_environment_over_the_file() {
    let options =
        || Options::new().config("[engine]\nbatch_rows = 100\ncpu_partitions = 3\n[limits]\nhandles_max = 7");
    let server = options()
        .env("WARPFLIGHT_BATCH_ROWS", "200")
        .env("WARPFLIGHT_CPU_PARTITIONS", "4");
    let server = server.args(["--batch-rows", "300"]).start();
    let mut client = Client::connect(&server).await;
    for (name, expected) in [
        ("batch_rows", "300"),
        ("cpu_partitions", "4"),
        ("handles_max", "7"),
    ] {
        let shown = client
            .rows(&format!("show {name}"))
            .await
            .expect("it can be shown");
        let value = warpflight_tests::client::column_text(shown.column(1).as_ref());
        assert_eq!(value, [expected], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_file_is_a_configuration() {
    let text = fs::read_to_string(workspace_dir().join("config/default.toml")).expect("it is there");
    let server = Options::new().config(&text).start();
    Client::assert_answers(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_http() {
    let server = Options::new().args(["--http", "false"]).start();
    Client::assert_answers(&server).await;
    assert!(!server.greeting().contains("http://"), "{}", server.greeting());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_by_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let year = |year: i32| folder.path().join(format!("sales/year={year}"));
    for (number, name) in [(2023, "a,1\n"), (2024, "b,2\nc,3\n")] {
        fs::create_dir_all(year(number)).expect("a folder can be made");
        fs::write(year(number).join("rows.csv"), format!("name,n\n{name}")).expect("a file can be written");
    }
    fs::write(folder.path().join("events.json"), "{\"a\": 1}\n{\"a\": 2}\n").expect("a file can be written");
    let root = folder.path().display();
    let server = Options::new()
        .config(&format!(
            "[[table]]\nname = \"sold\"\nlocation = \"{root}/sales/\"\nformat = \"csv\"\n\
             partition_columns = [\"year\"]\ncomment = \"by year\"\n\
             [[table]]\nname = \"events\"\nlocation = \"{root}/events.json\""
        ))
        .start();
    let mut client = Client::connect(&server).await;
    assert_eq!(
        client
            .value("select sum(n) from sold where year = '2024'")
            .await
            .expect("it is served"),
        "5"
    );
    assert_eq!(
        client
            .value("select count(distinct year) from sold")
            .await
            .expect("it is served"),
        "2"
    );
    assert_eq!(
        client
            .value("select sum(a) from events")
            .await
            .expect("it is served"),
        "3"
    );
}
