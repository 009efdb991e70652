//! The kinds of stores: what their options are called and how one is made.
//!
//! In: a mount, options by object_store's names, variables of the environment. Out: a store.
//! It keeps none, and does not know which entry the options come from.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::{ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};

use super::location::CONFIGURED_ACCOUNT;
use crate::error::{Error, Result};

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The machine's file system.
    File,
    /// S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// A web server, with TLS or without.
    Web,
}

/// Limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long it may take.
    pub timeout: Duration,
    /// How often it is tried again.
    pub retries: usize,
}

impl Kind {
    /// The kind of a mounted path's first segment.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        Some(match scheme {
            "file" => Self::File,
            "s3" => Self::S3,
            "gs" => Self::Google,
            "az" => Self::Azure,
            "http" | "https" => Self::Web,
            _ => return None,
        })
    }

    /// The kind and the mount of a mounted path: as many segments as name the store.
    pub fn of_path(path: &str) -> Option<(Self, &str)> {
        let kind = Self::of_scheme(path.split('/').next()?)?;
        let segments = match kind {
            Self::File => 1,
            Self::S3 | Self::Google | Self::Web => 2,
            Self::Azure => 3,
        };
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        ends.take(segments)
            .collect::<Vec<_>>()
            .get(segments - 1)
            .map(|end| (kind, &path[..*end]))
    }

    /// A mount to try options with.
    pub fn sample_mount(self, account: Option<&str>) -> String {
        match self {
            Self::File => "file".into(),
            Self::S3 => "s3/sample".into(),
            Self::Google => "gs/sample".into(),
            Self::Azure => format!("az/{}/sample", account.unwrap_or("sample")),
            Self::Web => "https/localhost".into(),
        }
    }

    /// Whether it has an option of this name.
    pub fn knows(self, name: &str) -> bool {
        match self {
            Self::File => false,
            Self::S3 => AmazonS3ConfigKey::from_str(name).is_ok(),
            Self::Google => GoogleConfigKey::from_str(name).is_ok(),
            Self::Azure => AzureConfigKey::from_str(name).is_ok(),
            Self::Web => ClientConfigKey::from_str(name).is_ok(),
        }
    }

    /// Its name in messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::File => "local files",
            Self::S3 => "S3",
            Self::Google => "Google Cloud Storage",
            Self::Azure => "Azure Blob Storage",
            Self::Web => "a web server",
        }
    }
}

/// The account that options set, if they set one.
pub fn azure_account(options: &BTreeMap<String, String>) -> Option<String> {
    options
        .iter()
        .find(|(name, _)| {
            matches!(
                AzureConfigKey::from_str(&name.to_ascii_lowercase()),
                Ok(AzureConfigKey::AccountName)
            )
        })
        .map(|(_, value)| value.clone())
}

/// Makes the store of a mount; `None` for local files, which need none.
///
/// # Errors
/// `Data` if object_store refuses the options.
pub fn make(
    kind: Kind,
    mount: &str,
    environment: &BTreeMap<String, String>,
    options: &BTreeMap<String, String>,
    limits: Limits,
) -> Result<Option<Arc<dyn ObjectStore>>> {
    let (_, name) = mount.split_once('/').unwrap_or((mount, ""));
    let retry = RetryConfig {
        max_retries: limits.retries,
        // Every try may take its whole time, and the waits between them.
        retry_timeout: limits
            .timeout
            .saturating_mul(u32::try_from(limits.retries + 1).unwrap_or(u32::MAX))
            .saturating_add(Duration::from_secs(60)),
        ..RetryConfig::default()
    };
    let client = match limits.timeout {
        Duration::MAX => ClientOptions::new().with_timeout_disabled(),
        timeout => ClientOptions::new()
            .with_timeout(timeout)
            .with_connect_timeout(timeout.min(Duration::from_secs(5))),
    };
    let failed =
        |error: object_store::Error| Error::data(format!("{}: {error}", super::location::readable(mount)));
    let store: Arc<dyn ObjectStore> = match kind {
        Kind::File => return Ok(None),
        Kind::S3 => {
            let mut builder = AmazonS3Builder::new()
                .with_client_options(client)
                .with_retry(retry);
            for (key, value) in settings::<AmazonS3ConfigKey>(environment, "AWS_", options) {
                builder = builder.with_config(key, value);
            }
            Arc::new(builder.with_bucket_name(name).build().map_err(failed)?)
        }
        Kind::Google => {
            let mut builder = GoogleCloudStorageBuilder::new()
                .with_client_options(client)
                .with_retry(retry);
            for (key, value) in settings::<GoogleConfigKey>(environment, "GOOGLE_", options) {
                builder = builder.with_config(key, value);
            }
            Arc::new(builder.with_bucket_name(name).build().map_err(failed)?)
        }
        Kind::Azure => {
            let mut builder = MicrosoftAzureBuilder::new()
                .with_client_options(client)
                .with_retry(retry);
            for (key, value) in settings::<AzureConfigKey>(environment, "AZURE_", options) {
                builder = builder.with_config(key, value);
            }
            let (account, container) = name.split_once('/').unwrap_or((CONFIGURED_ACCOUNT, name));
            if account != CONFIGURED_ACCOUNT {
                builder = builder.with_account(account);
            }
            Arc::new(builder.with_container_name(container).build().map_err(failed)?)
        }
        Kind::Web => {
            let (scheme, host) = mount.split_once('/').unwrap_or(("https", mount));
            let mut builder = HttpBuilder::new()
                .with_url(format!("{scheme}://{host}"))
                .with_client_options(client.with_allow_http(scheme == "http"))
                .with_retry(retry);
            for (key, value) in settings::<ClientConfigKey>(&BTreeMap::new(), "", options) {
                builder = builder.with_config(key, value);
            }
            Arc::new(builder.build().map_err(failed)?)
        }
    };
    Ok(Some(store))
}

/// The settings in the order in which they are applied: the environment's, then the entry's over them.
fn settings<K: FromStr>(
    environment: &BTreeMap<String, String>,
    prefix: &str,
    options: &BTreeMap<String, String>,
) -> Vec<(K, String)> {
    let variables = environment
        .iter()
        .filter(|(name, _)| name.starts_with(prefix) && !prefix.is_empty())
        .map(|(name, value)| (name.to_ascii_lowercase(), value));
    let entry = options.iter().map(|(name, value)| (name.clone(), value));
    variables
        .chain(entry)
        // Variables that object_store does not know are other programs'; an entry's were checked.
        .filter_map(|(name, value)| Some((K::from_str(&name).ok()?, value.clone())))
        .collect()
}
