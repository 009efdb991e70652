//! `warpflight selftest`.

use std::time::{Duration, Instant};

use super::{output, stderr, stdout, warpflight};

#[test]
fn selftest() {
    let selftest = |prefix: &str| {
        let mut command = warpflight();
        command.args(["selftest", "--device", "sim", "--seeds", "1", "--prefix", prefix]);
        output(&mut command)
    };
    let printed = stdout(&selftest("device/"));
    assert!(printed.ends_with("4 of 4 checks passed\n"), "{printed}");
    let printed = stdout(&selftest("sql/limits"));
    assert!(printed.contains("queries ran wholly on the device"), "{printed}");
    assert!(printed.ends_with("3 of 3 checks passed\n"), "{printed}");
    let printed = stdout(&selftest("tpch/q06"));
    assert!(
        printed.contains("1 of 1 queries ran wholly on the device"),
        "{printed}"
    );
    let unknown = selftest("no such check");
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
}

/// The seed is fixed, so that a failure is met again; `warpflight selftest --random N --seed S` tries others.
#[test]
fn random_statements() {
    let mut command = warpflight();
    command.args(["selftest", "--device", "sim", "--random", "300", "--seed", "1"]);
    let run = output(&mut command);
    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{printed}{}", stderr(&run));
    assert!(
        printed.contains("random statements: --random 300 --seed 1"),
        "{printed}"
    );
    assert!(printed.ends_with("300 of 300 checks passed\n"), "{printed}");
}

/// Which job runs a statement changes nothing of what it is, nor of what is said in the end.
#[test]
fn jobs_side_by_side() {
    let printed = |jobs: &str| {
        let mut command = warpflight();
        command.args([
            "selftest", "--device", "sim", "--random", "12", "--seed", "5", "--jobs", jobs,
        ]);
        stdout(&output(&mut command))
    };
    let (one, three) = (printed("1"), printed("3"));
    assert!(one.ends_with("12 of 12 checks passed\n"), "{one}");
    // Except for what ran again alone, of which one job has nothing to say.
    let others = |line: &&str| !line.contains("ran again alone");
    let three: Vec<&str> = three.lines().filter(others).collect();
    assert_eq!(one.lines().collect::<Vec<_>>(), three);
}

#[test]
fn no_more_checks_when_time_is_up() {
    let mut command = warpflight();
    command.args(["selftest", "--device", "sim", "--random", "100000"]);
    command.args(["--seed", "5", "--seconds", "2", "--jobs", "2"]);
    let begun = Instant::now();
    let printed = stdout(&output(&mut command));
    let wall = begun.elapsed();
    assert!(wall < Duration::from_secs(60), "{wall:?}");
    let lines: Vec<&str> = printed.lines().rev().take(2).collect();
    let [last, before] = lines[..] else {
        panic!("{printed}")
    };
    let ran: u64 = before
        .strip_suffix(" of 100000 checks were begun within 2 s")
        .and_then(|ran| ran.parse().ok())
        .unwrap_or_else(|| panic!("{printed}"));
    assert!((1..100_000).contains(&ran), "{printed}");
    assert_eq!(last, format!("{ran} of {ran} checks passed"));
    let none = output(warpflight().args(["selftest", "--device", "sim", "--jobs", "0"]));
    assert_eq!(none.status.code(), Some(2), "{}", stderr(&none));
}
