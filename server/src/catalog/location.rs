//! What a user or the configuration writes as a place of data, in one normal form.
//!
//! In: a path, a pattern or a URL as text. Out: a [`Location`]: the store, the path in it, decoded
//! once and free of `.`, `..` and empty segments, and a pattern if one was written. It touches no
//! file and no network, and does not know who asks: that is `roots`.
//!
//! The normal form is one path for all stores, the *mounted path*, whose first segments name the store:
//!
//! | written | mounted path |
//! |---|---|
//! | `/data/x.parquet`, `file:///data/x.parquet` | `file/data/x.parquet` |
//! | `s3://bucket/key` | `s3/bucket/key` |
//! | `gs://bucket/key` | `gs/bucket/key` |
//! | `az://container/key`, `abfss://container@account.dfs.core.windows.net/key` | `az/account/container/key` |
//! | `https://host:port/path` | `https/host:port/path` |

use std::path::Path as FilePath;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, Result};

/// A place of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The mounted path, up to the first segment with a wildcard; no slash at either end.
    pub path: String,
    /// What follows, if a pattern was written: segments with `*`, `?`, `[...]` or `**`.
    pub pattern: Option<String>,
    /// Whether it was written with a slash at its end, which says "folder".
    pub folder: bool,
    /// As it was written, for messages.
    pub written: String,
}

/// What stands for an Azure account that the URL does not name: the configured one.
pub const CONFIGURED_ACCOUNT: &str = "-";

const WILDCARDS: [char; 3] = ['*', '?', '['];

impl Location {
    /// Reads a location; relative paths are relative to `folder`, the server's own.
    ///
    /// # Errors
    /// `Sql` if it is not one: the message holds the text and what was expected.
    pub fn parse(text: &str, folder: &FilePath) -> Result<Self> {
        let refuse = |what: &str| Err(Error::sql(format!("location {text:?}: {what}")));
        if text.is_empty() {
            return refuse("found nothing, expected a path or a URL");
        }
        if text.contains(|c: char| c.is_ascii_control()) {
            return refuse("found a control character, expected a path or a URL");
        }
        if text.contains('\\') {
            return refuse("found a backslash, expected / between folders");
        }
        if text.starts_with('~') {
            return refuse("~ is not expanded, write the whole path");
        }
        let parsed = match scheme_of(text) {
            None => of_path(text, folder),
            Some((scheme, rest)) => of_url(&scheme, rest),
        };
        parsed
            .map(|(path, pattern)| Self {
                path,
                pattern,
                folder: text.ends_with('/'),
                written: text.to_owned(),
            })
            .map_err(|what| Error::sql(format!("location {text:?}: {what}")))
    }

    /// The mounted path's segments.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }

    /// The last segment of the path, for example a file's name.
    pub fn last(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is on a web server that need not be able to list folders.
    pub fn is_web(&self) -> bool {
        matches!(self.segments().next(), Some("http" | "https"))
    }

    /// The location of something below this one; `rest` is a relative mounted path.
    pub fn below(&self, rest: &str, folder: bool) -> Self {
        let slash = if folder { "/" } else { "" };
        Self {
            path: format!("{}/{rest}", self.path),
            pattern: None,
            folder,
            written: format!("{}/{rest}{slash}", self.written.trim_end_matches('/')),
        }
    }
}

/// The path or URL that a mounted path stands for, as a person would write it.
pub fn readable(mounted: &str) -> String {
    let (scheme, rest) = mounted.split_once('/').unwrap_or((mounted, ""));
    match scheme {
        "file" => format!("/{rest}"),
        "az" => match rest.split_once('/') {
            Some((CONFIGURED_ACCOUNT, rest)) => format!("az://{rest}"),
            Some((account, rest)) => {
                let (container, key) = rest.split_once('/').unwrap_or((rest, ""));
                format!("abfss://{container}@{account}.dfs.core.windows.net/{key}")
            }
            None => mounted.to_owned(),
        },
        _ => format!("{scheme}://{rest}"),
    }
}

/// What must be encoded in the path of a URL so that decoding it once gives the path back.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'?')
    .add(b'#')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|')
    .add(b'[')
    .add(b']');

/// A mounted path as the path of a URL.
pub fn url_path(mounted: &str) -> String {
    utf8_percent_encode(mounted, ENCODED).to_string()
}

/// The scheme in small letters and what follows `scheme:`, if the text is a URL.
fn scheme_of(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let scheme = scheme.to_ascii_lowercase();
    // A file may have a colon in its name; `file:/x` is a URL with one slash only.
    (is_scheme && (rest.starts_with("//") || (scheme == "file" && rest.starts_with('/'))))
        .then_some((scheme, rest))
}

type Parsed = std::result::Result<(String, Option<String>), String>;

fn of_path(text: &str, folder: &FilePath) -> Parsed {
    let (fixed, pattern) = split_pattern(text);
    let fixed = match text.starts_with('/') {
        true => fixed.to_owned(),
        // Joined after the split: a wildcard in the name of the server's folder is no wildcard.
        false => {
            let folder = folder
                .to_str()
                .ok_or("the server's folder is not UTF-8, write an absolute path")?;
            format!("{folder}/{fixed}")
        }
    };
    let segments = normal_segments(&fixed, "the file system")?;
    Ok((join("file", &segments), pattern.map(checked_pattern).transpose()?))
}

fn of_url(scheme: &str, rest: &str) -> Parsed {
    if let Some(found) = rest.find(['?', '#']) {
        return Err(format!(
            "found {:?}, expected a URL without a query or a fragment (%3F and %23 stand for ? and #)",
            &rest[found..]
        ));
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        },
        None => ("", rest),
    };
    let mount = mount_of(scheme, authority)?;
    let (fixed, pattern) = split_pattern(path);
    let decode = |text: &str| {
        let decoded = percent_decode_str(text)
            .decode_utf8()
            .map_err(|_| "the percent-encoded bytes are not UTF-8".to_owned())?
            .into_owned();
        match decoded.contains(|c: char| c.is_ascii_control() || c == '\\') {
            true => Err("found an encoded control character or backslash".to_owned()),
            false => Ok(decoded),
        }
    };
    let fixed = normal_segments(&decode(fixed)?, &mount)?;
    let pattern = pattern
        .map(|pattern| checked_pattern(&decode(pattern)?))
        .transpose()?;
    Ok((join(&mount, &fixed), pattern))
}

