//! Codes 500 to 540: the SQL that is understood, and how names are written.
//!
//! DataFusion decides most of it; the tests run statements that show it.

use arrow_flight::sql::{
    SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity, SqlSupportedGroupBy,
    SqlSupportedSubqueries, SqlSupportedUnions, SupportedSqlGrammar,
};
use datafusion::execution::context::SessionState;
use datafusion::sql::sqlparser::dialect::dialect_from_str;

use super::value::Value;
use super::{convert, functions};
use crate::flight::command::listing::PATTERN_ESCAPE;

/// A value of `SupportedAnsi92SqlGrammarLevel`, which the arrow-flight crate does not export.
const ANSI92_ENTRY_SQL: i32 = 0;

/// The values that describe names.
pub fn names(state: &SessionState) -> Vec<(SqlInfo, Value)> {
    vec![
        // The protocol's text calls the ordinals here and in `null_ordering` 32-bit, but Arrow's
        // C++ and Java servers send them, and the ODBC driver reads them, as bigint_value.
        (
            SqlInfo::SqlIdentifierCase,
            Value::Whole(unquoted_case(state) as i64),
        ),
        (SqlInfo::SqlIdentifierQuoteChar, "\"".into()),
        // Quoted names keep their case and tell it apart, which ODBC's driver and others read from
        // the zero of this list.
        (
            SqlInfo::SqlQuotedIdentifierCase,
            Value::Whole(SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i64),
        ),
        (SqlInfo::SqlSearchStringEscape, PATTERN_ESCAPE.into()),
        (
            SqlInfo::SqlExtraNameCharacters,
            Value::Text(Some(extra_name_characters(state))),
        ),
        (SqlInfo::SqlSchemaTerm, "schema".into()),
        (SqlInfo::SqlProcedureTerm, "procedure".into()),
        (SqlInfo::SqlCatalogTerm, "catalog".into()),
        (SqlInfo::SqlCatalogAtStart, true.into()),
        // Names have their schema and catalog wherever a table can be named, but there are no
        // procedures, indexes and privileges to name it in.
        (SqlInfo::SqlSchemasSupportedActions, Value::bits(&[])),
        (SqlInfo::SqlCatalogsSupportedActions, Value::bits(&[])),
        (SqlInfo::SqlSupportsTableCorrelationNames, true.into()),
        // Whether they must differ from the names of tables, as JDBC and ODBC ask it: they need not.
        (SqlInfo::SqlSupportsDifferentTableCorrelationNames, false.into()),
        (SqlInfo::SqlSupportsColumnAliasing, true.into()),
        (SqlInfo::SqlKeywords, Value::Texts(functions::keywords())),
    ]
}

/// The values that describe functions and casts.
pub fn expressions(state: &SessionState) -> Vec<(SqlInfo, Value)> {
    vec![
        (
            SqlInfo::SqlNumericFunctions,
            Value::Texts(functions::numeric(state)),
        ),
        (
            SqlInfo::SqlStringFunctions,
            Value::Texts(functions::string(state)),
        ),
        (
            SqlInfo::SqlSystemFunctions,
            Value::Texts(functions::system(state)),
        ),
        (
            SqlInfo::SqlDatetimeFunctions,
            Value::Texts(functions::datetime(state)),
        ),
        // Of the operator `||`; the function concat() leaves NULLs out.
        (SqlInfo::SqlNullPlusNullIsNull, true.into()),
        (SqlInfo::SqlSupportsConvert, Value::Lists(convert::supported())),
        // The backslash only, which LIKE takes without the clause too.
        (SqlInfo::SqlSupportsLikeEscapeClause, true.into()),
    ]
}

