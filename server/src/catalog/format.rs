//! The formats of data files: which names they go by, and DataFusion's reader of each.
//!
//! In: a file's name or a format's, options as text. Out: a reader. It opens no file.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::datasource::file_format::arrow::ArrowFormatFactory;
use datafusion::datasource::file_format::csv::CsvFormatFactory;
use datafusion::datasource::file_format::json::JsonFormatFactory;
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::datasource::file_format::{FileFormat, FileFormatFactory};

use crate::error::{Error, Result};
use crate::error_datafusion::from_datafusion;

/// A format of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Text with separators.
    Csv,
    /// One JSON object a line.
    Json,
    /// Arrow IPC, file or stream.
    Arrow,
}

const ENDINGS: [(&str, Format); 11] = [
    ("parquet", Format::Parquet),
    ("parq", Format::Parquet),
    ("pq", Format::Parquet),
    ("csv", Format::Csv),
    ("tsv", Format::Csv),
    ("json", Format::Json),
    ("ndjson", Format::Json),
    ("jsonl", Format::Json),
    ("arrow", Format::Arrow),
    ("feather", Format::Arrow),
    ("ipc", Format::Arrow),
];

impl Format {
    /// The format that a file's name says it has.
    pub fn of_file(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        ENDINGS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(ending))
            .map(|(_, format)| *format)
    }

    /// The format of a name in SQL or in the configuration.
    ///
    /// # Errors
    /// `Sql` if there is none of this name.
    pub fn of_name(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "json" | "ndjson" => Ok(Self::Json),
            "arrow" => Ok(Self::Arrow),
            _ => Err(Error::sql(format!(
                "format: found {name:?}, expected one of parquet, csv, json, ndjson, arrow"
            ))),
        }
    }

    /// Whether the reader takes columns by their position: all files must have the same ones.
    pub fn is_positional(self) -> bool {
        matches!(self, Self::Csv | Self::Arrow)
    }

    /// DataFusion's reader with the options given, `has_header` as well as `format.has_header`.
    ///
    /// # Errors
    /// `Sql` if the format has no such option, or the value is not one.
    pub fn reader(
        self,
        session: &dyn Session,
        options: &BTreeMap<String, String>,
        first_file: &str,
    ) -> Result<Arc<dyn FileFormat>> {
        let mut named: HashMap<String, String> = options
            .iter()
            .map(|(name, value)| match name.starts_with("format.") {
                true => (name.clone(), value.clone()),
                false => (format!("format.{name}"), value.clone()),
            })
            .collect();
        if first_file.to_ascii_lowercase().ends_with(".tsv") {
            named
                .entry("format.delimiter".into())
                .or_insert_with(|| "\t".into());
        }
        let created = match self {
            Self::Parquet => ParquetFormatFactory::new().create(session, &named),
            Self::Csv => CsvFormatFactory::new().create(session, &named),
            Self::Json => JsonFormatFactory::new().create(session, &named),
            Self::Arrow => ArrowFormatFactory::new().create(session, &named),
        };
        created.map_err(|error| {
            Error::sql(from_datafusion(error).message()).context(format_args!("format {self}"))
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Arrow => "arrow",
        })
    }
}
