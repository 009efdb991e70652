//! Statements that change what a session knows: CREATE, DROP, SET, RESET, PREPARE, DEALLOCATE.
//!
//! In: a plan and its session. Out: nothing but the change, all of it within the session.

use std::sync::Arc;

use datafusion::catalog::view::ViewTable;
use datafusion::common::TableReference;
use datafusion::logical_expr::dml::CopyTo;
use datafusion::logical_expr::{
    CreateMemoryTable, CreateView, DdlStatement, DropTable, LogicalPlan, Statement, TableType,
};
use futures::TryStreamExt;

use super::setting;
use crate::catalog::SessionCatalogs;
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;
use crate::session::Session;
use crate::session::table::SessionTable;

/// Makes the change that a plan of [`super::Kind::Define`] describes.
///
/// # Errors
/// `Sql` if the name is taken or unknown, `Denied` for paths that the session may not read,
/// `Resources` if a new table's rows exceed `session_table_memory`.
pub async fn run(session: &Session, plan: LogicalPlan) -> Result<()> {
    if let Some(catalogs) = SessionCatalogs::of(session.context()) {
        catalogs.check(&plan)?;
    }
    match plan {
        LogicalPlan::Statement(Statement::SetVariable(set)) => {
            setting::set(session, &set.variable, &set.value)
        }
        LogicalPlan::Statement(Statement::ResetVariable(reset)) => setting::reset(session, &reset.variable),
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => create_table(session, create).await,
        LogicalPlan::Ddl(DdlStatement::CreateView(create)) => create_view(session, create).await,
        LogicalPlan::Ddl(DdlStatement::DropTable(drop)) => drop_table(session, drop).await,
        plan => session
            .context()
            .execute_logical_plan(plan)
            .await
            .map(drop)
            .map_err(from_datafusion),
    }
}

/// The target of a COPY TO as the server's own address of it, if the session may write there.
///
/// # Errors
/// `Denied` if the user may not write, or not there.
pub fn copy_target(session: &Session, copy: CopyTo) -> Result<CopyTo> {
    let output_url = session
        .catalog()
        .write_target(session.rights(), &copy.output_url)?;
    Ok(CopyTo { output_url, ..copy })
}

async fn create_table(session: &Session, create: CreateMemoryTable) -> Result<()> {
    if !create.constraints.is_empty() {
        return Err(Error::unsupported(format!(
            "CREATE TABLE {}: this server does not enforce PRIMARY KEY and UNIQUE; leave them out",
            create.name
        )));
    }
    if !claim_name(session, &create.name, create.if_not_exists, create.or_replace).await? {
        return Ok(());
    }
    unique_columns(&create.name, &create.input)?;
    let state = session.context().state();
    let schema = Arc::clone(create.input.schema().inner());
    let physical = state
        .create_physical_plan(&create.input)
        .await
        .map_err(from_datafusion)?;
    let mut stream =
        datafusion::physical_plan::execute_stream(physical, state.task_ctx()).map_err(from_datafusion)?;
    let table = SessionTable::new(
        schema,
        session.table_memory(),
        create.column_defaults.into_iter().collect(),
    )
    .map_err(from_datafusion)?;
    while let Some(batch) = stream.try_next().await.map_err(from_datafusion)? {
        table.append(batch).await?;
    }
    replace(session, create.name, Arc::new(table), create.or_replace)
}

async fn create_view(session: &Session, create: CreateView) -> Result<()> {
    claim_name(session, &create.name, false, create.or_replace).await?;
    unique_columns(&create.name, &create.input)?;
    let view = ViewTable::new(Arc::unwrap_or_clone(create.input), create.definition);
    replace(session, create.name, Arc::new(view), create.or_replace)
}

/// Not DataFusion's: that drops base tables only, and a session's own are temporary.
async fn drop_table(session: &Session, drop: DropTable) -> Result<()> {
    let context = session.context();
    if !context.table_exist(drop.name.clone()).map_err(from_datafusion)? {
        return match drop.if_exists {
            true => Ok(()),
            false => Err(Error::sql(format!("table {} does not exist", drop.name))),
        };
    }
    let table = context
        .table_provider(drop.name.clone())
        .await
        .map_err(from_datafusion)?;
    if table.table_type() == TableType::View {
        return Err(Error::sql(format!(
            "{} is a view, expected a table: use DROP VIEW",
            drop.name
        )));
    }
    context
        .deregister_table(drop.name)
        .map(std::mem::drop)
        .map_err(from_datafusion)
}

/// Whether a table of this name is to be made: `false` if it is there and that is fine.
async fn claim_name(
    session: &Session,
    name: &TableReference,
    if_not_exists: bool,
    or_replace: bool,
) -> Result<bool> {
    let exists = session
        .context()
        .table_exist(name.clone())
        .map_err(from_datafusion)?;
    match (exists, if_not_exists, or_replace) {
        (_, true, true) => Err(Error::sql(format!(
            "CREATE OR REPLACE {name}: does not go with IF NOT EXISTS"
        ))),
        (true, true, false) => Ok(false),
        (true, false, false) => Err(Error::sql(format!("{name} already exists"))),
        _ => Ok(true),
    }
}

fn replace(
    session: &Session,
    name: TableReference,
    table: Arc<dyn datafusion::catalog::TableProvider>,
    or_replace: bool,
) -> Result<()> {
    let context = session.context();
    if or_replace {
        context.deregister_table(name.clone()).map_err(from_datafusion)?;
    }
    context
        .register_table(name, table)
        .map(drop)
        .map_err(from_datafusion)
}

fn unique_columns(name: &TableReference, input: &LogicalPlan) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    match input
        .schema()
        .fields()
        .iter()
        .find(|field| !seen.insert(field.name()))
    {
        Some(field) => Err(Error::sql(format!(
            "{name}: column {:?} is there twice, expected distinct names",
            field.name()
        ))),
        None => Ok(()),
    }
}
