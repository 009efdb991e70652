//! Codes 562 to 576: transactions, result sets, and the rest of what JDBC asks.

use arrow_flight::sql::{
    SqlInfo, SqlSupportedResultSetConcurrency, SqlSupportedResultSetType, SqlTransactionIsolationLevel,
};

use super::value::Value;

/// The values that describe transactions.
pub fn transactions() -> Vec<(SqlInfo, Value)> {
    let none = SqlTransactionIsolationLevel::SqlTransactionNone;
    vec![
        // An ordinal, which the protocol's text calls 32-bit; the JDBC driver fails on anything but
        // bigint_value.
        (SqlInfo::SqlDefaultTransactionIsolation, Value::Whole(none as i64)),
        (SqlInfo::SqlTransactionsSupported, false.into()),
        (
            SqlInfo::SqlSupportedTransactionsIsolationLevels,
            Value::bits(&[none as i32]),
        ),
        (SqlInfo::SqlDataDefinitionCausesTransactionCommit, false.into()),
        (SqlInfo::SqlDataDefinitionsInTransactionsIgnored, false.into()),
        (SqlInfo::SqlSavepointsSupported, false.into()),
    ]
}

/// The values that describe result sets and calls: a stream is read once, forwards.
pub fn result_sets() -> Vec<(SqlInfo, Value)> {
    vec![
        (
            SqlInfo::SqlSupportedResultSetTypes,
            Value::bits(&[SqlSupportedResultSetType::SqlResultSetTypeForwardOnly as i32]),
        ),
        (
            SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified,
            Value::bits(&[]),
        ),
        (
            SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly,
            Value::bits(&[SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly as i32]),
        ),
        (
            SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive,
            Value::bits(&[]),
        ),
        (
            SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
            Value::bits(&[]),
        ),
        // A prepared change runs once for each row of parameters.
        (SqlInfo::SqlBatchUpdatesSupported, true.into()),
        // Of calls, large objects and functions by the call syntax there are none.
        (SqlInfo::SqlNamedParametersSupported, false.into()),
        (SqlInfo::SqlLocatorsUpdateCopy, false.into()),
        (SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported, false.into()),
    ]
}
