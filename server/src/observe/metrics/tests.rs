use super::*;

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new("1.2.3").unwrap())
}

/// The value of one line.
fn value(metrics: &Metrics, series: &str) -> f64 {
    let text = metrics.render().unwrap();
    let line = text.lines().find(|line| {
        line.strip_prefix(series)
            .is_some_and(|rest| rest.starts_with(' '))
    });
    let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_query_is_counted_from_start_to_end() {
    let metrics = metrics();
    let mut meter = metrics.query_started(StatementKind::Query);
    meter.planned(Duration::from_millis(3));
    meter.waited(Duration::from_millis(1));
    meter.sent(10, 100);
    meter.sent(5, 50);
    meter.finished(Ok(()));
    assert_eq!(
        value(&metrics, "warpflight_queries_started_total{kind=\"query\"}"),
        1.0
    );
    assert_eq!(
        value(
            &metrics,
            "warpflight_queries_finished_total{kind=\"query\",outcome=\"ok\"}"
        ),
        1.0
    );
    assert_eq!(value(&metrics, "warpflight_result_rows_total"), 15.0);
    assert_eq!(value(&metrics, "warpflight_result_bytes_total"), 150.0);
    for (series, count) in [
        ("warpflight_query_planning_seconds_bucket{le=\"0.0025\"}", 0.0),
        ("warpflight_query_planning_seconds_bucket{le=\"0.005\"}", 1.0),
        ("warpflight_query_queue_wait_seconds_count", 1.0),
        ("warpflight_query_first_batch_seconds_count", 1.0),
        ("warpflight_query_duration_seconds_count", 1.0),
    ] {
        assert_eq!(value(&metrics, series), count, "{series}");
    }
}

#[test]
fn a_query_that_just_goes_is_cancelled() {
    let metrics = metrics();
    drop(metrics.query_started(StatementKind::Ddl));
    metrics
        .query_started(StatementKind::Ddl)
        .finished(Err(Kind::Timeout));
    let finished = |outcome: &str| {
        value(
            &metrics,
            &format!("warpflight_queries_finished_total{{kind=\"ddl\",outcome=\"{outcome}\"}}"),
        )
    };
    assert_eq!(
        (finished("ok"), finished("cancelled"), finished("timeout")),
        (0.0, 1.0, 1.0)
    );
}

#[test]
fn totals_are_asked_for_at_each_scrape() {
    let metrics = metrics();
    let asked = std::sync::atomic::AtomicU64::new(0);
    metrics.set_totals_source(move || Totals {
        sessions: 7,
        memory_limit_bytes: u64::MAX,
        store: StoreTotals {
            requests: asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1,
            ..StoreTotals::default()
        },
        ..Totals::default()
    });
    assert_eq!(value(&metrics, "warpflight_sessions"), 7.0);
    assert_eq!(value(&metrics, "warpflight_store_requests_total"), 2.0);
    assert_eq!(value(&metrics, "warpflight_memory_limit_bytes"), i64::MAX as f64);
    assert!(value(&metrics, "warpflight_resident_memory_bytes") > 1e6);
    assert_eq!(value(&metrics, "warpflight_build_info{version=\"1.2.3\"}"), 1.0);
}

/// Prometheus' naming rules, and no label beyond those that have few values.
#[test]
fn names_and_labels_keep_the_rules() {
    let metrics = metrics();
    metrics.set_totals_source(Totals::default);
    for kind in StatementKind::ALL {
        metrics.query_started(kind).finished(Ok(()));
    }
    let text = metrics.render().unwrap();
    let mut types = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(name.starts_with("warpflight_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{name}");
        types += 1;
    }
    assert!(types >= 24, "{types}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, labels)) = line.split_once('{') else {
            continue;
        };
        for label in labels.split('}').next().unwrap().split(',') {
            let name = label.split('=').next().unwrap();
            assert!(["kind", "outcome", "version", "le"].contains(&name), "{line}");
        }
    }
}
