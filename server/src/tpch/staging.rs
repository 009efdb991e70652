//! Where tables are written until they are complete. In: the output folder. Out: a folder to write
//! in, and the one step that makes its contents appear under their final names.
//!
//! If the output folder does not exist, the staging folder is its sibling and is renamed as a whole.
//! If it exists, staging happens inside it and each table is renamed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::Table;
use super::file::io_error;
use crate::error::{Error, Result};

const LOCK: &str = "lock";
const INSIDE: &str = ".tpch.partial";

/// A folder that goes away again unless it is published.
pub(super) struct Staging {
    dir: PathBuf,
    out: PathBuf,
    tables: Vec<Table>,
    whole: bool,
    /// Held until the end: a second writer to the same folder is refused.
    lock: Option<File>,
}

impl Staging {
    /// Prepares to write `tables` to `out`. Removes what a killed writer left behind.
    pub fn create(out: &Path, tables: &[Table], overwrite: bool) -> Result<Self> {
        let exists = match fs::metadata(out) {
            Ok(found) if found.is_dir() => true,
            Ok(_) => {
                return Err(Error::data(format!(
                    "{} is a file, expected a folder",
                    out.display()
                )));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => false,
            Err(e) => return Err(io_error(out, &e)),
        };
        let dir = if exists {
            check_contents(out, tables, overwrite)?;
            out.join(INSIDE)
        } else {
            let name = out.file_name().ok_or_else(|| {
                Error::sql(format!("found {}, expected the name of a folder", out.display()))
            })?;
            out.with_file_name(format!(".{}.partial", name.to_string_lossy()))
        };
        fs::create_dir_all(&dir).map_err(|e| io_error(&dir, &e))?;
        let lock = take_lock(&dir)?;
        clear(&dir).map_err(|e| io_error(&dir, &e))?;
        Ok(Self {
            dir,
            out: out.to_owned(),
            tables: tables.to_vec(),
            whole: !exists,
            lock: Some(lock),
        })
    }

    /// Where to write.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Moves everything to its final name.
    pub fn publish(mut self) -> Result<()> {
        self.lock = None;
        let lock = self.dir.join(LOCK);
        fs::remove_file(&lock).map_err(|e| io_error(&lock, &e))?;
        if self.whole {
            return fs::rename(&self.dir, &self.out).map_err(|e| io_error(&self.out, &e));
        }
        for table in &self.tables {
            remove_table(&self.out, *table)?;
            for name in [format!("{table}.parquet"), table.name().to_owned()] {
                let (from, to) = (self.dir.join(&name), self.out.join(&name));
                if from.exists() {
                    fs::rename(from, &to).map_err(|e| io_error(&to, &e))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a publish there is at most the empty folder left; after a failure nothing in it is of
        // use, and the failure itself is what the caller reports.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn take_lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(|e| io_error(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::resources(format!(
            "another process is writing tables through {}: wait for it to end",
            dir.display()
        ))),
        Err(TryLockError::Error(e)) => Err(io_error(&path, &e)),
    }
}

/// Removes everything in a staging folder but the lock.
fn clear(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Refuses a folder with anything in it, unless `overwrite`; then refuses only what is not a table of
/// ours but stands in the place of one.
fn check_contents(out: &Path, tables: &[Table], overwrite: bool) -> Result<()> {
    let entries = fs::read_dir(out).map_err(|e| io_error(out, &e))?;
    for entry in entries {
        let name = entry.map_err(|e| io_error(out, &e))?.file_name();
        if !overwrite && name != INSIDE {
            return Err(Error::data(format!(
                "{} is not empty (it holds {}): name another folder, or pass --overwrite to replace the \
                 tables in it",
                out.display(),
                name.to_string_lossy()
            )));
        }
    }
    for table in tables {
        let folder = out.join(table.name());
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let name = entry.map_err(|e| io_error(&folder, &e))?.file_name();
            if !is_part_of(&name.to_string_lossy(), *table) {
                return Err(Error::data(format!(
                    "{} holds {}, which is no file of this table: not overwriting it",
                    folder.display(),
                    name.to_string_lossy()
                )));
            }
        }
    }
    Ok(())
}

fn is_part_of(name: &str, table: Table) -> bool {
    name.strip_prefix(table.name())
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(".parquet"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn remove_table(out: &Path, table: Table) -> Result<()> {
    let gone = |path: &Path, result: io::Result<()>| match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(path, &e)),
        _ => Ok(()),
    };
    check_contents(out, &[table], true)?;
    let file = out.join(format!("{table}.parquet"));
    gone(&file, fs::remove_file(&file))?;
    let folder = out.join(table.name());
    gone(&folder, fs::remove_dir_all(&folder))
}
