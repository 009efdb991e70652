//! What `warpflight bench` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::error::{Error, Result};
use crate::tpch::Query;

const ABOUT: &str = "The 22 queries of the TPC-H benchmark.\n\n\
        Generates the data if it is not there, starts a server within this process, asks it each query through the \
        client of `warpflight sql`, and compares each answer with the one that the CPU gives, and with DuckDB's and the \
        published ones where those are asked for. A time is that of a whole query, from the client's call to its last \
        batch. The first run of a query, which is planned and may also compile kernels, is shown apart; median and best \
        are those of the others, whose plan is kept unless WARPFLIGHT_PLANS_KEPT_MAX=0.\n\n\
        bytes: the columns that a query names, compressed, each counted once, from the files' footers. PCIe and HBM: \
        the time that copying so many bytes to the device, or within it, takes at the rates measured at the start, \
        as a share of the median. GPU: all if the device runs the whole query, part if the CPU runs some of it, none \
        if all. Factors are the other's time divided by the median: above 1, the other takes longer.\n\n\
        --profile adds a table in milliseconds: the whole query; planning, where it is new; reading (while at least one \
        partition is read); the device's time for decoding, for finding rows in the tables of joins, for building those, for groups, \
        for sorting and windows, and for rows that are filtered and computed on their way. They overlap.\n\n\
        The server takes its options from the environment, as `serve` does: WARPFLIGHT_PARTITIONS_IN_FLIGHT=8.";

/// What `warpflight bench` takes.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub(super) what: What,
}

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// The 22 queries of the TPC-H benchmark
    #[command(long_about = ABOUT)]
    Tpch(TpchArgs),
}

/// How the files are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// One file a table, row groups of 7 MiB
    Narrow,
    /// 16 files for each of the five large tables, row groups of 128 MiB
    Wide,
}

impl Layout {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Wide => "wide",
        }
    }
}

/// Where the bytes lie before a query runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// On the disk: the page cache is emptied of the files before each run
    Cold,
    /// In the page cache
    Warm,
    /// On the device: not in this version, which keeps no data between queries
    Hot,
}

impl Mode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Hot => "hot",
        }
    }
}

/// Another engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// DuckDB's Python module, on the same files
    Duckdb,
}

/// What `warpflight bench tpch` takes.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:\n  \
        0    every query ran and every answer was right\n  \
        1    a query failed or its answer was wrong\n  \
        2    wrong arguments\n  \
        130  interrupted by Ctrl-C")]
pub struct TpchArgs {
    /// Scale factor: 1 is 6 million rows of lineitem
    #[arg(long, value_name = "F")]
    pub scale: f64,

    /// How the files are cut, Snappy-compressed both ways
    #[arg(long, value_enum, default_value_t = Layout::Narrow)]
    pub layout: Layout,

    /// Where the bytes lie before a query runs
    #[arg(long, value_enum, default_value_t = Mode::Warm)]
    pub mode: Mode,

    /// Only these queries, by number, separated by commas
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    pub queries: Vec<usize>,

    /// Runs of each query after its first
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub runs: usize,

    /// Folder for the data, or a folder that holds the eight tables [default: warpflight-bench in the system's
    /// temporary directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Run the queries on these engines too, separated by commas
    #[arg(long, value_enum, value_name = "ENGINES", value_delimiter = ',')]
    pub against: Vec<Engine>,

    /// Compare with the answers in this folder too: q1.out to q22.out, as TPC-H's kit has them in dbgen/answers for
    /// scale 1
    #[arg(long, value_name = "DIR")]
    pub answers: Option<PathBuf>,

    /// The Python whose module is asked with --against duckdb
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    pub python: PathBuf,

    /// Print one JSON object a query, and one for the sums
    #[arg(long)]
    pub json: bool,

    /// Where the queries run [default: as configured, else auto]
    #[arg(long, value_name = "DEVICE", value_parser = ["auto", "cuda", "sim", "cpu"])]
    pub device: Option<String>,

    /// Ask this server in place of one of our own; it serves the tables, --data says where their files are
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Run each query once more with EXPLAIN ANALYZE, and print where its time goes
    #[arg(long)]
    pub profile: bool,

    /// Do not run the queries on the CPU to compare answers and times
    #[arg(long)]
    pub no_check: bool,
}

impl TpchArgs {
    /// The queries asked for, in the order given.
    pub(super) fn queries(&self) -> Result<Vec<Query>> {
        match self.queries.as_slice() {
            [] => Ok(Query::all().collect()),
            numbers => numbers.iter().map(|&number| Query::new(number)).collect(),
        }
    }

    /// What contradicts itself.
    pub(super) fn check(&self) -> Result<()> {
        if self.mode == Mode::Hot {
            return Err(Error::sql(
                "found --mode hot, expected cold or warm: this version keeps no data on the device between queries",
            ));
        }
        if self.url.is_some() && self.data.is_none() && self.mode == Mode::Cold {
            return Err(Error::sql(
                "found --mode cold with --url, expected --data too: the folder of the files that the server reads",
            ));
        }
        if self.url.is_some() && self.data.is_none() && !self.against.is_empty() {
            return Err(Error::sql(
                "found --against with --url, expected --data too: the folder of the files that the server reads",
            ));
        }
        Ok(())
    }
}
