use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::*;

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let shutdown = Shutdown::new(Duration::from_secs(60));
    tokio::spawn(shutdown.clone().run());
    assert!(!shutdown.draining());
    shutdown.start_drain();
    let started = Instant::now();
    shutdown.stopped().await;
    assert!(started.elapsed() < ms(100), "{:?}", started.elapsed());
    shutdown.cut_token().cancelled().await;
}

#[tokio::test]
async fn running_work_finishes_and_new_work_is_refused() {
    let shutdown = Shutdown::new(Duration::from_secs(60));
    tokio::spawn(shutdown.clone().run());
    let work = shutdown.enter().unwrap();
    shutdown.start_drain();
    shutdown.drain_started().await;
    assert!(shutdown.enter().is_none());
    assert_eq!(
        shutdown.admit().unwrap_err().kind(),
        crate::error::Kind::Unavailable
    );
    let early = tokio::time::timeout(ms(200), shutdown.stopped()).await;
    assert!(early.is_err(), "stopped with work running");
    assert!(
        !shutdown.cancel_token().is_cancelled(),
        "cancelled within the drain"
    );
    drop(work);
    tokio::time::timeout(ms(200), shutdown.stopped()).await.unwrap();
}

#[tokio::test]
async fn work_past_the_deadline_is_cancelled() {
    let shutdown = Shutdown::new(ms(100));
    tokio::spawn(shutdown.clone().run());
    let work = shutdown.enter().unwrap();
    let query = shutdown.cancel_token().child_token();
    tokio::spawn(async move {
        query.cancelled().await;
        drop(work);
    });
    let started = Instant::now();
    shutdown.start_drain();
    shutdown.stopped().await;
    assert!(
        (ms(100)..ms(500)).contains(&started.elapsed()),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn work_that_ignores_its_cancellation_is_abandoned() {
    let shutdown = Shutdown::new(ms(10));
    tokio::spawn(shutdown.clone().run());
    let _work = shutdown.enter().unwrap();
    shutdown.start_drain();
    tokio::time::timeout(CANCEL_GRACE + ms(500), shutdown.stopped())
        .await
        .unwrap();
}

/// The child process of the tests below: work that never ends.
#[tokio::test]
#[ignore = "run as a child process by the tests of signals"]
#[allow(clippy::print_stdout)]
async fn child_with_endless_work() {
    let shutdown = Shutdown::new(Duration::from_secs(60));
    shutdown.on_signals().unwrap();
    tokio::spawn(shutdown.clone().run());
    let _work = shutdown.enter().unwrap();
    println!("child is ready");
    shutdown.drain_started().await;
    println!("child drains");
    shutdown.stopped().await;
}

fn send(signal: &str, pid: u32) {
    let status = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_second_signal_ends_the_process_with_130() {
    for (first, second) in [("-INT", "-INT"), ("-TERM", "-INT")] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "observe::shutdown::tests::child_with_endless_work",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        assert!(lines.any(|line| line.contains("child is ready")));
        send(first, child.id());
        assert!(lines.any(|line| line.contains("child drains")));
        let started = Instant::now();
        send(second, child.id());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
    }
}
