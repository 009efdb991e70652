//! The 22 TPC-H queries: however their FROM lists are written, the plan costs the same and the rows are the same.

use super::*;
use crate::tpch::{Query, Silent, TpchOptions, generate};

const SHUFFLES: usize = 10;
/// How many of the shuffles of a query are also run.
const SHUFFLES_RUN: usize = 1;
const SCALE: f64 = 0.01;

/// A text with the lists of its FROM clauses in another order.
fn shuffled(sql: &str, random: &mut Random) -> String {
    let line = |line: &str| match line.trim_start().strip_prefix("from ") {
        Some(list) if list.contains(", ") => {
            let mut tables: Vec<&str> = list.split(", ").collect();
            random.shuffle(&mut tables);
            format!("from {}", tables.join(", "))
        }
        _ => line.to_owned(),
    };
    sql.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shuffled_from_lists_cost_and_answer_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("tables");
    generate(
        &TpchOptions {
            row_group_bytes: 1 << 20,
            ..TpchOptions::new(SCALE, &data)
        },
        &Silent,
    )
    .unwrap();
    let asked = Asked::of(&data).await;
    let mut random = Random::new(seed());
    let mut unequal = Vec::new();
    for query in Query::all() {
        let sql = query.sql(SCALE);
        asked.set(JoinOrder::Written);
        let expected = asked.rows(&sql).await;
        asked.set(JoinOrder::Cost);
        let plan = asked.plan(&sql).await;
        let cost = cost_of(&plan);
        assert_eq!(asked.run(&plan).await, expected, "Q{}", query.number());
        for shuffle in 0..SHUFFLES {
            let other_sql = shuffled(&sql, &mut random);
            if other_sql == sql {
                continue;
            }
            let other = asked.plan(&other_sql).await;
            let other_cost = cost_of(&other);
            if (other_cost - cost).abs() > 0.01 * cost {
                unequal.push(format!(
                    "Q{}: {cost:.0} {}\n    {other_cost:.0} {}",
                    query.number(),
                    described(&plan),
                    described(&other)
                ));
            }
            if shuffle < SHUFFLES_RUN {
                assert_eq!(asked.run(&other).await, expected, "{other_sql}");
            }
        }
    }
    assert!(unequal.is_empty(), "{}", unequal.join("\n"));
}
