//! The actions of Flight and Flight SQL, one file a subject.

pub mod cancel;
pub mod prepare;
pub mod session;

use arrow_flight::{Action, ActionType};
use bytes::Bytes;
use prost::Message;

use super::caller::Caller;
use super::ticket::TicketKey;
use crate::core::Core;
use crate::error::{Error, Result};

/// Each action: its name, and what it does.
const ACTIONS: [(&str, &str); 8] = [
    (
        "CreatePreparedStatement",
        "Plans a statement and keeps it under a handle.",
    ),
    ("ClosePreparedStatement", "Forgets a prepared statement."),
    (
        "CancelFlightInfo",
        "Stops the query that a FlightInfo stands for.",
    ),
    (
        "CancelQuery",
        "Stops the query that a FlightInfo stands for; CancelFlightInfo is its successor.",
    ),
    (
        "RenewFlightEndpoint",
        "Extends an endpoint's life, which here lasts as long as its session.",
    ),
    ("SetSessionOptions", "Sets options of the session."),
    ("GetSessionOptions", "Returns the options of the session."),
    (
        "CloseSession",
        "Ends the session, with its tables and prepared statements.",
    ),
];

/// Actions of the specification that come later, so that a client learns which.
const LATER: [&str; 6] = [
    "BeginTransaction",
    "EndTransaction",
    "BeginSavepoint",
    "EndSavepoint",
    "CreatePreparedSubstraitPlan",
    "PollFlightInfo",
];

/// What `ListActions` returns.
pub fn list() -> Vec<ActionType> {
    let describe = |(name, doc): (&str, &str)| ActionType {
        r#type: name.into(),
        description: doc.into(),
    };
    ACTIONS.into_iter().map(describe).collect()
}

/// Runs an action; the bodies of its results.
///
/// # Errors
/// `Unsupported` for an unknown action; else as the action.
pub async fn run(core: &Core, key: &TicketKey, caller: &Caller, action: &Action) -> Result<Vec<Bytes>> {
    match action.r#type.as_str() {
        "CreatePreparedStatement" => prepare::create(core, caller, action).await.map(|body| vec![body]),
        "ClosePreparedStatement" => prepare::close(caller, action).map(|()| vec![]),
        "CancelFlightInfo" => cancel::flight_info(core, key, caller, action).map(|body| vec![body]),
        "CancelQuery" => cancel::query(core, key, caller, action).map(|body| vec![body]),
        "RenewFlightEndpoint" => cancel::renew(key, caller, action).map(|body| vec![body]),
        "SetSessionOptions" => session::set(caller, action).map(|body| vec![body]),
        "GetSessionOptions" => session::get(caller, action).map(|body| vec![body]),
        "CloseSession" => session::close(core, caller).map(|body| vec![body]),
        name if LATER.contains(&name) => Err(Error::unsupported(format!(
            "action {name}: not done by this server, see its SqlInfo"
        ))),
        name => {
            let known = ACTIONS.map(|(name, _)| name).join(", ");
            Err(Error::unsupported(format!(
                "action {name:?}: unknown, expected one of {known}"
            )))
        }
    }
}

/// The body of an action that Flight itself defines: a bare message.
fn bare<M: Message + Default>(action: &Action) -> Result<M> {
    M::decode(action.body.clone()).map_err(|error| {
        Error::sql(format!(
            "action {}: body of {} bytes: {error}",
            action.r#type,
            action.body.len()
        ))
    })
}

/// The body of an action that Flight SQL defines: a message packed into an `Any`.
fn packed<M: arrow_flight::sql::ProstMessageExt + Message + Default>(action: &Action) -> Result<M> {
    let what = format!("action {}", action.r#type);
    let any = super::answer::unpack(&what, &action.body)?;
    let message = any
        .unpack()
        .map_err(|error| Error::sql(format!("{what}: {error}")))?;
    message.ok_or_else(|| {
        Error::sql(format!(
            "{what}: found {}, expected {}",
            any.type_url,
            M::type_url()
        ))
    })
}
