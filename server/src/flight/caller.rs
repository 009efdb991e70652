//! Who sent a request: credentials → user, cookie or connection → session.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response};

use super::listen;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::security::rights::Rights;
use crate::session::{Busy, Session};

/// The cookie's name, as Flight SQL servers use it.
const COOKIE: &str = "arrow_flight_session_id";

/// ADBC's Go driver writes credentials without padding, everybody else with it.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who sent a request, and in which session.
pub struct Caller {
    /// The session.
    pub session: Arc<Session>,
    /// Keeps the session from counting as idle while the request is served.
    pub busy: Busy,
    /// The request did not name the session by its cookie: the response offers it.
    offer_cookie: bool,
}

impl Caller {
    /// Finds out who sent a request.
    ///
    /// # Errors
    /// `Unauthenticated` if it does not say so rightly; `Resources` if there are too many sessions.
    pub async fn of<T>(core: &Arc<Core>, request: &Request<T>) -> Result<Self> {
        let rights = rights_of(core, request.metadata()).await?;
        let cookie = cookie_of(request.metadata());
        let connection = listen::connection_of(request.extensions())
            .ok_or_else(|| Error::internal("a request without a connection"))?;
        let (session, began) = core
            .sessions
            .of_request(&rights, cookie.as_deref(), connection.id)?;
        if began {
            let core = Arc::clone(core);
            tokio::spawn(async move {
                connection.closed.cancelled().await;
                core.sessions.connection_closed(connection.id);
            });
        }
        let offer_cookie = cookie.as_deref() != Some(session.id());
        Ok(Self {
            busy: session.enter(),
            session,
            offer_cookie,
        })
    }

    /// The response, offering the session's cookie if the request did not have it.
    pub fn respond<T>(&self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        if self.offer_cookie
            && let Ok(value) = format!("{COOKIE}={}; HttpOnly", self.session.id()).parse()
        {
            response.metadata_mut().insert("set-cookie", value);
        }
        response
    }
}

async fn rights_of(core: &Core, metadata: &MetadataMap) -> Result<Arc<Rights>> {
    if !core.users.required() {
        return Ok(Arc::clone(core.users.anonymous()));
    }
    match credentials(metadata)? {
        Some(Credentials::Bearer(token)) => core.tokens.check(&token),
        Some(Credentials::Basic { user, password }) => core.users.check(&user, &password).await,
        None => Err(Error::unauthenticated(
            "no credentials: sign in with user and password, or send a bearer token",
        )),
    }
}

/// What the `authorization` header says.
pub enum Credentials {
    /// A token from a handshake.
    Bearer(String),
    /// User and password.
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

/// Reads the `authorization` header, if there is one.
///
/// # Errors
/// `Unauthenticated` if it is neither `Basic` nor `Bearer`, or not well-formed.
pub fn credentials(metadata: &MetadataMap) -> Result<Option<Credentials>> {
    let Some(header) = metadata.get("authorization") else {
        return Ok(None);
    };
    let malformed = || {
        Error::unauthenticated(
            "authorization header: expected Basic with user:password, or Bearer with a token",
        )
    };
    let (scheme, rest) = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(malformed)?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Ok(Some(Credentials::Bearer(rest.trim().to_owned()))),
        "basic" => {
            let decoded = BASIC.decode(rest.trim()).map_err(|_| malformed())?;
            let text = String::from_utf8(decoded).map_err(|_| malformed())?;
            let (user, password) = text.split_once(':').ok_or_else(malformed)?;
            Ok(Some(Credentials::Basic {
                user: user.to_owned(),
                password: password.to_owned(),
            }))
        }
        _ => Err(malformed()),
    }
}

fn cookie_of(metadata: &MetadataMap) -> Option<String> {
    let cookies = metadata.get_all("cookie");
    let pairs = cookies
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'));
    let ours = pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE);
    // The last one wins, as in a browser.
    ours.fold(None, |_, (_, value)| Some(value.trim_matches('"').to_owned()))
}
