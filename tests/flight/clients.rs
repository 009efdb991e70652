//! Clients as people use them, in Python: each test is a function of `adbc.py` or `pyarrow_flight.py`.

use std::time::Duration;

use serde_json::{Value, json};
use warpflight_tests::certificates::Certificates;
use warpflight_tests::python::run_check;
use warpflight_tests::server::Server;

use crate::signing_in::with_users;
use crate::{shared_server, tpch_server};

fn setup(server: &Server) -> Value {
    json!({ "url": server.url(), "http": server.http_address() })
}

/// Checks that leave no trace run on the shared server, those that look at its counts on one of their own.
macro_rules! checks {
    ($script:literal, $server:expr, $module:ident: $($name:ident)*) => {
        mod $module {
            use super::*;
            $(#[test]
            fn $name() {
                let server = $server;
                run_check($script, stringify!($name), &setup(&server));
            })*
        }
    };
}

checks! { "flight/adbc.py", shared_server(), adbc:
    select_types select_tables empty_results text_survives parameters parameters_that_do_not_fit parameter_schema
    prepared_many_times executemany schema_before_execution session_tables served_tables_stay get_objects
    get_objects_filters get_info get_table_schema current_catalog_and_schema set_and_show session_options cookies
    many_clients wide_rows unsupported_is_said
}

checks! { "flight/adbc.py", tpch_server().start(), adbc_alone:
    streams_before_the_end hang_up_stops_the_query cancel_from_another_thread
}

checks! { "flight/pyarrow_flight.py", shared_server(), pyarrow:
    statement get_schema prepared update metadata_schemas sql_info xdbc_type_info tables actions_listed
    handshake_without_authentication paths_are_tables unsupported_is_said
}

#[test]
fn adbc_signs_in() {
    let server = with_users(tpch_server()).start();
    run_check("flight/adbc.py", "user_and_password", &setup(&server));
}

#[test]
fn pyarrow_signs_in() {
    let server = with_users(tpch_server()).start();
    run_check("flight/pyarrow_flight.py", "sign_in", &setup(&server));
}

#[test]
fn adbc_over_tls() {
    let certificates = Certificates::new();
    let server = tpch_server().args(certificates.server_args()).start();
    assert!(server.url().starts_with("grpc+tls://"), "{}", server.url());
    let setup = json!({ "url": server.url(), "ca": certificates.pem("ca.pem") });
    run_check("flight/adbc.py", "tls", &setup);
}

#[test]
fn adbc_over_mutual_tls() {
    let certificates = Certificates::new();
    let authority = certificates.path("ca.pem").display().to_string();
    let server = tpch_server()
        .args(certificates.server_args())
        .args(["--tls-client-ca", &authority])
        .start();
    let setup = json!({
        "url": server.url(),
        "ca": certificates.pem("ca.pem"),
        "certificate": certificates.pem("client.pem"),
        "key": certificates.pem("client.key"),
    });
    run_check("flight/adbc.py", "mutual_tls", &setup);
}

/// Every check of the scripts is a test here.
#[test]
fn no_check_is_left_out() {
    let tests = include_str!("clients.rs");
    for script in [include_str!("adbc.py"), include_str!("pyarrow_flight.py")] {
        for name in script
            .lines()
            .filter_map(|line| line.strip_prefix("def check_")?.split_once('('))
        {
            let mut words = tests.split(|c: char| !c.is_alphanumeric() && c != '_');
            assert!(words.any(|word| word == name.0), "check_{} is not a test", name.0);
        }
    }
}

/// The first start makes the sample; the snippets that it prints work when pasted into a shell.
#[test]
fn demo_and_its_snippets() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // Not made at scale 0.1 here, which takes a debug build too long: the sample is taken as it lies there.
    std::os::unix::fs::symlink(
        warpflight_tests::data::tpch(crate::SCALE),
        folder.path().join("warpflight-demo"),
    )
    .expect("a link can be made");
    let server = warpflight_tests::server::Options::new()
        .args(["--demo"])
        .current_dir(folder.path())
        .start();
    let greeting = server.greeting();
    let python = warpflight_tests::python::python_env();
    let mut snippets = 0;
    for line in greeting.lines().filter(|line| line.contains("nation")).skip(1) {
        let command = line
            .trim()
            .split_once("  ")
            .expect("a name stands before each snippet")
            .1
            .trim();
        let output = std::process::Command::new("sh")
            .args(["-c", &command.replace("python3", &python.display().to_string())])
            .output()
            .expect("sh can be started");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{command}\n{printed}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            printed.contains("ALGERIA") || printed.contains("n_name"),
            "{command}\n{printed}"
        );
        snippets += 1;
    }
    assert_eq!(snippets, 3, "{greeting}");
    assert!(
        server.wait_metric(
            "warpflight_queries_running",
            Duration::from_secs(2),
            |running| running == 0.0
        ) < Duration::from_secs(2)
    );
}
