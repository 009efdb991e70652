//! CancelFlightInfo, CancelQuery and RenewFlightEndpoint.

use arrow_flight::sql::{ActionCancelQueryRequest, ActionCancelQueryResult, ProstMessageExt};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
    RenewFlightEndpointRequest,
};
use bytes::Bytes;
use prost::Message;

use super::{bare, packed};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::flight::caller::Caller;
use crate::flight::command::statement_query::query_of;
use crate::flight::ticket::TicketKey;

/// Stops the query of a FlightInfo.
///
/// # Errors
/// `Sql` or `Denied` if it is not one of this session's.
pub fn flight_info(core: &Core, key: &TicketKey, caller: &Caller, action: &Action) -> Result<Bytes> {
    let request: CancelFlightInfoRequest = bare(action)?;
    let info = request
        .info
        .ok_or_else(|| Error::sql("action CancelFlightInfo: no FlightInfo"))?;
    let status = match cancel(core, key, caller, &info)? {
        true => CancelStatus::Cancelled,
        false => CancelStatus::NotCancellable,
    };
    Ok(CancelFlightInfoResult {
        status: status as i32,
    }
    .encode_to_vec()
    .into())
}

/// The same, as older clients ask for it.
///
/// # Errors
/// As [`flight_info`].
pub fn query(core: &Core, key: &TicketKey, caller: &Caller, action: &Action) -> Result<Bytes> {
    // `ActionCancelQueryResult.CancelResult`: 1 is cancelled, 3 is not cancellable.
    const CANCELLED: i32 = 1;
    const NOT_CANCELLABLE: i32 = 3;
    let request: ActionCancelQueryRequest = packed(action)?;
    let info = FlightInfo::decode(request.info)
        .map_err(|error| Error::sql(format!("action CancelQuery: its FlightInfo: {error}")))?;
    let result = if cancel(core, key, caller, &info)? {
        CANCELLED
    } else {
        NOT_CANCELLABLE
    };
    Ok(ActionCancelQueryResult { result }.as_any().encode_to_vec().into())
}

/// Stops what runs under the tickets of an info, and forgets them. A query that has ended, or was
/// never begun, cannot be stopped; one never begun will not begin.
fn cancel(core: &Core, key: &TicketKey, caller: &Caller, info: &FlightInfo) -> Result<bool> {
    let mut any = false;
    for endpoint in &info.endpoint {
        let ticket = endpoint
            .ticket
            .as_ref()
            .ok_or_else(|| Error::sql("FlightInfo: an endpoint without a ticket"))?;
        let query = query_of(key, caller, &ticket.ticket)?;
        let stopped = core.engine.cancel(&query, "cancelled by its client");
        any |= caller.session.close_result(&query) | stopped;
    }
    Ok(any)
}

/// Extends an endpoint's life: ours live as long as their session, so it comes back as it is.
///
/// # Errors
/// `Sql`, `Denied` or `NotFound` if it is not one that this session holds.
pub fn renew(key: &TicketKey, caller: &Caller, action: &Action) -> Result<Bytes> {
    let request: RenewFlightEndpointRequest = bare(action)?;
    let endpoint = request
        .endpoint
        .ok_or_else(|| Error::sql("action RenewFlightEndpoint: no endpoint"))?;
    let ticket = endpoint
        .ticket
        .as_ref()
        .ok_or_else(|| Error::sql("action RenewFlightEndpoint: no ticket"))?;
    caller.session.result(&query_of(key, caller, &ticket.ticket)?)?;
    Ok(endpoint.encode_to_vec().into())
}
