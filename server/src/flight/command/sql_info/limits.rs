//! Codes 541 to 561: limits. Zero is no limit, or none that is known.

use arrow_flight::sql::SqlInfo;

use super::value::Value;
use crate::config::Config;

/// What neither DataFusion nor this server bounds. Of indexes, cursors and procedures there are
/// none.
const UNBOUNDED: [SqlInfo; 18] = [
    SqlInfo::SqlMaxBinaryLiteralLength,
    SqlInfo::SqlMaxCharLiteralLength,
    SqlInfo::SqlMaxColumnNameLength,
    SqlInfo::SqlMaxColumnsInGroupBy,
    SqlInfo::SqlMaxColumnsInIndex,
    SqlInfo::SqlMaxColumnsInOrderBy,
    SqlInfo::SqlMaxColumnsInSelect,
    SqlInfo::SqlMaxColumnsInTable,
    SqlInfo::SqlMaxCursorNameLength,
    SqlInfo::SqlMaxIndexLength,
    SqlInfo::SqlDbSchemaNameLength,
    SqlInfo::SqlMaxProcedureNameLength,
    SqlInfo::SqlMaxCatalogNameLength,
    SqlInfo::SqlMaxRowSize,
    SqlInfo::SqlMaxStatementLength,
    SqlInfo::SqlMaxTableNameLength,
    SqlInfo::SqlMaxTablesInSelect,
    SqlInfo::SqlMaxUsernameLength,
];

/// The values that are limits.
pub fn values(config: &Config) -> Vec<(SqlInfo, Value)> {
    let mut values: Vec<_> = UNBOUNDED
        .into_iter()
        .map(|code| (code, Value::Whole(0)))
        .collect();
    values.push((SqlInfo::SqlMaxConnections, whole(config.server.connections_max)));
    values.push((SqlInfo::SqlMaxStatements, whole(config.limits.handles_max)));
    // Rows have no size limit, with long values or without.
    values.push((SqlInfo::SqlMaxRowSizeIncludesBlobs, true.into()));
    values
}

fn whole(limit: usize) -> Value {
    Value::Whole(i64::try_from(limit).unwrap_or(i64::MAX))
}