/// The values that describe statements.
pub fn statements(state: &SessionState) -> Vec<(SqlInfo, Value)> {
    vec![
        (SqlInfo::SqlDdlCatalog, false.into()),
        // Schemas and tables of the session.
        (SqlInfo::SqlDdlSchema, true.into()),
        (SqlInfo::SqlDdlTable, true.into()),
        // A user is shown no table that the user may not read.
        (SqlInfo::SqlAllTablesAreSelectable, true.into()),
        (
            SqlInfo::SqlNullOrdering,
            Value::Whole(null_ordering(state) as i64),
        ),
        (SqlInfo::SqlSupportsExpressionsInOrderBy, true.into()),
        (SqlInfo::SqlSupportsOrderByUnrelated, true.into()),
        (
            SqlInfo::SqlSupportedGroupBy,
            Value::bits(&[
                SqlSupportedGroupBy::SqlGroupByUnrelated as i32,
                SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32,
            ]),
        ),
        (SqlInfo::SqlSupportsNonNullableColumns, true.into()),
        // No CREATE INDEX, GRANT and ALTER TABLE, which ODBC's core grammar has.
        (
            SqlInfo::SqlSupportedGrammar,
            Value::bits(&[SupportedSqlGrammar::SqlMinimumGrammar as i32]),
        ),
        // Its queries and changes. What else belongs to the entry level is denied by the codes for
        // it: transactions, cursors (positioned commands), keys (integrity enhancement).
        (SqlInfo::SqlAnsi92SupportedLevel, Value::bits(&[ANSI92_ENTRY_SQL])),
        (SqlInfo::SqlSupportsIntegrityEnhancementFacility, false.into()),
        // The protocol's text has one ordinal, but the JDBC and ODBC drivers test bits: with the
        // ordinal of full outer joins, they would find none.
        (
            SqlInfo::SqlOuterJoinsSupportLevel,
            Value::bits(&[
                SqlOuterJoinsSupportLevel::SqlLimitedOuterJoins as i32,
                SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32,
            ]),
        ),
        (SqlInfo::SqlSupportedPositionedCommands, Value::bits(&[])),
        (SqlInfo::SqlSelectForUpdateSupported, false.into()),
        (SqlInfo::SqlStoredProceduresSupported, false.into()),
        (
            SqlInfo::SqlSupportedSubqueries,
            Value::bits(&[
                SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32,
                SqlSupportedSubqueries::SqlSubqueriesInExists as i32,
                SqlSupportedSubqueries::SqlSubqueriesInIns as i32,
                SqlSupportedSubqueries::SqlSubqueriesInQuantifieds as i32,
            ]),
        ),
        (SqlInfo::SqlCorrelatedSubqueriesSupported, true.into()),
        (
            SqlInfo::SqlSupportedUnions,
            Value::bits(&[
                SqlSupportedUnions::SqlUnion as i32,
                SqlSupportedUnions::SqlUnionAll as i32,
            ]),
        ),
    ]
}

/// What becomes of a name without quotes: lower case, unless the session says otherwise.
fn unquoted_case(state: &SessionState) -> SqlSupportedCaseSensitivity {
    if state.config_options().sql_parser.enable_ident_normalization {
        SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase
    } else {
        SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown
    }
}

/// Where ORDER BY puts NULLs that it is not told where to put.
fn null_ordering(state: &SessionState) -> SqlNullOrdering {
    match state.config_options().sql_parser.default_null_ordering.as_str() {
        "nulls_min" => SqlNullOrdering::SqlNullsSortedLow,
        "nulls_first" => SqlNullOrdering::SqlNullsSortedAtStart,
        "nulls_last" => SqlNullOrdering::SqlNullsSortedAtEnd,
        _ => SqlNullOrdering::SqlNullsSortedHigh,
    }
}

/// The characters that the session's dialect takes in a name without quotes, beside letters,
/// digits and the underscore.
fn extra_name_characters(state: &SessionState) -> String {
    let name = state.config_options().sql_parser.dialect.to_string();
    let Some(dialect) = dialect_from_str(&name) else {
        return String::new();
    };
    ('!'..='~')
        .filter(|c| !c.is_ascii_alphanumeric() && *c != '_' && dialect.is_identifier_part(*c))
        .collect()
}
