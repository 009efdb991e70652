//! Codes below 500: the server itself, and what of Flight SQL it does.

use arrow_flight::sql::{SqlInfo, SqlSupportedTransaction};

use super::value::Value;
use crate::config::Config;

/// The values that describe the server.
pub fn values(config: &Config) -> Vec<(SqlInfo, Value)> {
    vec![
        (SqlInfo::FlightSqlServerName, "warpflight".into()),
        (SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION").into()),
        (SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION.into()),
        // A session makes, fills and drops tables of its own; COPY writes where it is allowed.
        (SqlInfo::FlightSqlServerReadOnly, false.into()),
        (SqlInfo::FlightSqlServerSql, true.into()),
        (SqlInfo::FlightSqlServerSubstrait, false.into()),
        (SqlInfo::FlightSqlServerSubstraitMinVersion, Value::Text(None)),
        (SqlInfo::FlightSqlServerSubstraitMaxVersion, Value::Text(None)),
        (
            SqlInfo::FlightSqlServerTransaction,
            Value::Bits(SqlSupportedTransaction::None as i32),
        ),
        (SqlInfo::FlightSqlServerCancel, true.into()),
        (SqlInfo::FlightSqlServerBulkIngestion, false.into()),
        (SqlInfo::FlightSqlServerIngestTransactionsSupported, false.into()),
        (
            SqlInfo::FlightSqlServerStatementTimeout,
            Value::Bits(handle_timeout_ms(config)),
        ),
        // There are no transactions that could time out.
        (SqlInfo::FlightSqlServerTransactionTimeout, Value::Bits(0)),
    ]
}

/// Handles of prepared statements live as long as their session, which every use of it prolongs.
fn handle_timeout_ms(config: &Config) -> i32 {
    i32::try_from(config.limits.session_timeout.0.as_millis()).unwrap_or(i32::MAX)
}
