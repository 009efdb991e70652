//! Handshake: user and password for a bearer token, in the response's header and its payload.
//!
//! Answered also where authentication is off: clients that were given a user and a password expect
//! a token and would not connect without one.

use arrow_flight::{BasicAuth, HandshakeRequest, HandshakeResponse};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::caller::{Credentials, credentials};
use crate::core::Core;
use crate::error::Error;

/// Answers a handshake.
///
/// # Errors
/// `Unauthenticated` for wrong credentials.
pub async fn handshake(
    core: &Core,
    request: Request<Streaming<HandshakeRequest>>,
) -> Result<Response<BoxStream<'static, Result<HandshakeResponse, Status>>>, Status> {
    let (metadata, _, messages) = request.into_parts();
    let token = match credentials(&metadata)? {
        Some(Credentials::Bearer(token)) if core.users.required() => {
            core.tokens.check(&token).map(|_| token)?
        }
        Some(Credentials::Basic { user, password }) => sign_in(core, &user, &password).await?,
        _ => {
            let (user, password) = payload(messages).await?;
            sign_in(core, &user, &password).await?
        }
    };
    let message = HandshakeResponse {
        protocol_version: 0,
        payload: token.clone().into(),
    };
    let mut response = Response::new(futures::stream::once(async { Ok(message) }).boxed());
    let header = format!("Bearer {token}")
        .parse()
        .map_err(|_| Error::internal("bearer token: not a header value"))?;
    response.metadata_mut().insert("authorization", header);
    Ok(response)
}

async fn sign_in(core: &Core, user: &str, password: &str) -> Result<String, Error> {
    match core.users.required() {
        true => core.tokens.issue(&core.users.check(user, password).await?),
        false => core.tokens.issue(core.users.anonymous()),
    }
}

/// User and password of a client that sends them as the first message, empty if it sends none.
async fn payload(mut messages: Streaming<HandshakeRequest>) -> Result<(String, String), Status> {
    let Some(first) = messages.try_next().await? else {
        return Ok(Default::default());
    };
    let auth = BasicAuth::decode(first.payload)
        .map_err(|error| Status::invalid_argument(format!("handshake: payload is not BasicAuth: {error}")))?;
    Ok((auth.username, auth.password))
}
