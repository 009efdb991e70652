//! The times between which a certificate is valid.
//!
//! In: a certificate in DER. Out: two times. Of X.509 (RFC 5280, section 4.1) it reads just the way to them:
//! Certificate { TBSCertificate { [0] version?, serial, algorithm, issuer, Validity { notBefore, notAfter }, ... } }

use std::time::{Duration, SystemTime};

use chrono::NaiveDateTime;

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// From when to when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before this.
    pub not_before: SystemTime,
    /// Not after this.
    pub not_after: SystemTime,
}

impl Validity {
    /// The validity of a certificate; `None` if it does not have X.509's form.
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate, _) = element(certificate)?;
        let (_, body, _) = element(certificate)?;
        let (tag, _, after_first) = element(body)?;
        let serial_on = if tag == EXPLICIT_VERSION {
            after_first
        } else {
            body
        };
        let mut rest = serial_on;
        for _serial_algorithm_issuer in 0..3 {
            rest = element(rest)?.2;
        }
        let (SEQUENCE, times, _) = element(rest)? else {
            return None;
        };
        let (before_tag, before, rest) = element(times)?;
        let (after_tag, after, _) = element(rest)?;
        Some(Self {
            not_before: time(before_tag, before)?,
            not_after: time(after_tag, after)?,
        })
    }
}

/// The first element of `bytes`: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = digits
                .iter()
                .fold(0, |length, &digit| length << 8 | usize::from(digit));
            (length, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// A time: `YYMMDDhhmmssZ` (years 1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn time(tag: u8, text: &[u8]) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?;
    let with_century = match tag {
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&with_century, "%Y%m%d%H%M%SZ").ok()?;
    let seconds = u64::try_from(time.and_utc().timestamp()).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
