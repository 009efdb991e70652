//! Random joins, chains, stars, cycles and any graph, of few and of many tables: the rows are those of the written order.

use std::fs::File;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use parquet::arrow::ArrowWriter;

use super::*;

const TABLES: usize = 15;
const KEYS: usize = 4;
const GRAPHS: usize = 24;
/// Other orders that a chosen one is compared with.
const TREES: usize = 50;

/// Relations up to which keys may be there twice on both sides of a join: of more, rows could grow without end.
const FEW: usize = 6;
/// Relations up to which FROM names them in any order.
const SHUFFLED: usize = 4;

/// Tables `t0` and so on, each with keys `k0` to `k3`, some null, others twice, a key `u` that is there once, and its own
/// number in `v`.
fn tables(folder: &Path, random: &mut Random) {
    for table in 0..TABLES {
        let rows = 5 + random.below(40);
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for key in 0..KEYS {
            let values = (0..rows).map(|row| match random.below(10) {
                0 => None,
                1..4 => Some(random.below(rows) as i64),
                _ => Some(row as i64),
            });
            columns.push((
                format!("k{key}"),
                Arc::new(Int64Array::from_iter(values.collect::<Vec<_>>())),
            ));
        }
        columns.push(("u".into(), Arc::new(Int64Array::from_iter_values(0..rows as i64))));
        columns.push((
            "v".into(),
            Arc::new(Int64Array::from_iter_values(
                (0..rows).map(|row| (100 * table + row) as i64),
            )),
        ));
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        )
        .unwrap();
        let file = File::create(folder.join(format!("t{table}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
}

/// The edges of a graph over so many relations.
fn edges(count: usize, random: &mut Random) -> Vec<(usize, usize)> {
    let mut edges: Vec<(usize, usize)> = match random.below(4) {
        0 => (1..count).map(|table| (table - 1, table)).collect(),
        1 => (1..count).map(|table| (0, table)).collect(),
        2 => (0..count).map(|table| (table, (table + 1) % count)).collect(),
        _ => (1..count).map(|table| (random.below(table), table)).collect(),
    };
    for _ in 0..random.below(3) {
        edges.push((random.below(count), random.below(count)));
    }
    edges.retain(|(one, other)| one != other);
    edges
}

fn query(random: &mut Random) -> String {
    let count = match random.below(4) {
        0 => 13 + random.below(2),
        _ => 2 + random.below(FEW - 1),
    };
    let mut tables: Vec<usize> = (0..TABLES).collect();
    random.shuffle(&mut tables);
    let aliases: Vec<String> = (0..count).map(|relation| format!("r{relation}")).collect();
    let mut from: Vec<String> = (0..count)
        .map(|relation| format!("t{} r{relation}", tables[relation]))
        .collect();
    let mut conditions: Vec<String> = edges(count, random)
        .into_iter()
        .map(|(one, other)| {
            let key = random.below(KEYS);
            match count <= FEW {
                true => format!("r{one}.k{key} = r{other}.k{}", random.below(KEYS)),
                false => format!("r{one}.k{key} = r{other}.u"),
            }
        })
        .collect();
    // Disconnected now and then, with few rows crossed.
    if count < 5 && random.below(4) == 0 {
        conditions.pop();
    }
    for alias in &aliases {
        match random.below(9) {
            0 => conditions.push(format!("{alias}.k1 < {}", 3 + random.below(30))),
            1 => conditions.push(format!("{alias}.k2 <> {}.k3", aliases[random.below(count)])),
            2 => conditions.push(format!(
                "({alias}.k0 = 3 or {}.k1 < 10)",
                aliases[random.below(count)]
            )),
            3 => conditions.push(format!(
                "{} exists (select 1 from t{} s where s.k1 = {alias}.k2 and s.k0 <> {}.k3)",
                ["", "not"][random.below(2)],
                random.below(TABLES),
                aliases[random.below(count)]
            )),
            4 => conditions.push(format!(
                "{alias}.k3 {} in (select k0 from t{} where k0 is not null and v % 3 = 0)",
                ["", "not"][random.below(2)],
                random.below(TABLES)
            )),
            _ => {}
        }
    }
    // DataFusion crosses tables that stand before the one that joins them: the written order is to end, too.
    if count <= SHUFFLED {
        random.shuffle(&mut from);
    }
    let shown: Vec<String> = aliases
        .iter()
        .filter(|_| random.below(3) > 0)
        .map(|alias| format!("{alias}.v"))
        .collect();
    let select = if shown.is_empty() {
        "count(*)".into()
    } else {
        shown.join(", ")
    };
    let conditions = if conditions.is_empty() {
        "true".into()
    } else {
        conditions.join(" and ")
    };
    let mut sql = format!("select {select} from {} where {conditions}", from.join(", "));
    if random.below(4) == 0 && !shown.is_empty() {
        // The region as a derived table below an outer join.
        let renamed = shown
            .iter()
            .enumerate()
            .map(|(index, column)| format!("{column} as c{index}"));
        let renamed: Vec<String> = renamed.collect();
        sql = sql.replacen(&select, &renamed.join(", "), 1);
        let kind = ["left", "right", "full", "inner"][random.below(4)];
        sql = format!(
            "select * from ({sql}) d {kind} join t{} o on d.c0 % 100 = o.k1",
            random.below(TABLES)
        );
    }
    sql
}

/// Some order without cross products, if there is one that chance finds.
fn any_tree(graph: &Graph, random: &mut Random) -> Option<Tree> {
    let mut parts: Vec<Tree> = (0..graph.region.relations.len()).map(Tree::Relation).collect();
    while parts.len() > 1 {
        let mut pairs = Vec::new();
        for one in 0..parts.len() {
            let others = (0..parts.len()).filter(|other| *other != one);
            pairs.extend(
                others
                    .filter(|other| graph.connects(parts[one].set(), parts[*other].set()))
                    .map(|other| (one, other)),
            );
        }
        if pairs.is_empty() {
            return None;
        }
        let (build, probe) = pairs[random.below(pairs.len())];
        let tree = Tree::join(parts[build].clone(), parts[probe].clone());
        parts.swap_remove(build.max(probe));
        parts.swap_remove(build.min(probe));
        parts.push(tree);
    }
    parts.pop()
}

/// No order that chance finds costs less than the one that was chosen out of all.
fn assert_best(plan: &LogicalPlan, random: &mut Random) {
    let mut found = Vec::new();
    regions(plan, &mut found);
    for (graph, tree) in found {
        if graph.region.relations.len() > super::super::search::EXACT_MAX {
            continue;
        }
        let chosen = cost::of_tree(&graph, &tree);
        for _ in 0..TREES {
            if let Some(other) = any_tree(&graph, random) {
                let cost = cost::of_tree(&graph, &other);
                assert!(
                    cost >= 0.98 * chosen,
                    "{chosen} {}\n{cost} {}",
                    rebuild::describe(&graph, &tree),
                    rebuild::describe(&graph, &other)
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_graphs_answer_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed());
    tables(folder.path(), &mut random);
    let asked = Asked::of(folder.path()).await;
    let mut changed = 0;
    for _ in 0..GRAPHS {
        let sql = query(&mut random);
        asked.set(JoinOrder::Written);
        let written = asked.plan(&sql).await;
        asked.set(JoinOrder::Cost);
        let ordered = asked.plan(&sql).await;
        changed += usize::from(written != ordered);
        assert_eq!(written.schema().columns(), ordered.schema().columns(), "{sql}");
        assert_best(&ordered, &mut random);
        let expected = asked.run(&written).await;
        assert_eq!(
            asked.run(&ordered).await,
            expected,
            "{sql}\n{}",
            ordered.display_indent()
        );
    }
    assert!(
        changed > GRAPHS / 3,
        "only {changed} of {GRAPHS} plans were changed"
    );
}
