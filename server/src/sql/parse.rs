//! From text to one parsed statement, its `?` placeholders numbered.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use datafusion::execution::context::SessionState;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{Expr, Statement as SqlStatement, Value, visit_expressions_mut};
use datafusion::sql::sqlparser::dialect::{Dialect, dialect_from_str};

use super::{depth, names};
use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;

/// Parses a text that holds exactly one statement.
///
/// # Errors
/// `Sql` for a syntax error, with its line and column, and for no or several statements.
pub fn one(text: &str, state: &SessionState) -> Result<Statement> {
    let mut statements = all(text, state)?;
    match (statements.pop_front(), statements.len()) {
        (Some(statement), 0) => Ok(prepared(statement)),
        (None, _) => Err(Error::sql("empty statement: expected one SQL statement")),
        (Some(_), more) => Err(Error::sql(format!(
            "found {} statements, expected one: send them one by one",
            more + 1
        ))),
    }
}

fn all(text: &str, state: &SessionState) -> Result<VecDeque<Statement>> {
    let options = &state.config_options().sql_parser;
    let dialect = dialect(options.dialect.as_ref())?;
    depth::check(text, dialect.as_ref())?;
    DFParserBuilder::new(text)
        .with_dialect(dialect.as_ref())
        .with_recursion_limit(options.recursion_limit.get())
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(from_datafusion)
}

fn dialect(name: &str) -> Result<Box<dyn Dialect>> {
    dialect_from_str(name)
        .ok_or_else(|| Error::sql(format!("datafusion.sql_parser.dialect: unknown dialect {name:?}")))
}

/// Numbers the placeholders that are a bare `?`, as JDBC and ADBC write them, from the left, and
/// tells columns of the same name apart.
fn prepared(mut statement: Statement) -> Statement {
    if let Statement::Statement(inner) = &mut statement {
        let mut count = 0;
        let _: ControlFlow<()> = visit_expressions_mut(inner.as_mut(), |expression| {
            if let Expr::Value(value) = expression
                && let Value::Placeholder(name) = &mut value.value
                && name == "?"
            {
                count += 1;
                *name = format!("${count}");
            }
            ControlFlow::Continue(())
        });
        names::tell_apart(inner);
        // Every table of a session ends with it, so TEMPORARY says nothing new.
        if let SqlStatement::CreateTable(create) = inner.as_mut() {
            create.temporary = false;
        }
    }
    statement
}
