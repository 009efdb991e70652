//! What identifies the session on every call: the authorization header and the cookies that the server
//! gave. In: response headers. Out: request headers. Knows nothing of what the calls do.

use std::collections::BTreeMap;

use arrow_flight::flight_service_client::FlightServiceClient;
use tonic::Request;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::Channel;

use super::super::failure::{Failure, Outcome};

/// The largest message taken: what other Flight clients take.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

/// Identity and cookies.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    authorization: Option<AsciiMetadataValue>,
    cookies: BTreeMap<String, String>,
    replaced: bool,
}

impl Headers {
    /// Sends `value` as authorization from now on.
    pub fn authorize(&mut self, value: &str) -> Outcome<()> {
        let mut value: AsciiMetadataValue = value
            .parse()
            .map_err(|_| Failure::usage("the token has characters that no header may have"))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(())
    }

    /// `message` with the session's headers.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        if let Some(value) = &self.authorization {
            metadata.insert("authorization", value.clone());
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            if let Ok(value) = pairs.join("; ").parse() {
                metadata.insert("cookie", value);
            }
        }
        request
    }

    /// Whether the server replaced a cookie since this was last asked: the session is another one.
    pub fn take_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaced)
    }

    /// Keeps what a response sets: its cookies, and a bearer token if it brings one.
    pub fn keep(&mut self, metadata: &MetadataMap) {
        for value in metadata.get_all("set-cookie") {
            let Ok(text) = value.to_str() else { continue };
            let mut parts = text.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let ended = parts.any(|attribute| {
                attribute.split_once('=').is_some_and(|(key, age)| {
                    key.eq_ignore_ascii_case("max-age") && age.trim().parse::<i64>().is_ok_and(|age| age <= 0)
                })
            });
            if ended {
                self.cookies.remove(name);
            } else {
                let old = self.cookies.insert(name.to_owned(), value.to_owned());
                self.replaced |= old.is_some_and(|old| old != value);
            }
        }
        if let Some(value) = metadata.get("authorization")
            && value
                .as_bytes()
                .get(..7)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"bearer "))
        {
            let mut value = value.clone();
            value.set_sensitive(true);
            self.authorization = Some(value);
        }
    }
}

/// A Flight client over `channel` with our message limits.
pub fn flight(channel: Channel) -> FlightServiceClient<Channel> {
    FlightServiceClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(headers: &[(&'static str, &str)]) -> MetadataMap {
        let mut map = MetadataMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn cookies_are_kept_replaced_and_dropped() {
        let mut headers = Headers::default();
        assert!(headers.request(()).metadata().is_empty());
        headers.keep(&response(&[
            ("set-cookie", "s=1; Path=/; HttpOnly"),
            ("set-cookie", "t=a=b"),
        ]));
        assert_eq!(
            headers.request(()).metadata().get("cookie").unwrap(),
            "s=1; t=a=b"
        );
        headers.keep(&response(&[
            ("set-cookie", "s=2"),
            ("set-cookie", "t=; Max-Age=0"),
        ]));
        assert_eq!(headers.request(()).metadata().get("cookie").unwrap(), "s=2");
        assert!(headers.take_replaced());
        headers.keep(&response(&[("set-cookie", "s=2")]));
        assert!(
            !headers.take_replaced(),
            "the same cookie again is the same session"
        );
    }

    #[test]
    fn a_bearer_token_replaces_what_was_sent() {
        let mut headers = Headers::default();
        headers.authorize("Basic eDp5").unwrap();
        headers.keep(&response(&[("authorization", "Bearer abc")]));
        assert_eq!(
            headers.request(()).metadata().get("authorization").unwrap(),
            "Bearer abc"
        );
        headers.keep(&response(&[("authorization", "Basic no")]));
        assert_eq!(
            headers.request(()).metadata().get("authorization").unwrap(),
            "Bearer abc"
        );
        assert!(headers.authorize("Bearer a\nb").is_err());
    }
}