/// The first segments of the mounted path, from a URL's scheme and authority.
fn mount_of(scheme: &str, authority: &str) -> Result<String, String> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let azure = matches!(scheme, "az" | "azure" | "abfs" | "abfss");
    if user.is_some() && !azure {
        return Err("found a user in the URL, expected credentials in the configuration".into());
    }
    match scheme {
        "file" => match authority {
            "" | "localhost" => Ok("file".into()),
            host => Err(format!("found host {host:?}, expected file:/// and a path")),
        },
        "s3" | "s3a" => Ok(format!("s3/{}", name(host, "bucket")?)),
        "gs" => Ok(format!("gs/{}", name(host, "bucket")?)),
        _ if azure => match user {
            None => Ok(format!("az/{CONFIGURED_ACCOUNT}/{}", name(host, "container")?)),
            Some(container) => {
                let account = host.split('.').next().unwrap_or_default();
                let known = [".dfs.core.windows.net", ".blob.core.windows.net", ""];
                if !known.contains(&&host[account.len()..]) {
                    return Err(format!(
                        "found host {host:?}, expected ACCOUNT.dfs.core.windows.net"
                    ));
                }
                Ok(format!(
                    "az/{}/{}",
                    name(account, "account")?.to_ascii_lowercase(),
                    name(container, "container")?
                ))
            }
        },
        "http" | "https" => {
            // The URL standard's own reading of the host: 0x7f.1 is 127.0.0.1, HOST is host.
            let url = url::Url::parse(&format!("{scheme}://{authority}/"))
                .map_err(|error| format!("{error}, expected a host"))?;
            let host = url.host_str().ok_or("found no host")?;
            Ok(match url.port() {
                Some(port) => format!("{scheme}/{host}:{port}"),
                None => format!("{scheme}/{host}"),
            })
        }
        other => Err(format!(
            "found scheme {other:?}, expected a path or one of file, s3, gs, az, abfss, https, http"
        )),
    }
}

fn name(text: &str, what: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && !text.starts_with('.')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '$'));
    match fits {
        true => Ok(text.to_owned()),
        false => Err(format!("found {text:?}, expected the name of a {what}")),
    }
}

/// The segments of a path without empty ones, `.` and `..`.
fn normal_segments(path: &str, whole: &str) -> Result<Vec<String>, String> {
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments
                    .pop()
                    .ok_or_else(|| format!("found .. that leads out of {whole}"))?;
            }
            segment => segments.push(segment.to_owned()),
        }
    }
    Ok(segments)
}

fn join(mount: &str, segments: &[String]) -> String {
    let mut path = mount.to_owned();
    for segment in segments {
        path.push('/');
        path.push_str(segment);
    }
    path
}

/// Splits before the first segment with a wildcard.
fn split_pattern(path: &str) -> (&str, Option<&str>) {
    match path.find(WILDCARDS) {
        None => (path, None),
        Some(wildcard) => {
            let start = path[..wildcard].rfind('/').map_or(0, |slash| slash + 1);
            (&path[..start], Some(&path[start..]))
        }
    }
}

fn checked_pattern(pattern: &str) -> Result<String, String> {
    match pattern.split('/').any(|segment| matches!(segment, "." | "..")) {
        true => Err("found . or .. behind a wildcard".into()),
        false => Ok(pattern.to_owned()),
    }
}

#[cfg(test)]
mod tests;
