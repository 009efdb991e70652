//! Rows as the specification counts them, the same bytes whatever the threads, and nothing left over.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn options(dir: &Path) -> TpchOptions {
    TpchOptions::new(0.01, dir.join("out"))
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(
                files(&entry.path())
                    .into_iter()
                    .map(|(n, b)| (format!("{name}/{n}"), b)),
            );
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn all_tables_have_the_rows_of_the_specification() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let summary = generate(&options, &Silent).unwrap();
    let expected = [
        ("lineitem", 60_175),
        ("orders", 15_000),
        ("partsupp", 8_000),
        ("part", 2_000),
        ("customer", 1_500),
        ("supplier", 100),
        ("nation", 25),
        ("region", 5),
    ];
    let found: Vec<_> = summary.tables.iter().map(|t| (t.table.name(), t.rows)).collect();
    assert_eq!(found, expected);
    for table in &summary.tables {
        let path = options.out.join(format!("{}.parquet", table.table));
        let rows: usize = read(&path).iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows as u64, table.rows, "{}", table.table);
        assert_eq!(fs::metadata(&path).unwrap().len(), table.bytes, "{}", table.table);
    }
    assert!(is_complete(&options.out));
    assert_eq!(files(dir.path()).len(), 8, "something else was left behind");
}

#[test]
fn types_are_decimals_dates_and_text() {
    let dir = tempfile::tempdir().unwrap();
    let options = TpchOptions {
        tables: vec![Table::Lineitem],
        ..options(dir.path())
    };
    generate(&options, &Silent).unwrap();
    let batches = read(&options.out.join("lineitem.parquet"));
    let schema = batches[0].schema();
    let of = |name: &str| schema.field_with_name(name).unwrap().data_type().clone();
    assert_eq!(of("l_orderkey"), DataType::Int64);
    assert_eq!(of("l_linenumber"), DataType::Int32);
    assert_eq!(of("l_extendedprice"), DataType::Decimal128(15, 2));
    assert_eq!(of("l_shipdate"), DataType::Date32);
    assert_eq!(of("l_comment"), DataType::Utf8);
    assert!(schema.fields().iter().all(|f| !f.is_nullable()));
    // The first line of dbgen's lineitem.tbl at this scale: 1|1552|93|1|17|24710.35|…
    let first = &batches[0];
    assert_eq!(first["l_orderkey"].as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(first["l_partkey"].as_primitive::<Int64Type>().value(0), 1552);
    assert_eq!(
        first["l_extendedprice"].as_primitive::<Decimal128Type>().value(0),
        2_471_035
    );
}

#[test]
fn statistics_and_page_index_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let options = TpchOptions {
        tables: vec![Table::Orders],
        ..options(dir.path())
    };
    generate(&options, &Silent).unwrap();
    let file = File::open(options.out.join("orders.parquet")).unwrap();
    let metadata = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .metadata()
        .clone();
    for column in metadata.row_group(0).columns() {
        assert!(
            column.statistics().is_some_and(|s| s.min_bytes_opt().is_some()),
            "{}",
            column.column_path()
        );
        assert!(column.column_index_length().is_some() && column.offset_index_length().is_some());
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, threads| {
        let options = TpchOptions {
            threads,
            files: 3,
            row_group_bytes: 64 * 1024,
            tables: vec![Table::Lineitem, Table::Customer, Table::Nation],
            ..TpchOptions::new(0.01, dir.path().join(name))
        };
        generate(&options, &Silent).unwrap();
        files(&options.out)
    };
    let (one, five) = (write("one", 1), write("five", 5));
    assert_eq!(one.len(), 7, "{:?}", one.keys());
    assert!(one == five, "files differ");
}

#[test]
fn cutting_does_not_change_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let whole = TpchOptions {
        tables: vec![Table::Orders],
        ..options(dir.path())
    };
    let cut = TpchOptions {
        files: 4,
        row_group_bytes: 32 * 1024,
        out: dir.path().join("cut"),
        ..whole.clone()
    };
    generate(&whole, &Silent).unwrap();
    let summary = generate(&cut, &Silent).unwrap();
    assert_eq!(summary.tables[0].files, 4);
    let all =
        |batches: Vec<RecordBatch>| arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let pieces = (1..=4)
        .flat_map(|n| read(&cut.out.join(format!("orders/orders.{n}.parquet"))))
        .collect();
    assert_eq!(all(read(&whole.out.join("orders.parquet"))), all(pieces));
    let file = File::open(cut.out.join("orders/orders.2.parquet")).unwrap();
    let groups = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .metadata()
        .num_row_groups();
    assert!(groups > 1, "one row group only");
}

