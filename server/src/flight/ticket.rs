//! Tickets: which result of which session, signed, so that none can be made up or passed on.
//!
//! A ticket's handle is `session id . query id . tag`, the tag an HMAC-SHA256 of the rest under a
//! key that this process made at its start.

use ring::hmac;

use crate::error::{Error, Result};
use crate::random;

/// Signs tickets and checks them.
pub struct TicketKey(hmac::Key);

impl TicketKey {
    /// A new key.
    ///
    /// # Errors
    /// `Internal` if the system has no randomness to give.
    pub fn new() -> Result<Self> {
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()?)))
    }

    /// The handle of a session's result.
    pub fn seal(&self, session: &str, query: &str) -> Vec<u8> {
        let body = format!("{session}.{query}");
        let tag = hmac::sign(&self.0, body.as_bytes());
        format!("{body}.{}", random::hex(tag.as_ref())).into_bytes()
    }

    /// The query of a handle that was sealed for this session.
    ///
    /// # Errors
    /// `Sql` if it is not a ticket of ours, `Denied` if it is another session's.
    pub fn open(&self, handle: &[u8], session: &str) -> Result<String> {
        let forged = || Error::sql("ticket: not one that this server issued");
        let text = std::str::from_utf8(handle).map_err(|_| forged())?;
        let (body, tag) = text.rsplit_once('.').ok_or_else(forged)?;
        let tag = unhex(tag).ok_or_else(forged)?;
        hmac::verify(&self.0, body.as_bytes(), &tag).map_err(|_| forged())?;
        let (owner, query) = body.split_once('.').ok_or_else(forged)?;
        match owner == session {
            true => Ok(query.to_owned()),
            false => Err(Error::denied(
                "ticket: of another session; redeem it on the connection (or with the cookie) that it was given to",
            )),
        }
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| Some((value(pair[0])? * 16 + value(*pair.get(1)?)?) as u8);
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_for_the_session_opens() {
        let key = TicketKey::new().unwrap();
        let handle = key.seal("s1", "q1");
        assert_eq!(key.open(&handle, "s1").unwrap(), "q1");
        assert!(
            key.open(&handle, "s2")
                .unwrap_err()
                .message()
                .contains("another session")
        );
        for position in 0..handle.len() {
            let mut forged = handle.clone();
            forged[position] ^= 1;
            assert!(key.open(&forged, "s1").is_err(), "{position}");
        }
        assert!(TicketKey::new().unwrap().open(&handle, "s1").is_err());
        for garbage in [
            &b""[..],
            b".",
            b"..",
            b"s1.q1.",
            b"s1.q1.zz",
            b"\xff\xfe",
            &[b'a'; 100_000],
        ] {
            assert!(key.open(garbage, "s1").is_err());
        }
    }
}
