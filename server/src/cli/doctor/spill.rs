//! The directory that operators spill to.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::config::Config;
use crate::observe::units;

pub(super) fn finding(config: &Config) -> Finding {
    let finding = Finding::of("Machine", "spill directory");
    let folder = config
        .limits
        .spill_directory
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let Some(existing) = existing(&folder) else {
        return finding.missing(
            format!("{}: no such folder", folder.display()),
            "set spill_directory",
        );
    };
    if let Err(error) = try_write(&existing) {
        return finding.missing(
            format!("{}: cannot be written to: {error}", existing.display()),
            "give the server's user the right to, or set spill_directory",
        );
    }
    let made = if existing == folder { "" } else { " (will be made)" };
    let limit = config.limits.spill_limit.0;
    match free_bytes(&existing) {
        Err(error) => finding.warn(
            format!("{}{made}: free space unknown: {error}", folder.display()),
            "see that there is room for spill_limit",
        ),
        Ok(free) => {
            let found = format!(
                "{}{made}: {} free, spill_limit {}",
                folder.display(),
                units::bytes(free),
                units::bytes(limit)
            );
            match free < limit {
                true => finding.warn(
                    found,
                    "the disk is full before spill_limit is reached: lower it, or spill elsewhere",
                ),
                false => finding.ok(found),
            }
        }
    }
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .map(Path::to_owned)
}

fn try_write(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".warpflight-doctor-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&file)?;
    std::fs::remove_file(&file)
}

fn free_bytes(folder: &Path) -> io::Result<u64> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}
