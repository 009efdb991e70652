//! Parquet files to device batches.