#[test]
fn every_codec_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    for codec in ["none", "snappy", "zstd(3)", "lz4", "gzip", "brotli(1)"] {
        let options = TpchOptions {
            compression: parse_compression(codec).unwrap(),
            tables: vec![Table::Supplier],
            ..TpchOptions::new(0.01, dir.path().join(codec))
        };
        generate(&options, &Silent).unwrap();
        assert_eq!(
            read(&options.out.join("supplier.parquet"))[0].num_rows(),
            100,
            "{codec}"
        );
    }
}

#[test]
fn a_folder_with_something_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("notes.txt"), "mine").unwrap();
    fs::write(out.join("region.parquet"), "old").unwrap();
    let options = TpchOptions {
        tables: vec![Table::Region],
        ..options(dir.path())
    };
    let message = generate(&options, &Silent).unwrap_err().message().to_owned();
    assert!(
        message.contains("not empty") && message.contains("--overwrite"),
        "{message}"
    );

    generate(
        &TpchOptions {
            overwrite: true,
            ..options.clone()
        },
        &Silent,
    )
    .unwrap();
    assert_eq!(fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
    assert_eq!(read(&out.join("region.parquet"))[0].num_rows(), 5);

    fs::create_dir(out.join("nation")).unwrap();
    fs::write(out.join("nation/secrets"), "mine").unwrap();
    let over = TpchOptions {
        overwrite: true,
        tables: vec![Table::Nation],
        ..options
    };
    let message = generate(&over, &Silent).unwrap_err().message().to_owned();
    assert!(message.contains("nation holds secrets"), "{message}");
    assert_eq!(files(&out).len(), 3);
}

#[test]
fn a_stopped_run_leaves_nothing_and_a_killed_one_is_cleared() {
    struct StopAfter(AtomicU64);
    impl Progress for StopAfter {
        fn begin(&self, _: &[TablePlan]) {}
        fn rows(&self, _: Table, rows: u64) {
            self.0.fetch_add(rows, Ordering::Relaxed);
        }
        fn done(&self, _: &TableSummary) {}
        fn cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 20_000
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let error = generate(&options(dir.path()), &StopAfter(AtomicU64::new(0))).unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Cancelled);
    assert!(files(dir.path()).is_empty());

    fs::create_dir(dir.path().join(".out.partial")).unwrap();
    fs::write(dir.path().join(".out.partial/region.parquet"), "half").unwrap();
    let options = TpchOptions {
        tables: vec![Table::Nation],
        ..options(dir.path())
    };
    generate(&options, &Silent).unwrap();
    assert_eq!(
        files(dir.path()).into_keys().collect::<Vec<_>>(),
        ["out/nation.parquet"]
    );
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let first = Staging::create(&options.out, &Table::ALL, false).unwrap();
    let message = generate(&options, &Silent).unwrap_err().message().to_owned();
    assert!(message.contains("another process"), "{message}");
    drop(first);
    assert!(files(dir.path()).is_empty());
}

#[test]
fn wrong_options_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let base = options(dir.path());
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 0.0001, 1e9] {
        let error = generate(
            &TpchOptions {
                scale,
                ..base.clone()
            },
            &Silent,
        )
        .unwrap_err();
        assert!(
            error.message().contains("expected a number from 0.001"),
            "{error}"
        );
    }
    let error = generate(
        &TpchOptions {
            files: 0,
            ..base.clone()
        },
        &Silent,
    )
    .unwrap_err();
    assert!(error.message().contains("0 files"), "{error}");
    let error = generate(
        &TpchOptions {
            row_group_bytes: 1,
            ..base.clone()
        },
        &Silent,
    )
    .unwrap_err();
    assert!(error.message().contains("row groups of 1 bytes"), "{error}");
    fs::write(&base.out, "").unwrap();
    let error = generate(&base, &Silent).unwrap_err();
    assert!(error.message().contains("is a file"), "{error}");
    assert!(
        "linitem"
            .parse::<Table>()
            .unwrap_err()
            .message()
            .contains("\"linitem\"")
    );
}
