//! Passwords at rest. In: a password, or the PHC string that stands for it in the configuration.
//! Out: a new PHC string, or whether the two belong together. Knows nothing of users or sessions.
//!
//! Only argon2id is taken: its cheaper relatives are either open to side channels (argon2d) or to
//! trade-off attacks (argon2i), and older schemes are too fast to guess.

use argon2::password_hash::phc::PasswordHash;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use crate::error::{Error, Result};

/// What [`hash`] uses: 19 MiB, two passes, one lane, 32 bytes out. The lowest setting that OWASP's
/// password storage sheet accepts for argon2id; a server checks a password once a session.
const PARAMS: Params = Params::DEFAULT;

/// The longest password taken, in bytes: a bound on what an anonymous caller can make us hash.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// The PHC string (`$argon2id$v=19$m=…`) of `password` under a fresh random salt.
pub fn hash(password: &str) -> Result<String> {
    if password.is_empty() {
        return Err(Error::sql("the password is empty"));
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(too_long(password));
    }
    hasher()
        .hash_password(password.as_bytes())
        .map(|phc: PasswordHash| phc.to_string())
        .map_err(|e| Error::internal(format!("cannot hash the password: {e}")))
}

/// Whether `password` is the one that `phc` was made from. An error only if `phc` itself is not
/// usable. Takes as long for a wrong password as for the right one.
pub fn verify(password: &str, phc: &str) -> Result<bool> {
    let parsed = parse(phc)?;
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    match hasher().verify_password(password.as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(e) => Err(Error::internal(format!("cannot check a password: {e}"))),
    }
}

/// Whether `phc` is an argon2id PHC string that [`verify`] can use; says what is wrong with it if not.
/// The string itself is never repeated in the message.
pub fn check_format(phc: &str) -> Result<()> {
    parse(phc).map(drop)
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

fn parse(phc: &str) -> Result<PasswordHash> {
    let hint = "make one with `warpflight hash-password`";
    if !phc.starts_with('$') {
        return Err(Error::sql(format!(
            "found a password hash that is not a PHC string, expected one that begins with $argon2id$: {hint}"
        )));
    }
    let parsed = PasswordHash::new(phc)
        .map_err(|e| Error::sql(format!("found a password hash that cannot be read ({e}): {hint}")))?;
    if parsed.algorithm != ARGON2ID_IDENT {
        return Err(Error::sql(format!(
            "found a password hash of algorithm {}, expected argon2id: {hint}",
            parsed.algorithm
        )));
    }
    if parsed.version != Some(Version::V0x13 as u32) {
        return Err(Error::sql(format!(
            "found an argon2id hash of another version than 19: {hint}"
        )));
    }
    Params::try_from(&parsed).map_err(|e| {
        Error::sql(format!(
            "found an argon2id hash with parameters out of range ({e}): {hint}"
        ))
    })?;
    if parsed.salt.is_none() || parsed.hash.is_none() {
        return Err(Error::sql(format!(
            "found an argon2id hash without its salt or its digest: {hint}"
        )));
    }
    Ok(parsed)
}

fn too_long(password: &str) -> Error {
    Error::sql(format!(
        "the password has {} bytes, expected at most {PASSWORD_BYTES_MAX}",
        password.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_verifies_only_its_own_password() {
        let phc = hash("correct horse ü").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify("correct horse ü", &phc).unwrap());
        assert!(!verify("correct horse u", &phc).unwrap());
        assert!(!verify("", &phc).unwrap());
        assert_ne!(phc, hash("correct horse ü").unwrap(), "the salt is not fresh");
        assert!(!verify(&"x".repeat(PASSWORD_BYTES_MAX + 1), &phc).unwrap());
    }

    #[test]
    fn empty_and_endless_passwords_are_refused() {
        assert!(hash("").unwrap_err().message().contains("empty"));
        assert!(
            hash(&"x".repeat(PASSWORD_BYTES_MAX + 1))
                .unwrap_err()
                .message()
                .contains("1025 bytes")
        );
    }

    #[test]
    fn only_argon2id_is_taken() {
        let digest = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let salt = "c2FsdHNhbHRzYWx0c2FsdA";
        let of = |head: &str| format!("${head}${salt}${digest}");
        assert!(check_format(&of("argon2id$v=19$m=19456,t=2,p=1")).is_ok());
        for (phc, says) in [
            (of("argon2i$v=19$m=19456,t=2,p=1"), "algorithm argon2i,"),
            (of("argon2d$v=19$m=19456,t=2,p=1"), "algorithm argon2d,"),
            (of("argon2id$v=16$m=19456,t=2,p=1"), "version"),
            (of("argon2id$v=19$m=1,t=2,p=1"), "parameters out of range"),
            (of("pbkdf2-sha256$i=600000"), "algorithm pbkdf2-sha256"),
            ("$2b$12$abcdefghijklmnopqrstuv".into(), "cannot be read"),
            ("$argon2id$v=19$m=19456,t=2,p=1".into(), "without its salt"),
            ("hunter2".into(), "not a PHC string"),
            (String::new(), "not a PHC string"),
        ] {
            let message = check_format(&phc).unwrap_err().message().to_owned();
            assert!(message.contains(says), "{phc}: {message}");
            assert!(!message.contains("hunter2"), "the message repeats the secret");
            assert!(verify("x", &phc).is_err());
        }
    }
}
