//! What the rule does to single plans, and what it leaves alone.

use std::fs::{self, File};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::physical_plan::displayable;
use parquet::arrow::ArrowWriter;

use super::*;

/// Tables of 20, 1000 and 30000 rows, each with a unique `k`, a `g` of ten values and a `v`.
async fn three() -> (tempfile::TempDir, Asked) {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in [("small", 20), ("middle", 1000), ("large", 30_000)] {
        let column =
            |of: fn(i64) -> i64| Arc::new(Int64Array::from_iter_values((0..rows).map(of))) as ArrayRef;
        let columns = [
            ("k", column(|row| row)),
            ("g", column(|row| row % 10)),
            ("v", column(|row| row * 7)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(folder.path().join(format!("{name}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
    fs::write(folder.path().join("unknown.jsonl"), "{\"k\": 1}\n{\"k\": 2}\n").unwrap();
    let asked = Asked::of(folder.path()).await;
    (folder, asked)
}

async fn text(asked: &Asked, sql: &str) -> String {
    asked.plan(sql).await.display_indent().to_string()
}

/// The plan's lines from the first join on: its left input's scan comes before its right one's.
fn scans(plan: &str) -> Vec<&str> {
    let scans = plan
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("TableScan: "));
    scans.map(|scan| scan.split(' ').next().unwrap()).collect()
}

#[tokio::test]
async fn the_smaller_side_is_built() {
    let (_folder, asked) = three().await;
    for from in ["large, small", "small, large"] {
        let plan = text(
            &asked,
            &format!("select large.v from {from} where large.k = small.k"),
        )
        .await;
        assert_eq!(scans(&plan), ["small", "large"], "{plan}");
    }
    for (condition, kind) in [("exists", "RightSemi"), ("not exists", "RightAnti")] {
        let sql =
            format!("select v from large where {condition} (select 1 from small where small.k = large.k)");
        let plan = text(&asked, &sql).await;
        assert!(plan.contains(kind), "{plan}");
        assert_eq!(scans(&plan), ["small", "large"], "{plan}");
        let sql =
            format!("select v from small where {condition} (select 1 from large where small.k = large.k)");
        let plan = text(&asked, &sql).await;
        assert!(plan.contains(&kind.replace("Right", "Left")), "{plan}");
        assert_eq!(scans(&plan), ["small", "large"], "{plan}");
    }
    for (kind, exchanged) in [("left", "Right Join"), ("full", "Full Join")] {
        let sql = format!("select large.v, small.v from large {kind} join small on large.k = small.k");
        let plan = text(&asked, &sql).await;
        assert!(plan.contains(exchanged), "{plan}");
        assert_eq!(scans(&plan), ["small", "large"], "{plan}");
    }
}

#[tokio::test]
async fn the_physical_plan_keeps_the_sides() {
    let (_folder, asked) = three().await;
    // DataFusion estimates that no row is left of `large`; what is built is still the side chosen here.
    let sql = "select large.v from large, middle, small where large.k = middle.k and middle.k = small.k and large.v > 5";
    let plan = asked.plan(sql).await;
    let state = asked.context.state();
    let physical = state
        .query_planner()
        .create_physical_plan(&plan, &state)
        .await
        .unwrap();
    let physical = displayable(physical.as_ref()).indent(false).to_string();
    let order = |text: &str| {
        let mut places: Vec<(usize, &str)> = ["small", "middle", "large"]
            .into_iter()
            .map(|name| (text.find(&format!("{name}.parquet")).unwrap_or(text.len()), name))
            .collect();
        places.sort_unstable();
        places.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    assert_eq!(
        order(&physical),
        scans(&plan.display_indent().to_string()),
        "{physical}"
    );
}

#[tokio::test]
async fn keys_equal_to_the_same_are_equal() {
    let (_folder, asked) = three().await;
    let sql = "select small.v from small, large, middle where small.k = large.k and large.k = middle.k";
    let plan = text(&asked, sql).await;
    assert!(plan.contains("small.k = middle.k"), "{plan}");
    // And a constant for one is one for all.
    let plan = text(&asked, &format!("{sql} and small.k = 5")).await;
    for table in ["small", "middle", "large"] {
        assert!(plan.contains(&format!("{table}.k = Int64(5)")), "{plan}");
    }
}

#[tokio::test]
async fn regions_end_where_order_matters() {
    let (_folder, asked) = three().await;
    let limited = "select l.v from (select * from large order by v limit 10) l, middle, small \
                   where l.k = middle.k and middle.k = small.k";
    let plan = text(&asked, limited).await;
    let limit = plan.lines().position(|line| line.contains("fetch=10")).unwrap();
    assert!(
        plan.lines()
            .skip(limit)
            .any(|line| line.contains("TableScan: large")),
        "{plan}"
    );
    assert_eq!(asked.rows(limited).await.len(), 10);
    let outer = "select small.v, m.v from small left join (select middle.k, middle.v from large, middle \
                 where large.k = middle.k) m on small.k = m.k";
    let plan = text(&asked, outer).await;
    assert!(plan.contains("Left Join: small.k = m.k"), "{plan}");
    assert!(plan.contains("Inner Join: middle.k = large.k"), "{plan}");
    let volatile = "select * from (select small.k, random() as r from small, large where small.k = large.k) s, middle \
                    where s.k = middle.k and s.r < 2";
    assert_eq!(asked.rows(volatile).await.len(), 20);
}

#[tokio::test]
async fn without_statistics_the_order_is_the_written_one() {
    let (_folder, asked) = three().await;
    let sql = "select large.v from large, unknown, small where large.k = unknown.k and unknown.k = small.k";
    let by_cost = text(&asked, sql).await;
    asked.set(JoinOrder::Written);
    assert_eq!(by_cost, text(&asked, sql).await);
}

#[tokio::test]
async fn names_that_are_met_twice_stay_apart() {
    let (_folder, asked) = three().await;
    let sql = "select a.k, b.k, c.v from (select middle.k, middle.g from middle, small where middle.k = small.g) a, \
               (select middle.k, middle.g from middle, small where middle.g = small.k) b, large c \
               where a.k = b.k and b.g = c.k";
    let ordered = asked.rows(sql).await;
    asked.set(JoinOrder::Written);
    assert_eq!(ordered, asked.rows(sql).await);
    assert!(!ordered.is_empty());
}

#[tokio::test]
async fn a_second_pass_changes_nothing() {
    let (_folder, asked) = three().await;
    let sql =
        "select large.v, middle.g from large, middle, small where large.k = middle.k and middle.k = small.k";
    let once = asked.plan(sql).await;
    let twice = asked.context.state().optimize(&once).unwrap();
    assert_eq!(cost_of(&once), cost_of(&twice));
    assert_eq!(once.schema(), twice.schema());
}
