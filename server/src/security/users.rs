//! The configured users: names, password hashes, rights.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::password;
use super::rights::Rights;
use crate::config::tables::UserEntry;
use crate::error::{Error, Result};

/// How many passwords are checked at once: each check takes memory and a core on purpose.
const CHECKS_AT_ONCE: usize = 2;

/// See the module.
pub struct Users {
    by_name: HashMap<String, User>,
    anonymous: Arc<Rights>,
    /// Checked when the name is unknown, so that an unknown name takes as long as a wrong password.
    decoy_hash: Arc<str>,
    checks: Semaphore,
}

struct User {
    rights: Arc<Rights>,
    password_hash: Arc<str>,
}

impl Users {
    /// The users of a configuration.
    ///
    /// # Errors
    /// `Sql` if a name is empty or there twice, or a hash is not argon2id's.
    pub fn new(entries: &[UserEntry]) -> Result<Self> {
        let mut by_name = HashMap::new();
        for entry in entries {
            let context = format!("[[user]] {:?}", entry.name);
            if entry.name.is_empty() || entry.name.contains(':') {
                return Err(Error::sql(format!("{context}: expected a name without a colon")));
            }
            password::check_format(&entry.password_hash)
                .map_err(|error| error.context(format_args!("{context}: password_hash")))?;
            let user = User {
                rights: Arc::new(Rights::of(entry)),
                password_hash: entry.password_hash.as_str().into(),
            };
            if by_name.insert(entry.name.clone(), user).is_some() {
                return Err(Error::sql(format!(
                    "{context}: there twice, expected distinct names"
                )));
            }
        }
        let decoy_hash = match entries {
            [] => "".into(),
            _ => password::hash(&crate::random::token(16)?)?.into(),
        };
        let anonymous = Arc::new(Rights::anonymous());
        Ok(Self {
            by_name,
            anonymous,
            decoy_hash,
            checks: Semaphore::new(CHECKS_AT_ONCE),
        })
    }

    /// Whether anybody must say who they are.
    pub fn required(&self) -> bool {
        !self.by_name.is_empty()
    }

    /// The rights of everybody where authentication is off.
    pub fn anonymous(&self) -> &Arc<Rights> {
        &self.anonymous
    }

    /// The rights of a user who knows the password.
    ///
    /// # Errors
    /// `Unauthenticated`, with the same words for an unknown name and a wrong password.
    pub async fn check(&self, name: &str, password: &str) -> Result<Arc<Rights>> {
        let user = self.by_name.get(name);
        let hash = Arc::clone(user.map_or(&self.decoy_hash, |user| &user.password_hash));
        let password = password.to_owned();
        let _permit = self
            .checks
            .acquire()
            .await
            .map_err(|_| Error::unavailable("the server is shutting down"))?;
        let fits = tokio::task::spawn_blocking(move || password::verify(&password, &hash))
            .await
            .map_err(|error| Error::internal(format!("password check: {error}")))??;
        match user {
            Some(user) if fits => Ok(Arc::clone(&user.rights)),
            _ => Err(Error::unauthenticated(format!(
                "user {name:?}: unknown name or wrong password"
            ))),
        }
    }
}
