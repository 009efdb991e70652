//! Plans of statements that come again.
//!
//! In: planned statements over served tables. Out: the same ones, for the same text under the same options, as long as the
//! session that asks finds the same tables with the same files; and the physical plans of those that the GPU runs
//! wholly. What may have another answer without a table having changed is not kept: `now()` is a constant in a plan.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::cache::lru_queue::LruQueue;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::reset_plan_states;

use crate::catalog::{ReadTables, SessionCatalogs};
use crate::config::sections::EngineOptions;
use crate::exec::GpuExec;
use crate::session::{Session, lock};
use crate::sql::{Kind, Statement};

/// The longest text whose plan is kept: longer ones are written by programs, which seldom write them twice.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// The most files that a kept plan may read. It has an entry for each.
const FILES_MAX: usize = 1024;

/// See the module.
pub struct Plans {
    most: usize,
    kept: Mutex<LruQueue<Key, Arc<Kept>>>,
    reused: AtomicU64,
}

/// What a plan is made from, but for tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    text: Arc<str>,
    engine: EngineOptions,
}

/// A statement with its plans.
#[derive(Debug)]
pub struct Kept {
    statement: Statement,
    engine: EngineOptions,
    tables: ReadTables,
    physical: OnceLock<Arc<dyn ExecutionPlan>>,
}

impl Plans {
    /// None yet, and never more than `most`.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            kept: Mutex::new(LruQueue::new()),
            reused: AtomicU64::new(0),
        }
    }

    /// How many are kept.
    pub fn count(&self) -> usize {
        lock(&self.kept).len()
    }

    /// How often a statement was not planned because its plan was kept.
    pub fn reused(&self) -> u64 {
        self.reused.load(Ordering::Relaxed)
    }

    /// What the plan of `text` is found by, as the session's options are now; none if it is not kept.
    pub fn key(&self, session: &Session, text: &str) -> Option<Key> {
        let may_be_kept = self.most > 0 && text.len() <= TEXT_BYTES_MAX && session.has_our_options_only();
        may_be_kept.then(|| Key {
            text: text.into(),
            engine: session.options().engine,
        })
    }

    /// The statement of `key`, if it was planned for the tables as the session finds them now.
    pub async fn statement(&self, session: &Session, key: &Key) -> Option<Statement> {
        let kept = self.of(key)?;
        let catalogs = SessionCatalogs::of(session.context())?;
        // Whatever keeps a table from being opened is said when the statement is planned.
        let is_same = kept.tables.are_found(&catalogs).await;
        if !is_same.unwrap_or(false) {
            return None;
        }
        self.reused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!("statement planned before");
        Some(kept.statement.clone())
    }

    /// Keeps a statement that was planned since its `key` was made, if it can be kept.
    pub fn keep(&self, session: &Session, key: Key, statement: &Statement) {
        // An option that was set in between may be in the plan, or not.
        let is_same = self.key(session, &statement.text).as_ref() == Some(&key);
        if !is_same
            || statement.kind != Kind::Query
            || statement.optimised.is_none()
            || !is_immutable(&statement.plan)
        {
            return;
        }
        let tables = SessionCatalogs::of(session.context())
            .and_then(|catalogs| ReadTables::of(&catalogs, &statement.names, &statement.plan))
            .filter(|tables| tables.files() <= FILES_MAX);
        let Some(tables) = tables else {
            return;
        };
        let kept = Kept {
            statement: statement.clone(),
            engine: key.engine.clone(),
            tables,
            physical: OnceLock::new(),
        };
        let mut all = lock(&self.kept);
        all.put(key, Arc::new(kept));
        while all.len() > self.most {
            all.pop();
        }
    }

    /// What is kept of this very statement, under the options that the session has now.
    pub fn of_statement(&self, session: &Session, statement: &Statement) -> Option<Arc<Kept>> {
        let kept = self.of(&self.key(session, &statement.text)?)?;
        // The text of one that was planned at another time, perhaps with other tables, lies elsewhere.
        Arc::ptr_eq(&kept.statement.text, &statement.text).then_some(kept)
    }

    fn of(&self, key: &Key) -> Option<Arc<Kept>> {
        lock(&self.kept).get(key).cloned()
    }
}

impl Kept {
    /// Whether the session still finds the tables as they were planned with.
    pub async fn is_present(&self, session: &Session) -> bool {
        match SessionCatalogs::of(session.context()) {
            Some(catalogs) => self.tables.are_still_found(&catalogs).await.unwrap_or(false),
            None => false,
        }
    }

    /// The physical plan for one more run, if it is kept.
    pub fn physical(&self) -> Option<Arc<dyn ExecutionPlan>> {
        let kept = self.physical.get()?;
        // With metrics of its own.
        reset_plan_states(Arc::clone(kept)).ok()
    }

    /// Keeps a physical plan that has not run, if it can run several times, and no option was set since it was asked for.
    pub fn keep_physical(&self, session: &Session, physical: &Arc<dyn ExecutionPlan>) {
        // Operators of the CPU may share what they learn with the scans below, which then leave out rows of the next run.
        let on_gpu = physical.downcast_ref::<GpuExec>();
        let runs_again = on_gpu.is_some_and(|node| node.runs_again_under(&self.engine));
        if runs_again && session.has_our_options_only() {
            self.physical.get_or_init(|| Arc::clone(physical));
        }
    }
}

/// Whether a plan has the same answer as long as its tables have the same rows.
fn is_immutable(plan: &LogicalPlan) -> bool {
    let mut immutable = true;
    let of_expression = |expression: &Expr| {
        let varies = match expression {
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            Expr::ScalarVariable(..) | Expr::Placeholder(_) => true,
            _ => false,
        };
        Ok(match varies {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    };
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            let end = expression.apply(of_expression)?;
            immutable &= end != TreeNodeRecursion::Stop;
            Ok(end)
        })
    });
    immutable && walked.is_ok()
}

#[cfg(test)]
mod tests;
