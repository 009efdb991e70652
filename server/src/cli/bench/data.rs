//! The files that are measured on. In: a scale, a layout, a folder. Out: the eight tables in it, made where they are
//! not; the bytes of their columns; their place in the page cache or out of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use parquet::file::metadata::ParquetMetaDataReader;

use super::args::Layout;
use crate::error::{Error, Result};
use crate::tpch::{self, Query, Table, TpchOptions};

/// Tables that the wide layout cuts into files.
const CUT: [Table; 5] = [
    Table::Lineitem,
    Table::Orders,
    Table::Partsupp,
    Table::Part,
    Table::Customer,
];
const WIDE_FILES: usize = 16;
const WIDE_ROW_GROUP_BYTES: usize = 128 << 20;
const NARROW_ROW_GROUP_BYTES: usize = 7 << 20;
/// Readers that fill the page cache.
const READERS: usize = 8;

/// The files of all tables.
#[derive(Debug)]
pub struct Files {
    /// The folder that is served.
    pub folder: PathBuf,
    /// By table.
    tables: BTreeMap<&'static str, Vec<PathBuf>>,
    /// Compressed bytes of all chunks of a column.
    columns: BTreeMap<String, u64>,
    bytes: u64,
}

/// The folder with the tables below `data`: `data` itself if it holds them, else one named after scale and layout,
/// made if it is not there.
///
/// # Errors
/// As [`tpch::generate`].
pub fn prepare(data: &Path, scale: f64, layout: Layout) -> Result<PathBuf> {
    if tpch::is_complete(data) {
        return Ok(data.to_owned());
    }
    let folder = data.join(format!("tpch-{scale}-{}", layout.name()));
    if tpch::is_complete(&folder) {
        return Ok(folder);
    }
    std::fs::create_dir_all(data).map_err(|error| Error::data(format!("{}: {error}", data.display())))?;
    let (rest, row_group_bytes): (Vec<Table>, usize) = match layout {
        Layout::Narrow => (Table::ALL.to_vec(), NARROW_ROW_GROUP_BYTES),
        Layout::Wide => (
            Table::ALL
                .into_iter()
                .filter(|table| !CUT.contains(table))
                .collect(),
            WIDE_ROW_GROUP_BYTES,
        ),
    };
    let options = TpchOptions {
        tables: rest,
        row_group_bytes,
        overwrite: true,
        ..TpchOptions::new(scale, &folder)
    };
    crate::cli::generate::with_progress(&options)?;
    if layout == Layout::Wide {
        let options = TpchOptions {
            tables: CUT.to_vec(),
            files: WIDE_FILES,
            ..options
        };
        crate::cli::generate::with_progress(&options)?;
    }
    Ok(folder)
}

impl Files {
    /// Lists the files of a folder and reads their footers.
    ///
    /// # Errors
    /// `Data` if a file cannot be read.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut files = Self {
            folder: folder.to_owned(),
            tables: BTreeMap::new(),
            columns: BTreeMap::new(),
            bytes: 0,
        };
        for table in Table::ALL {
            let paths = paths(folder, table)?;
            for path in &paths {
                files
                    .add(path)
                    .map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
            }
            files.tables.insert(table.name(), paths);
        }
        Ok(files)
    }

    fn add(&mut self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let file = File::open(path)?;
        self.bytes += file.metadata()?.len();
        let footer = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        for column in footer.row_groups().iter().flat_map(|group| group.columns()) {
            *self.columns.entry(column.column_path().string()).or_default() +=
                column.compressed_size().unsigned_abs();
        }
        Ok(())
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.tables.values().map(Vec::len).sum()
    }

    /// By table, all files.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, &[PathBuf])> {
        self.tables.iter().map(|(name, paths)| (*name, paths.as_slice()))
    }

    /// Compressed bytes of the columns that a query names, each counted once: what it reads where nothing is pruned.
    pub fn scan_bytes(&self, query: Query) -> u64 {
        // Column names of TPC-H are those of one table each.
        let mut named: Vec<&str> = query.words().collect();
        named.sort_unstable();
        named.dedup();
        named.iter().filter_map(|word| self.columns.get(*word)).sum()
    }

    /// Reads everything once, so that it lies in the page cache.
    ///
    /// # Errors
    /// `Data` if a file cannot be read.
    pub fn warm(&self) -> Result<()> {
        let paths: Vec<&PathBuf> = self.tables.values().flatten().collect();
        let next = AtomicUsize::new(0);
        let read = || -> Result<()> {
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut sink = std::io::sink();
                File::open(path)
                    .and_then(|mut file| std::io::copy(&mut file, &mut sink))
                    .map_err(|error| Error::data(format!("{}: {error}", path.display())))?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(read)).collect();
            readers.into_iter().try_for_each(|reader| {
                let ended = reader.join();
                ended.unwrap_or_else(|_| Err(Error::internal("a thread that reads files panicked")))
            })
        })
    }

    /// Takes everything out of the page cache.
    ///
    /// # Errors
    /// `Unsupported` where the system has no call for it; `Data` if a file cannot be opened.
    pub fn cool(&self) -> Result<()> {
        for path in self.tables.values().flatten() {
            cool(path)?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn cool(path: &Path) -> Result<()> {
    let dropped = File::open(path).and_then(|file| {
        // What is not yet on the disk stays in the cache.
        file.sync_data()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        Ok(())
    });
    dropped.map_err(|error| Error::data(format!("{}: page cache: {error}", path.display())))
}

#[cfg(not(target_os = "linux"))]
fn cool(path: &Path) -> Result<()> {
    Err(Error::unsupported(format!(
        "{}: this system has no call that empties the page cache: use --mode warm",
        path.display()
    )))
}

/// `folder/table.parquet`, or all of `folder/table/*.parquet`.
fn paths(folder: &Path, table: Table) -> Result<Vec<PathBuf>> {
    let single = folder.join(format!("{table}.parquet"));
    if single.is_file() {
        return Ok(vec![single]);
    }
    let folder = folder.join(table.name());
    let failed = |error| Error::data(format!("{}: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_hold_all_columns() {
        let folder = tempfile::tempdir().unwrap();
        for (layout, count) in [(Layout::Narrow, 8), (Layout::Wide, 5 * 16 + 3)] {
            let tables = prepare(folder.path(), 0.001, layout).unwrap();
            let files = Files::open(&tables).unwrap();
            assert_eq!(files.count(), count);
            let all: Vec<u64> = Query::all().map(|query| files.scan_bytes(query)).collect();
            assert!(
                all.iter().all(|&bytes| bytes > 0 && bytes < files.bytes()),
                "{all:?}"
            );
            files.warm().unwrap();
            files.cool().unwrap();
            assert_eq!(prepare(&tables, 1.0, Layout::Narrow).unwrap(), tables);
        }
    }
}
