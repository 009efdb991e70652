//! One file of statements on one engine.
//!
//! In: a file and a way to connect. Out: what ran and what failed, every failure rather than the first; or the
//! file itself, rewritten with the engine's results. Knows no particular engine.

use std::fs;
use std::path::Path;

use sqllogictest::{
    AsyncDB, ExpectedError, MakeConnection, Normalizer, QueryExpect, Record, Runner, StatementExpect,
    default_validator, parse_file, strict_column_validator, update_record_with_output,
};

use super::Result;
use super::column::ColumnKind;

/// Between the columns of a row: a string never holds two spaces side by side (see `format`).
const COLUMN_SEPARATOR: &str = "  ";

/// What running a file gave.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Statements and queries that ran; those that the file skips for this engine are not counted.
    pub statement_count: usize,
    /// Of these, queries that read one of the tables.
    pub table_query_count: usize,
    /// A description of each failure.
    pub failures: Vec<String>,
}

/// How strictly an engine is held to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The engine that the file describes: values, kinds of columns and error messages must agree.
    UnderTest,
    /// A second opinion: values must agree, and errors must be errors, in whatever words.
    Reference,
    /// The engine under test on a device: held like a second opinion; `skipif device` skips for it.
    OnDevice,
}

/// Runs every record of `file`; `tables` are the names that make a query one that reads a table.
pub async fn run_file<D, M>(file: &Path, connect: M, role: Role, tables: &[String]) -> Result<Outcome>
where
    D: AsyncDB<ColumnType = ColumnKind>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = new_runner(connect);
    match role {
        Role::UnderTest => {
            runner.with_column_validator(strict_column_validator);
        }
        Role::OnDevice => runner.add_label("device"),
        Role::Reference => {}
    }
    let mut outcome = Outcome::default();
    for mut record in parse_file::<ColumnKind>(file)? {
        if matches!(record, Record::Halt { .. }) {
            break;
        }
        if role != Role::UnderTest {
            accept_any_error_message(&mut record);
        }
        let reads_table = matches!(&record, Record::Query { sql, .. } if mentions_any(sql, tables));
        let is_statement = matches!(record, Record::Statement { .. } | Record::Query { .. });
        match runner.run_async(record).await {
            Ok(sqllogictest::RecordOutput::Nothing) => {}
            result => {
                outcome.statement_count += usize::from(is_statement);
                outcome.table_query_count += usize::from(reads_table);
                outcome
                    .failures
                    .extend(result.err().map(|error| error.to_string()));
            }
        }
    }
    runner.shutdown_async().await;
    Ok(outcome)
}

/// Rewrites `file` with the results that the engine gives; conditions and comments stay as they are.
pub async fn accept_results<D, M>(file: &Path, connect: M) -> Result<()>
where
    D: AsyncDB<ColumnType = ColumnKind>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = new_runner(connect);
    let mut lines = Vec::new();
    for record in parse_file::<ColumnKind>(file)? {
        let output = runner.apply_record(record.clone()).await;
        let updated = update_record_with_output(
            &record,
            &output,
            COLUMN_SEPARATOR,
            validate,
            keep,
            strict_column_validator,
        );
        let mut updated = updated.unwrap_or(record);
        shorten_error_message(&mut updated);
        lines.push(updated.to_string());
    }
    runner.shutdown_async().await;
    write_lines(file, &lines)
}

/// What `split_disagreements` writes where somebody has to say why the engines differ.
pub const UNEXPLAINED: &str = "# differs: unexplained";

/// Rewrites `file` so that each statement on which the reference engine disagrees stands there twice: as it was,
/// skipped for that engine, and for it alone with its own answer. A comment above the statement is taken for the reason; where
/// there is none, a person has to replace [`UNEXPLAINED`].
pub async fn split_disagreements<D, M>(file: &Path, engine: &str, connect: M) -> Result<()>
where
    D: AsyncDB<ColumnType = ColumnKind>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = new_runner(connect);
    let mut lines = Vec::new();
    for record in parse_file::<ColumnKind>(file)? {
        let mut lenient = record.clone();
        accept_any_error_message(&mut lenient);
        let output = runner.apply_record(lenient.clone()).await;
        let theirs =
            update_record_with_output(&lenient, &output, COLUMN_SEPARATOR, validate, keep, |_, _| true);
        let Some(mut theirs) = theirs.filter(|theirs| theirs.to_string() != lenient.to_string()) else {
            lines.push(record.to_string());
            continue;
        };
        accept_any_error_message(&mut theirs);
        if has_conditions(&record) {
            lines.push(theirs.to_string());
        } else {
            let explained = lines.last().is_some_and(|line| line.starts_with('#'));
            let comment = if explained {
                String::new()
            } else {
                format!("{UNEXPLAINED}\n")
            };
            lines.push(format!(
                "{comment}skipif {engine}\n{record}\n\nonlyif {engine}\n{theirs}"
            ));
        }
    }
    runner.shutdown_async().await;
    write_lines(file, &lines)
}

fn has_conditions(record: &Record<ColumnKind>) -> bool {
    match record {
        Record::Statement { conditions, .. } | Record::Query { conditions, .. } => !conditions.is_empty(),
        _ => false,
    }
}

/// Writes the records with one empty line between them, wherever they came from.
fn write_lines(file: &Path, lines: &[String]) -> Result<()> {
    let mut text = lines.join("\n").trim_end().to_owned() + "\n";
    while text.contains("\n\n\n") {
        text = text.replace("\n\n\n", "\n\n");
    }
    fs::write(file, text)?;
    Ok(())
}

fn new_runner<D, M>(connect: M) -> Runner<D, M>
where
    D: AsyncDB<ColumnType = ColumnKind>,
    M: MakeConnection<Conn = D>,
{
    let mut runner = Runner::new(connect);
    runner.with_normalizer(keep);
    runner.with_validator(validate);
    runner
}

/// Values are compared as they stand.
#[allow(clippy::ptr_arg, reason = "the signature is sqllogictest's")]
fn keep(value: &String) -> String {
    value.clone()
}

fn validate(normalizer: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    if expected.iter().any(|line| line.contains("<slt:ignore>")) {
        return default_validator(normalizer, actual, expected);
    }
    actual
        .iter()
        .map(|row| row.join(COLUMN_SEPARATOR))
        .eq(expected.iter().cloned())
}

/// Of a message of several lines, its first one: the form with several does not stand between other records.
fn shorten_error_message(record: &mut Record<ColumnKind>) {
    let (Record::Statement {
        expected: StatementExpect::Error(message),
        ..
    }
    | Record::Query {
        expected: QueryExpect::Error(message),
        ..
    }) = record
    else {
        return;
    };
    if let ExpectedError::Multiline(text) = message {
        *message = ExpectedError::from_actual_error(None, text.lines().next().unwrap_or_default());
    }
}

fn accept_any_error_message(record: &mut Record<ColumnKind>) {
    match record {
        Record::Statement {
            expected: StatementExpect::Error(message),
            ..
        }
        | Record::Query {
            expected: QueryExpect::Error(message),
            ..
        } => *message = ExpectedError::Empty,
        _ => {}
    }
}

/// Whether any of the names stands in a statement.
pub(super) fn mentions_any(sql: &str, tables: &[String]) -> bool {
    sql.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| tables.iter().any(|table| table == word))
}
