//! Ids and tokens that cannot be guessed.

use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Result};

/// So many random bytes.
///
/// # Errors
/// `Internal` if the system has no randomness to give.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::internal("the system gave no random bytes"))?;
    Ok(bytes)
}

/// A text of `2 * count` hexadecimal digits from `count` random bytes, at most 32.
///
/// # Errors
/// As [`bytes`].
pub fn token(count: usize) -> Result<String> {
    let random: [u8; 32] = bytes()?;
    Ok(hex(&random[..count.min(32)]))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
