//! Messages of Flight and Flight SQL that the arrow-flight crate lacks.
//!
//! Field numbers from Arrow's `Flight.proto` and `FlightSql.proto` (format 21).

use std::collections::HashMap;

use arrow_flight::sql::ProstMessageExt;
use prost::Message;

/// A value of a session option.
#[derive(Clone, PartialEq, Message)]
pub struct SessionOptionValue {
    /// Its value; none means unset.
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    pub value: Option<OptionValue>,
}

/// The types that a session option can have on the wire.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum OptionValue {
    /// Text.
    #[prost(string, tag = "1")]
    Text(String),
    /// A flag.
    #[prost(bool, tag = "2")]
    Flag(bool),
    /// A whole number.
    #[prost(sfixed64, tag = "3")]
    Whole(i64),
    /// A number.
    #[prost(double, tag = "4")]
    Number(f64),
    /// Texts.
    #[prost(message, tag = "5")]
    Texts(TextList),
}

/// A list of texts.
#[derive(Clone, PartialEq, Message)]
pub struct TextList {
    /// The texts.
    #[prost(string, repeated, tag = "1")]
    pub values: Vec<String>,
}

/// Asks to set options of the session.
#[derive(Clone, PartialEq, Message)]
pub struct SetSessionOptionsRequest {
    /// Values by name.
    #[prost(map = "string, message", tag = "1")]
    pub session_options: HashMap<String, SessionOptionValue>,
}

/// Which options were not set, and why.
#[derive(Clone, PartialEq, Message)]
pub struct SetSessionOptionsResult {
    /// Failures by name.
    #[prost(map = "string, message", tag = "1")]
    pub errors: HashMap<String, SetSessionOptionError>,
}

/// Why an option was not set.
#[derive(Clone, PartialEq, Message)]
pub struct SetSessionOptionError {
    /// One of [`SetError`].
    #[prost(enumeration = "SetError", tag = "1")]
    pub value: i32,
}

/// Reasons for not setting an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum SetError {
    /// Not said.
    Unspecified = 0,
    /// No such option.
    InvalidName = 1,
    /// Not a value of it.
    InvalidValue = 2,
    /// Could not be set for another reason.
    Error = 3,
}

/// Asks for the options of the session.
#[derive(Clone, PartialEq, Message)]
pub struct GetSessionOptionsRequest {}

/// The options of the session.
#[derive(Clone, PartialEq, Message)]
pub struct GetSessionOptionsResult {
    /// Values by name.
    #[prost(map = "string, message", tag = "1")]
    pub session_options: HashMap<String, SessionOptionValue>,
}

/// Asks to end the session.
#[derive(Clone, PartialEq, Message)]
pub struct CloseSessionRequest {}

/// How the session ended.
#[derive(Clone, PartialEq, Message)]
pub struct CloseSessionResult {
    /// One of [`CloseStatus`].
    #[prost(enumeration = "CloseStatus", tag = "1")]
    pub status: i32,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum CloseStatus {
    /// Not said.
    Unspecified = 0,
    /// It is closed.
    Closed = 1,
    /// It is being closed.
    Closing = 2,
    /// It cannot be closed.
    NotCloseable = 3,
}

/// `ActionCreatePreparedStatementResult` with the `is_update` that newer clients read.
#[derive(Clone, PartialEq, Message)]
pub struct CreatePreparedStatementResult {
    /// The handle of the statement.
    #[prost(bytes = "bytes", tag = "1")]
    pub prepared_statement_handle: bytes::Bytes,
    /// Schema of its result, as an IPC message; empty if it has none.
    #[prost(bytes = "bytes", tag = "2")]
    pub dataset_schema: bytes::Bytes,
    /// Schema of its parameters, as an IPC message.
    #[prost(bytes = "bytes", tag = "3")]
    pub parameter_schema: bytes::Bytes,
    /// Whether it is to be run by DoPut as an update.
    #[prost(bool, optional, tag = "4")]
    pub is_update: Option<bool>,
}

impl ProstMessageExt for CreatePreparedStatementResult {
    fn type_url() -> &'static str {
        "type.googleapis.com/arrow.flight.protocol.sql.ActionCreatePreparedStatementResult"
    }

    fn as_any(&self) -> arrow_flight::sql::Any {
        arrow_flight::sql::Any {
            type_url: Self::type_url().into(),
            value: self.encode_to_vec().into(),
        }
    }
}
