//! A Flight SQL client, as thin as a shell needs. In: statements. Out: batches as they arrive, rows
//! affected, or a failure with its exit code. Knows nothing of terminals or formats.

mod catalog;
mod headers;
mod rows;
mod target;

use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    Any, CommandStatementQuery, CommandStatementUpdate, DoPutUpdateResult, ProstMessageExt,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use tokio::time::timeout;
use tonic::transport::Channel;

pub use catalog::{Column, Relation};
pub use rows::Rows;
pub use target::{Target, Trust};

use super::failure::{Failure, FailureKind, Outcome};
use headers::{Headers, flight};

/// How long goodbyes may take: cancelling and closing are courtesies.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// Who asks.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// A bearer token.
    Token(String),
    /// Exchanged for a token at connect.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
}

/// Where, how and who.
#[derive(Clone)]
pub struct ConnectOptions {
    /// The server.
    pub target: Target,
    /// Its certificate.
    pub trust: Trust,
    /// The user.
    pub credentials: Credentials,
}

/// An open session; clones share its connection.
#[derive(Clone)]
pub struct Client {
    options: ConnectOptions,
    flight: FlightServiceClient<Channel>,
    headers: Headers,
}

impl Client {
    /// Connects and, if there are credentials, presents them.
    pub async fn connect(options: ConnectOptions) -> Outcome<Self> {
        let channel = options.target.connect(&options.trust).await?;
        let mut client = Self {
            options,
            flight: flight(channel),
            headers: Headers::default(),
        };
        client.authenticate().await?;
        Ok(client)
    }

    /// A new connection and a new session in place of this one.
    pub async fn reconnect(&mut self) -> Outcome<()> {
        *self = Self::connect(self.options.clone()).await?;
        Ok(())
    }

    /// The server's address, for people.
    pub fn address(&self) -> &str {
        &self.options.target.display
    }

    /// Whether the server has put us into another session since this was last asked, as it does after a
    /// restart or when the old one expired.
    pub fn take_new_session(&mut self) -> bool {
        self.headers.take_replaced()
    }

    async fn authenticate(&mut self) -> Outcome<()> {
        match self.options.credentials.clone() {
            Credentials::None => Ok(()),
            Credentials::Token(token) => self.headers.authorize(&format!("Bearer {token}")),
            Credentials::Password { user, password } => {
                let basic = base64(format!("{user}:{password}").as_bytes());
                self.headers.authorize(&format!("Basic {basic}"))?;
                let hello = HandshakeRequest {
                    protocol_version: 0,
                    payload: Bytes::new(),
                };
                let request = self.headers.request(stream::iter([hello]));
                let response = self
                    .flight
                    .handshake(request)
                    .await
                    .map_err(|e| self.explain(&e))?;
                // A server that answers without a bearer token wants the password on every call.
                self.headers.keep(response.metadata());
                response
                    .into_inner()
                    .try_collect::<Vec<_>>()
                    .await
                    .map_err(|e| self.explain(&e))?;
                Ok(())
            }
        }
    }

    /// Presents the password again if the server forgot us; false if there is nothing to present.
    async fn renew(&mut self, status: &tonic::Status) -> bool {
        status.code() == tonic::Code::Unauthenticated
            && matches!(self.options.credentials, Credentials::Password { .. })
            && self.authenticate().await.is_ok()
    }

    /// Plans `sql` on the server.
    pub async fn query(&mut self, sql: &str) -> Outcome<FlightInfo> {
        self.info(
            CommandStatementQuery {
                query: sql.to_owned(),
                transaction_id: None,
            }
            .as_any(),
        )
        .await
    }

    /// `GetFlightInfo` for any Flight SQL command.
    async fn info(&mut self, command: Any) -> Outcome<FlightInfo> {
        let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
        let mut again = true;
        loop {
            let request = self.headers.request(descriptor.clone());
            match self.flight.get_flight_info(request).await {
                Ok(response) => {
                    self.headers.keep(response.metadata());
                    return Ok(response.into_inner());
                }
                Err(status) if again && self.renew(&status).await => again = false,
                Err(status) => return Err(self.explain(&status)),
            }
        }
    }

