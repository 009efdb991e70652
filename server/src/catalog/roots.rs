//! The folders and URLs below which users may read (`data_roots`) or write (`write_roots`).
//!
//! In: a normal [`Location`], or a file that is being opened. Out: yes, or a `Denied` error. It
//! knows symbolic links, and neither users nor tables.
//!
//! A location is checked when a statement names it; a file is checked again whenever it is opened,
//! because a link may have been put in its place in between. What was opened is what is checked:
//! on Linux the kernel is asked for the path of the open file (`/proc/self/fd`). Where that is not
//! to be had, the resolved path is opened without following a last link, and resolved once more.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::location::{Location, readable};
use crate::error::{Error, Result};

/// The roots of one option.
#[derive(Debug)]
pub struct Roots {
    option: &'static str,
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    /// A mounted path.
    path: String,
    /// The folder without links, if it is a local one that exists at start.
    resolved: Option<PathBuf>,
}

impl Roots {
    /// The roots that an option lists, as locations.
    ///
    /// # Errors
    /// `Sql` if one is a pattern.
    pub fn new(option: &'static str, locations: Vec<Location>) -> Result<Self> {
        let mut roots = Vec::with_capacity(locations.len());
        for location in locations {
            if location.pattern.is_some() {
                return Err(Error::sql(format!(
                    "option {option}: found the pattern {:?}, expected a folder or a URL",
                    location.written
                )));
            }
            let resolved = local(&location.path).and_then(|path| path.canonicalize().ok());
            roots.push(Root {
                path: location.path,
                resolved,
            });
        }
        Ok(Self { option, roots })
    }

    /// Whether a mounted path is below a root, with all links resolved as far as the path exists.
    ///
    /// # Errors
    /// `Denied` if it is not; the message names the option.
    pub fn check(&self, path: &str) -> Result<()> {
        if self.roots.is_empty() {
            return Err(Error::denied(format!(
                "{}: paths and URLs are not allowed in statements here, option {} names no folder",
                readable(path),
                self.option
            )));
        }
        let allowed = match local(path) {
            None => self.roots.iter().any(|root| is_below(path, &root.path)),
            Some(file) => resolved(&file).is_ok_and(|resolved| self.holds(&resolved)),
        };
        match allowed {
            true => Ok(()),
            false => Err(self.refusal(path)),
        }
    }

    /// Opens a local file for reading, if what is opened lies below a root.
    ///
    /// # Errors
    /// `Denied` as an I/O error of kind `PermissionDenied` if not, else what the system says.
    pub fn open(&self, path: &Path) -> std::io::Result<File> {
        let resolved = path.canonicalize()?;
        if !self.holds(&resolved) {
            return Err(self.io_refusal(path));
        }
        let file = open_regular(&resolved, libc::O_NOFOLLOW)?;
        let opened = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .or_else(|_| path.canonicalize())?;
        // A file that was removed meanwhile is shown as "NAME (deleted)" and still below.
        match self.holds(&opened) {
            true => Ok(file),
            false => Err(self.io_refusal(path)),
        }
    }

    /// Whether a path without links is below a root.
    pub fn holds(&self, resolved: &Path) -> bool {
        self.roots.iter().any(|root| match &root.resolved {
            Some(folder) => resolved.starts_with(folder),
            None => local(&root.path)
                .and_then(|folder| folder.canonicalize().ok())
                .is_some_and(|folder| resolved.starts_with(folder)),
        })
    }

    fn refusal(&self, path: &str) -> Error {
        Error::denied(format!(
            "{}: not below a folder or URL of option {}",
            readable(path),
            self.option
        ))
    }

    fn io_refusal(&self, path: &Path) -> std::io::Error {
        let mounted = format!("file{}", path.display());
        std::io::Error::new(std::io::ErrorKind::PermissionDenied, self.refusal(&mounted))
    }
}

/// Opens a file for reading if it is a regular one: opening a pipe would wait for its writer.
pub fn open_regular(path: &Path, flags: i32) -> std::io::Result<File> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok(file),
        false if metadata.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        false => Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "not a regular file",
        )),
    }
}

/// The file-system path of a mounted path, if it is one.
pub fn local(path: &str) -> Option<PathBuf> {
    match path.strip_prefix("file") {
        Some("") => Some(PathBuf::from("/")),
        Some(rest) if rest.starts_with('/') => Some(PathBuf::from(rest)),
        _ => None,
    }
}

/// Whether one mounted path is another or below it, segment by segment.
pub fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path without links: of what exists the real path, then the rest as it stands.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        outcome => return outcome,
    }
    // A link that leads nowhere yet is not a missing file: what it will lead to is not known.
    if path.is_symlink() {
        return Err(std::io::Error::other("a link that leads nowhere"));
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(resolved(parent)?.join(name)),
        _ => Ok(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;
