//! From a statement's text to a logical plan.
//!
//! In: text and a session's context. Out: a [`Statement`]: its plan, what kind it is, the schema
//! of its result and its parameters. It does not run anything.

pub mod define;
mod depth;
pub mod join_order;
mod names;
pub mod parameters;
pub mod parse;
pub mod rules;
pub mod setting;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::TableReference;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement as PlanStatement};

use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;
use crate::observe::metrics::StatementKind;
use crate::session::Session;
use parameters::Parameter;

/// What a statement does, as far as it decides how it is run and what comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads and returns rows.
    Query,
    /// Changes rows and returns how many: INSERT, COPY.
    Change,
    /// Changes what the session knows: CREATE, DROP, SET, PREPARE.
    Define,
}

/// A planned statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// As the client wrote it.
    pub text: Arc<str>,
    /// What it does.
    pub kind: Kind,
    /// Bound, not yet optimised: placeholders are replaced first.
    pub plan: LogicalPlan,
    /// The optimised plan, where there are no placeholders. For one run only: `now()` is a constant in it.
    pub optimised: Option<LogicalPlan>,
    /// The columns of its result; none for [`Kind::Define`].
    pub schema: SchemaRef,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The tables and views that its text names.
    pub names: Vec<TableReference>,
}

impl Statement {
    /// The statement as it is once columns of these types are bound to its parameters: those that
    /// it left open take the types of their values, and its result may change with them.
    ///
    /// # Errors
    /// `Sql` if it has no meaning for these types.
    pub fn with_bound(&self, session: &Session, bound: &Schema) -> Result<Self> {
        let parameters = parameters::typed(&self.parameters, bound);
        if self.kind != Kind::Query
            || parameters == self.parameters
            || parameters.len() != self.parameters.len()
        {
            return Ok(self.clone());
        }
        let schema = parameters::schema(&self.plan, &parameters, &session.context().state())?;
        Ok(Self {
            schema: Arc::new(schema),
            parameters,
            ..self.clone()
        })
    }

    /// What it counts as in metrics.
    pub fn label(&self) -> StatementKind {
        match (&self.plan, self.kind) {
            (LogicalPlan::Explain(_) | LogicalPlan::Analyze(_), _) => StatementKind::Explain,
            (_, Kind::Query) => StatementKind::Query,
            (_, Kind::Change) => StatementKind::Write,
            (LogicalPlan::Ddl(_), Kind::Define) => StatementKind::Ddl,
            (_, Kind::Define) => StatementKind::Session,
        }
    }
}

/// Plans one statement for a session.
///
/// # Errors
/// `Sql` for a syntax error (with its position), unknown names or types that do not fit;
/// `Denied` for paths that the session may not read; `Data` for tables that cannot be opened.
pub async fn plan(session: &Session, text: &str) -> Result<Statement> {
    let state = session.context().state();
    let parsed = parse::one(text, &state)?;
    let names = state.resolve_table_references(&parsed).map_err(from_datafusion)?;
    let plan = match setting::of_parsed(session, &parsed)? {
        Some(plan) => plan,
        None => state.statement_to_plan(parsed).await.map_err(from_datafusion)?,
    };
    let plan = match plan {
        // The statement that PREPARE kept, with its values: from here on a query like any other.
        LogicalPlan::Statement(PlanStatement::Execute(_)) => session
            .context()
            .execute_logical_plan(plan)
            .await
            .map_err(from_datafusion)?
            .into_unoptimized_plan(),
        plan => plan,
    };
    let planned = statement(session, &state, text, plan)?;
    Ok(Statement { names, ..planned })
}

fn statement(session: &Session, state: &SessionState, text: &str, plan: LogicalPlan) -> Result<Statement> {
    let kind = kind_of(&plan)?;
    let plan = match plan {
        LogicalPlan::Copy(copy) => LogicalPlan::Copy(define::copy_target(session, copy)?),
        plan => plan,
    };
    let parameters = parameters::of(&plan)?;
    let optimised = match kind {
        Kind::Query if parameters.is_empty() => Some(state.optimize(&plan).map_err(from_datafusion)?),
        _ => None,
    };
    let schema = match (kind, &optimised) {
        (Kind::Define, _) => Arc::new(Schema::empty()),
        // Some types depend on constants, so only the optimised plan has those that run.
        (_, Some(optimised)) => Arc::new(optimised.schema().as_arrow().clone()),
        (Kind::Change, None) => Arc::new(plan.schema().as_arrow().clone()),
        (Kind::Query, None) => Arc::new(parameters::schema(&plan, &parameters, state)?),
    };
    Ok(Statement {
        text: text.into(),
        kind,
        plan,
        optimised,
        schema,
        parameters,
        names: Vec::new(),
    })
}

fn kind_of(plan: &LogicalPlan) -> Result<Kind> {
    match plan {
        LogicalPlan::Dml(_) | LogicalPlan::Copy(_) => Ok(Kind::Change),
        LogicalPlan::Ddl(ddl) => match ddl {
            DdlStatement::CreateFunction(_) | DdlStatement::DropFunction(_) => Err(Error::unsupported(
                "CREATE FUNCTION and DROP FUNCTION: this server has no user-defined functions",
            )),
            DdlStatement::CreateIndex(_) => {
                Err(Error::unsupported("CREATE INDEX: this server has no indexes"))
            }
            DdlStatement::CreateCatalog(_) => Err(Error::unsupported(
                "CREATE DATABASE: this server has one catalog, warpflight",
            )),
            _ => Ok(Kind::Define),
        },
        LogicalPlan::Statement(PlanStatement::TransactionStart(_) | PlanStatement::TransactionEnd(_)) => Err(
            Error::unsupported("transactions: this server has none, every statement stands alone"),
        ),
        LogicalPlan::Statement(_) => Ok(Kind::Define),
        _ => Ok(Kind::Query),
    }
}