    /// The rows of a planned query.
    pub async fn rows(&mut self, info: &FlightInfo) -> Outcome<Rows> {
        Rows::open(info, &self.flight, &mut self.headers, &self.options).await
    }

    /// Runs a statement that has no rows. The number of rows affected, if the server says.
    pub async fn update(&mut self, sql: &str) -> Outcome<Option<u64>> {
        let command = CommandStatementUpdate {
            query: sql.to_owned(),
            transaction_id: None,
        }
        .as_any();
        let descriptor = FlightDescriptor::new_cmd(command.encode_to_vec());
        let mut again = true;
        loop {
            let data = FlightData {
                flight_descriptor: Some(descriptor.clone()),
                ..Default::default()
            };
            let request = self.headers.request(stream::iter([data]));
            let status = match self.flight.do_put(request).await {
                Ok(response) => {
                    self.headers.keep(response.metadata());
                    match response.into_inner().message().await {
                        Ok(answer) => return affected(answer.map(|a| a.app_metadata)),
                        Err(status) => status,
                    }
                }
                Err(status) => status,
            };
            if !(again && self.renew(&status).await) {
                return Err(self.explain(&status));
            }
            again = false;
        }
    }

    /// Asks the server to stop a query whose stream was dropped. Nothing to do if it cannot.
    pub async fn cancel(&mut self, info: FlightInfo) {
        let body = CancelFlightInfoRequest { info: Some(info) }.encode_to_vec();
        self.goodbye("CancelFlightInfo", body).await;
    }

    /// Ends the session on the server.
    pub async fn close(&mut self) {
        self.goodbye("CloseSession", Vec::new()).await;
    }

    async fn goodbye(&mut self, name: &str, body: Vec<u8>) {
        let action = Action {
            r#type: name.to_owned(),
            body: body.into(),
        };
        let request = self.headers.request(action);
        // Whether the server answers changes nothing here, and many know neither action.
        let _ = timeout(GOODBYE_TIMEOUT, async {
            if let Ok(response) = self.flight.do_action(request).await {
                response.into_inner().map(drop).collect::<()>().await;
            }
        })
        .await;
    }

    /// As if the connection had TLS.
    #[cfg(test)]
    pub fn pretend_tls(&mut self) {
        self.options.target.tls = true;
    }

    /// A status as a failure, with what to try.
    fn explain(&self, status: &tonic::Status) -> Failure {
        let mut failure = Failure::from_status(status);
        let unnamed = matches!(self.options.credentials, Credentials::None);
        if status.code() == tonic::Code::Unauthenticated && unnamed {
            failure.message.push_str(" (pass --user, or --token)");
        }
        if failure.kind == FailureKind::Connection
            && !self.options.target.tls
            && failure.message.contains("http2 error")
        {
            failure
                .message
                .push_str(" (does the server want TLS? then the URL begins with grpc+tls://)");
        }
        failure
    }
}

fn affected(metadata: Option<Bytes>) -> Outcome<Option<u64>> {
    let Some(metadata) = metadata else { return Ok(None) };
    let result = DoPutUpdateResult::decode(metadata)
        .map_err(|e| Failure::query(format!("the server's answer to an update cannot be read: {e}")))?;
    Ok(u64::try_from(result.record_count).ok())
}

/// Standard base64 with padding, as HTTP's basic scheme wants it (RFC 4648 section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut word = [0; 3];
        word[..group.len()].copy_from_slice(group);
        let word = u32::from_be_bytes([0, word[0], word[1], word[2]]);
        for digit in 0..4 {
            if digit > group.len() {
                out.push('=');
            } else {
                out.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn affected_rows() {
        let count = |n| affected(Some(DoPutUpdateResult { record_count: n }.encode_to_vec().into())).unwrap();
        assert_eq!(count(7), Some(7));
        assert_eq!(count(-1), None);
        assert_eq!(affected(None).unwrap(), None);
        assert!(affected(Some(Bytes::from_static(b"\xff\xff"))).is_err());
    }
}
