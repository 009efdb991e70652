//! The names of Parquet's codecs. In: `zstd(3)`. Out: the codec with its level.

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};

use crate::error::{Error, Result};

const EXPECTED: &str =
    "none, snappy, lz4, zstd, gzip or brotli, the last three with an optional level as in zstd(3)";

/// Reads `none`, `snappy`, `lz4` (the raw kind), `zstd`, `gzip` or `brotli`, with a level for the last
/// three: `zstd(3)`.
pub fn parse_compression(text: &str) -> Result<Compression> {
    let wrong = |why: &str| Error::sql(format!("found compression {text:?}{why}, expected {EXPECTED}"));
    let lower = text.trim().to_ascii_lowercase();
    let (name, level) = match lower.split_once('(') {
        None => (lower.as_str(), None),
        Some((name, rest)) => {
            let digits = rest.strip_suffix(')').ok_or_else(|| wrong(" without its )"))?;
            let level: u32 = digits
                .trim()
                .parse()
                .map_err(|_| wrong(" whose level is not a number"))?;
            (name.trim_end(), Some(level))
        }
    };
    let out_of_range = |e: parquet::errors::ParquetError| {
        let what = e.to_string();
        wrong(&format!(" ({})", what.trim_start_matches("Parquet error: ")))
    };
    match (name, level) {
        ("none" | "uncompressed", None) => Ok(Compression::UNCOMPRESSED),
        ("snappy", None) => Ok(Compression::SNAPPY),
        ("lz4" | "lz4_raw", None) => Ok(Compression::LZ4_RAW),
        ("zstd", None) => Ok(Compression::ZSTD(ZstdLevel::default())),
        ("zstd", Some(level)) => {
            let level = i32::try_from(level).map_err(|_| wrong(""))?;
            ZstdLevel::try_new(level)
                .map(Compression::ZSTD)
                .map_err(out_of_range)
        }
        ("gzip", None) => Ok(Compression::GZIP(GzipLevel::default())),
        ("gzip", Some(level)) => GzipLevel::try_new(level)
            .map(Compression::GZIP)
            .map_err(out_of_range),
        ("brotli", None) => Ok(Compression::BROTLI(BrotliLevel::default())),
        ("brotli", Some(level)) => BrotliLevel::try_new(level)
            .map(Compression::BROTLI)
            .map_err(out_of_range),
        ("none" | "uncompressed" | "snappy" | "lz4" | "lz4_raw", Some(_)) => {
            Err(wrong(" with a level that this codec does not have"))
        }
        _ => Err(wrong("")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_levels() {
        assert_eq!(parse_compression("none").unwrap(), Compression::UNCOMPRESSED);
        assert_eq!(parse_compression(" LZ4 ").unwrap(), Compression::LZ4_RAW);
        assert_eq!(
            parse_compression("zstd(3)").unwrap(),
            Compression::ZSTD(ZstdLevel::try_new(3).unwrap())
        );
        assert_eq!(
            parse_compression("gzip( 9 )").unwrap(),
            Compression::GZIP(GzipLevel::try_new(9).unwrap())
        );
        assert_eq!(
            parse_compression("brotli").unwrap(),
            Compression::BROTLI(BrotliLevel::default())
        );
        for bad in [
            "",
            "lzo",
            "zstd(",
            "zstd(x)",
            "zstd(99)",
            "gzip(-1)",
            "snappy(3)",
            "zstd(9999999999)",
        ] {
            let message = parse_compression(bad).unwrap_err().message().to_owned();
            assert!(
                message.contains(&format!("{bad:?}")) && message.contains("expected none"),
                "{message}"
            );
        }
    }
}
