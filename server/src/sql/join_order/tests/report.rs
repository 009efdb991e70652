//! Not a test: what the TPC-H queries are estimated at, beside the rows that there are. It reads the folder and the
//! scale of `WARPFLIGHT_TPCH` (`0.1 /path/to/tables`).

use super::super::rebuild::subtree;
use super::*;
use crate::tpch::Query;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a report, which takes minutes"]
async fn estimates_beside_true_rows() {
    let given = std::env::var("WARPFLIGHT_TPCH").expect("WARPFLIGHT_TPCH");
    let (scale, folder) = given.split_once(' ').expect("a scale and a folder");
    let asked = Asked::of(Path::new(folder)).await;
    let only: Option<usize> = std::env::var("WARPFLIGHT_QUERY")
        .ok()
        .and_then(|text| text.parse().ok());
    for query in Query::all().filter(|query| only.is_none_or(|only| only == query.number())) {
        let plan = asked.plan(&query.sql(scale.parse().unwrap())).await;
        if only.is_some() {
            println!("{}", plan.display_indent());
        }
        let mut found = Vec::new();
        regions(&plan, &mut found);
        println!("Q{} cost {:.0}", query.number(), cost_of(&plan));
        for (graph, tree) in found {
            println!("    {}", with_rows(&asked, &graph, &tree).await.0);
        }
    }
}

/// The tree with estimated and true rows at each part, and its own true rows.
async fn with_rows(asked: &Asked, graph: &Graph, tree: &Tree) -> (String, f64) {
    let plans: Vec<LogicalPlan> = graph
        .region
        .relations
        .iter()
        .map(|relation| relation.plan.clone())
        .collect();
    let plan = subtree(graph, tree, &plans).unwrap();
    let rows = asked.count(&plan).await as f64;
    let estimated = graph.rows(tree.set());
    let factor = (estimated.max(1.0) / rows.max(1.0)).max(rows.max(1.0) / estimated.max(1.0));
    let mark = if factor > 20.0 { "!!" } else { "" };
    let text = match tree {
        Tree::Relation(_) => rebuild::describe(graph, tree)
            .split(':')
            .next()
            .unwrap()
            .to_owned(),
        Tree::Join(build, probe) => {
            let (one, _) = Box::pin(with_rows(asked, graph, build)).await;
            let (other, _) = Box::pin(with_rows(asked, graph, probe)).await;
            format!("({one} ⋈ {other})")
        }
    };
    (format!("{text} {estimated:.0}/{rows:.0}{mark}"), rows)
}
