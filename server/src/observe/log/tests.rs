use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::*;

/// The lines that a piece of code logs.
fn logged(format: LogFormat, filter_text: &str, code: impl FnOnce()) -> Vec<String> {
    let text = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&text);
    let lines = Lines {
        format,
        write: move |line: &[u8]| sink.lock().unwrap().extend_from_slice(line),
    };
    let subscriber = Registry::default().with(filter(filter_text).unwrap()).with(lines);
    tracing::subscriber::with_default(subscriber, code);
    let text = String::from_utf8(text.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn objects(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn each_line_of_a_query_carries_its_fields_flat() {
    let lines = logged(LogFormat::Json, "info", || {
        let query = tracing::info_span!(
            "query",
            query_id = "q1",
            session = 7,
            user = tracing::field::Empty
        );
        let _in_query = query.enter();
        query.record("user", "ana");
        tracing::info!("planned");
        let _in_scan = tracing::info_span!("scan", table = "t").entered();
        tracing::warn!(rows = 5_u64, ratio = 0.5, cold = true, "read");
    });
    let lines = objects(&lines);
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(
            (&line["query_id"], &line["session"], &line["user"]),
            (&"q1".into(), &7.into(), &"ana".into())
        );
    }
    assert_eq!(lines[0]["message"], "planned");
    let read = &lines[1];
    assert_eq!(
        (&read["level"], &read["table"], &read["rows"]),
        (&"WARN".into(), &"t".into(), &5.into())
    );
    assert_eq!((&read["ratio"], &read["cold"]), (&0.5.into(), &true.into()));
    assert!(read["target"].as_str().unwrap().starts_with("warpflight::"));
    assert!(DateTimeText(&read["timestamp"]).is_utc());
}

struct DateTimeText<'a>(&'a Value);

impl DateTimeText<'_> {
    fn is_utc(&self) -> bool {
        let text = self.0.as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(text).is_ok() && text.ends_with('Z')
    }
}

#[test]
fn text_lines_cannot_be_forged() {
    let lines = logged(LogFormat::Text, "info", || {
        let _span = tracing::info_span!("query", query_id = "q1").entered();
        tracing::info!(
            statement = "select 1\n2026-01-01 ERROR forged \x1b[31m",
            "ran\nINFO twice"
        );
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert!(
        line.contains(" INFO warpflight::observe::log::tests: ran\\nINFO twice query_id=q1 statement=\""),
        "{line}"
    );
    assert!(!line.contains('\x1b'));
}

#[test]
fn secrets_are_hidden_by_name() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let lines = logged(format, "info", || {
            let _span = tracing::info_span!("login", user = "ana", session_token = "s3cr3t").entered();
            tracing::info!(password = "s3cr3t", Authorization = ?"Bearer s3cr3t", aws_secret_access_key = "s3cr3t", "in");
        });
        assert!(
            lines[0].contains("ana") && lines[0].contains("[hidden]"),
            "{lines:?}"
        );
        assert!(!lines[0].contains("s3cr3t"), "{lines:?}");
    }
}

#[test]
fn own_fields_do_not_hide_the_line_s() {
    let lines = logged(LogFormat::Json, "info", || {
        tracing::info!(level = "x", target = 1, "m")
    });
    let line = &objects(&lines)[0];
    assert_eq!(
        (&line["level"], &line["field.level"]),
        (&"INFO".into(), &"x".into())
    );
}

#[test]
fn lines_through_the_log_crate_have_their_own_target() {
    let lines = logged(LogFormat::Json, "info", || {
        tracing::info!(target: "log", { log.target = "datafusion::x", log.line = 3 }, "planned");
    });
    let line = &objects(&lines)[0];
    assert_eq!(
        (&line["target"], line.get("log.line")),
        (&"datafusion::x".into(), None)
    );
}

#[test]
fn filters() {
    let both = || {
        tracing::debug!("ours");
        tracing::debug!(target: "h2::codec", "theirs");
    };
    assert_eq!(logged(LogFormat::Text, "info", both).len(), 0);
    assert_eq!(
        logged(LogFormat::Text, "debug", both).len(),
        1,
        "a library that is noisy at debug"
    );
    assert_eq!(logged(LogFormat::Text, "debug,h2=debug", both).len(), 2);
    assert_eq!(logged(LogFormat::Text, "off,warpflight=debug", both).len(), 1);
    for wrong in ["verbose", "info,warpflight=loud", "=debug", "info,,debug", ""] {
        let message = filter(wrong).unwrap_err().to_string();
        assert!(
            message.starts_with("option log: found ") && message.contains("target=level"),
            "{wrong}: {message}"
        );
    }
    filter("warn,warpflight[query{user=ana}]=trace").unwrap();
}
