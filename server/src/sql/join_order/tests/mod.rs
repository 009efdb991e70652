//! Orders of joins through a session's context: what is chosen, and that the rows stay the same.

#![allow(clippy::print_stdout)]

mod estimates;
mod plans;
mod random;
mod report;
mod tpch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;

use super::graph::Graph;
use super::region::Region;
use super::tree::Tree;
use super::{cost, rebuild};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::config::sections::JoinOrder;
use crate::exec::Gpus;
use crate::security::rights::Rights;
use crate::session::context::{Base, apply_engine, of_session};

/// A session over a folder of Parquet files, on the CPU.
pub struct Asked {
    config: Config,
    context: SessionContext,
}

impl Asked {
    pub async fn of(folder: &Path) -> Self {
        let mut config = Config::default();
        config.data.data = vec![folder.to_str().unwrap().to_owned()];
        config.engine.cpu_partitions = 2;
        let catalog = Catalog::open(&config, &BTreeMap::new()).await.unwrap();
        let runtime = catalog.configure(RuntimeEnvBuilder::new()).build_arc().unwrap();
        catalog.attach(Arc::clone(&runtime));
        let base = Base {
            catalog,
            runtime,
            gpus: Gpus::new(&config.gpu, None),
            rules: Vec::new(),
        };
        let context = of_session(&config, &base, &Arc::new(Rights::anonymous()), "test").unwrap();
        Self { config, context }
    }

    pub fn set(&self, order: JoinOrder) {
        let mut engine = self.config.engine.clone();
        engine.join_order = order;
        apply_engine(&self.context, &self.config, &engine);
    }

    /// The optimised plan.
    pub async fn plan(&self, sql: &str) -> LogicalPlan {
        let state = self.context.state();
        let plan = state
            .create_logical_plan(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        state
            .optimize(&plan)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn batches(&self, plan: &LogicalPlan) -> Vec<RecordBatch> {
        let state = self.context.state();
        let physical = state
            .query_planner()
            .create_physical_plan(plan, &state)
            .await
            .unwrap();
        collect(physical, self.context.task_ctx()).await.unwrap()
    }

    /// How many rows a plan that is optimised has.
    pub async fn count(&self, plan: &LogicalPlan) -> usize {
        self.batches(plan).await.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows of a plan that is optimised, as sorted lines.
    pub async fn run(&self, plan: &LogicalPlan) -> Vec<String> {
        let batches = self.batches(plan).await;
        let table = pretty_format_batches(&batches).unwrap().to_string();
        let mut rows: Vec<String> = table
            .lines()
            .filter(|line| line.starts_with('|'))
            .skip(1)
            .map(str::to_owned)
            .collect();
        rows.sort();
        rows
    }

    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let plan = self.plan(sql).await;
        self.run(&plan).await
    }
}

/// The regions of a plan, from the root down, each with its order.
pub fn regions(plan: &LogicalPlan, found: &mut Vec<(Graph, Tree)>) {
    let below: Vec<LogicalPlan> = match Region::of(plan, None).and_then(Graph::of) {
        Some(graph) => {
            let tree = graph.region.written.clone();
            let plans = graph
                .region
                .relations
                .iter()
                .map(|relation| relation.plan.clone())
                .collect();
            found.push((graph, tree));
            plans
        }
        None => plan.inputs().into_iter().cloned().collect(),
    };
    for plan in below {
        regions(&plan, found);
    }
    plan.apply_subqueries(|subquery| {
        regions(subquery, found);
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })
    .unwrap();
}

/// The estimated cost of all joins of a plan.
pub fn cost_of(plan: &LogicalPlan) -> f64 {
    let mut found = Vec::new();
    regions(plan, &mut found);
    found.iter().map(|(graph, tree)| cost::of_tree(graph, tree)).sum()
}

pub fn described(plan: &LogicalPlan) -> String {
    let mut found = Vec::new();
    regions(plan, &mut found);
    let trees: Vec<String> = found
        .iter()
        .map(|(graph, tree)| rebuild::describe(graph, tree))
        .collect();
    trees.join(" ; ")
}

/// A generator of numbers that a seed decides (xorshift64*).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// The seed of this run: that of `WARPFLIGHT_TEST_SEED`, else the time.
pub fn seed() -> u64 {
    let seed = std::env::var("WARPFLIGHT_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(1, |now| now.as_nanos() as u64)
    });
    println!("seed {seed}: WARPFLIGHT_TEST_SEED={seed} repeats this run");
    seed
}
