//! The tables of the file that are lists: `[[table]]`, `[[user]]` and `[[store]]`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A table that the server serves to those whose grants name it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Its name in SQL.
    pub name: String,
    /// A file, a folder, a pattern with `*`, or a URL of these.
    pub location: String,
    /// `parquet`, `csv`, `json` or `arrow`; by the file names if absent.
    #[serde(default)]
    pub format: Option<String>,
    /// The columns of its Hive-style folders, in order; found from the folder names if absent.
    #[serde(default)]
    pub partition_columns: Option<Vec<String>>,
    /// Options of the format, for example `has_header = "true"` for csv.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What the table holds, shown to clients as its remarks.
    #[serde(default)]
    pub comment: Option<String>,
}

/// A user: who may ask, and for what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEntry {
    /// The name that the user gives.
    pub name: String,
    /// The password's argon2id hash, as `warpflight hash-password` prints it.
    pub password_hash: String,
    /// Names of served tables that the user sees and reads; `*` in a name stands for anything.
    #[serde(default)]
    pub read: Vec<String>,
    /// Whether the user may name paths and URLs below `data_roots` in SQL.
    #[serde(default)]
    pub files: bool,
    /// Whether the user may write below `write_roots` with COPY TO.
    #[serde(default)]
    pub write: bool,
    /// Whether the user sees and cancels the queries of others.
    #[serde(default)]
    pub admin: bool,
}

/// Credentials and settings of an object store, for all URLs that start with `url`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreEntry {
    /// Scheme and bucket, for example `s3://sales`; `s3://` alone is every bucket.
    pub url: String,
    /// Settings by object_store's names: endpoint, region, access_key_id, virtual_hosted_style_request, ...
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}
