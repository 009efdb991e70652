//! Bearer tokens: given for a password, valid until they were not used for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};

use super::rights::Rights;
use crate::error::{Error, Result};
use crate::random;
use crate::session::lock;

/// Tokens held at once; beyond it, the one that was unused for longest goes.
const TOKENS_MAX: usize = 100_000;

/// See the module. Only hashes of tokens are held, so that looking one up takes the same time
/// however much of it is right.
pub struct Tokens {
    lifetime: Duration,
    by_hash: Mutex<HashMap<[u8; 32], Token>>,
}

struct Token {
    rights: Arc<Rights>,
    last_used: Instant,
}

impl Tokens {
    /// None yet; each lives for `lifetime` after its last use.
    pub fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            by_hash: Mutex::default(),
        }
    }

    /// A new token for a user.
    ///
    /// # Errors
    /// `Internal` if the system has no randomness to give.
    pub fn issue(&self, rights: &Arc<Rights>) -> Result<String> {
        let token = random::token(32)?;
        let mut held = lock(&self.by_hash);
        let now = Instant::now();
        if held.len() >= TOKENS_MAX {
            held.retain(|_, token| now - token.last_used < self.lifetime);
        }
        if held.len() >= TOKENS_MAX {
            let oldest = held
                .iter()
                .min_by_key(|(_, token)| token.last_used)
                .map(|(hash, _)| *hash);
            oldest.map(|hash| held.remove(&hash));
        }
        held.insert(
            hash(&token),
            Token {
                rights: Arc::clone(rights),
                last_used: now,
            },
        );
        Ok(token)
    }

    /// The user of a token.
    ///
    /// # Errors
    /// `Unauthenticated` if it is unknown or was not used for too long.
    pub fn check(&self, token: &str) -> Result<Arc<Rights>> {
        let mut held = lock(&self.by_hash);
        let hash = hash(token);
        let now = Instant::now();
        match held.get_mut(&hash) {
            Some(token) if now - token.last_used < self.lifetime => {
                token.last_used = now;
                Ok(Arc::clone(&token.rights))
            }
            _ => {
                held.remove(&hash);
                Err(Error::unauthenticated(
                    "bearer token: unknown or expired; sign in again",
                ))
            }
        }
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_live_from_their_last_use() {
        let rights = Arc::new(Rights::anonymous());
        let tokens = Tokens::new(Duration::from_millis(60));
        let token = tokens.issue(&rights).unwrap();
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(25));
            tokens.check(&token).unwrap();
        }
        std::thread::sleep(Duration::from_millis(80));
        assert!(tokens.check(&token).unwrap_err().message().contains("expired"));
        assert!(tokens.check("garbage").is_err());
    }
}
