//! `warpflight generate tpch`: flags in, Parquet files and a summary out.

use std::io::{Write, stderr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use parquet::basic::Compression;

use crate::error::{Error, Result};
use crate::tpch::{self, Table, TerminalProgress, TpchOptions};

/// What `warpflight generate` takes.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The eight tables of the TPC-H benchmark, as Parquet
    Tpch(TpchArgs),
}

#[derive(Debug, Args)]
struct TpchArgs {
    /// Scale factor: 1 is 6 million rows of lineitem, about 250 MB of Snappy-compressed Parquet in all
    #[arg(long, value_name = "F")]
    scale: f64,

    /// Folder to write to; made if missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Encoded size of a row group before compression, with an optional unit as in 64MiB
    #[arg(long, value_name = "N", default_value = "16MiB", value_parser = parse_bytes)]
    row_group_bytes: usize,

    /// Files a table; with more than one, each table gets a folder of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    files: usize,

    /// none, snappy, lz4, zstd, gzip or brotli; the last three take a level, as in zstd(3)
    #[arg(long, value_name = "CODEC", default_value = "snappy", value_parser = tpch::parse_compression)]
    compression: Compression,

    /// Only these tables, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tables: Vec<Table>,

    /// Replace these tables where the folder has them already; its other files stay
    #[arg(long)]
    overwrite: bool,

    /// Threads; the output does not depend on it [default: one a core]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

/// Generates what the arguments ask for.
pub fn run(args: GenerateArgs) -> Result<()> {
    let What::Tpch(args) = args.what;
    let options = TpchOptions {
        scale: args.scale,
        out: args.out,
        row_group_bytes: args.row_group_bytes,
        files: args.files,
        compression: args.compression,
        tables: if args.tables.is_empty() {
            Table::ALL.to_vec()
        } else {
            args.tables
        },
        overwrite: args.overwrite,
        threads: args.threads,
    };
    with_progress(&options)
}

/// Generates, with a progress bar a table; Ctrl-C stops it and removes what was written.
///
/// # Errors
/// As [`tpch::generate`].
pub fn with_progress(options: &TpchOptions) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| Error::resources(format!("cannot start a thread: {e}")))?;
    let flag = stop.clone();
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.store(true, Ordering::Relaxed);
        }
    });
    let summary = tpch::generate(options, &TerminalProgress::new(stop))?;
    let bytes: u64 = summary.tables.iter().map(|t| t.bytes).sum();
    // A closed standard error is no reason to fail after the work is done.
    let _ = writeln!(
        stderr(),
        "{} table(s), {}, in {} after {:.1} s",
        summary.tables.len(),
        HumanBytes(bytes),
        options.out.display(),
        summary.elapsed.as_secs_f64()
    );
    Ok(())
}

/// `1048576`, `64MiB`, `64M` (both binary) or `64MB` (decimal).
fn parse_bytes(text: &str) -> Result<usize> {
    let wrong = || {
        Error::sql(format!(
            "found size {text:?}, expected a number of bytes, as 67108864 or 64MiB"
        ))
    };
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: usize = text[..digits].parse().map_err(|_| wrong())?;
    let unit: usize = match text[digits..].trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_units() {
        assert_eq!(parse_bytes("4096").unwrap(), 4096);
        assert_eq!(parse_bytes("64MiB").unwrap(), 64 << 20);
        assert_eq!(parse_bytes("1 gb").unwrap(), 1_000_000_000);
        for bad in ["", "MiB", "-1", "1.5M", "3 miles", "99999999999999999999"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
