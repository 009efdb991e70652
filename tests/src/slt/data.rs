//! The tables that the statements read, as Parquet files.
//!
//! In: the rows under `tests/sql/data` (one JSON list a row), formulas for the larger tables, and the TPC-H
//! generator. Out: one Parquet file a table in a folder; a file's stem is its table's name. Knows no engine.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::json::{ReaderBuilder, StructMode};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::Result;
use crate::target::made_once;

/// Changes whenever a table changes, so that an older folder is never taken for a current one.
const DATA_VERSION: &str = "2";

/// Rows a row group of this module's own tables: small, so that the larger ones have several.
const ROW_GROUP_ROWS: usize = 512;

/// Rows a page: fewer still, so that pages are left out too.
const PAGE_ROWS: usize = 64;

/// The folder with every table, written under the target folder if it is not there yet.
///
/// # Panics
/// If the tables cannot be written.
pub fn ensure_tables() -> PathBuf {
    made_once(&format!("sql-test-data-v{DATA_VERSION}"), |folder| {
        write_tables(folder).expect("the tables can be written");
    })
}

fn write_tables(folder: &Path) -> Result<()> {
    write_listed_tables(folder)?;
    write_table(folder, "sales", &sales()?, ROW_GROUP_ROWS)?;
    write_table(folder, "skewed", &skewed()?, ROW_GROUP_ROWS)?;
    write_table(folder, "points", &points()?, ROW_GROUP_ROWS)?;
    super::tpch::write_tables(folder)
}

/// Writes `batch` as `folder/name.parquet`, `row_group_rows` rows a row group.
pub(super) fn write_table(
    folder: &Path,
    name: &str,
    batch: &RecordBatch,
    row_group_rows: usize,
) -> Result<()> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .build();
    let file = File::create(folder.join(format!("{name}.parquet")))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(())
}

fn write_listed_tables(folder: &Path) -> Result<()> {
    let rows_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/data");
    for (name, schema) in listed_schemas() {
        let rows = BufReader::new(File::open(rows_folder.join(format!("{name}.jsonl")))?);
        let reader = ReaderBuilder::new(schema.clone())
            .with_struct_mode(StructMode::ListOnly)
            .build(rows)?;
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>()?;
        write_table(
            folder,
            name,
            &arrow::compute::concat_batches(&schema, &batches)?,
            ROW_GROUP_ROWS,
        )?;
    }
    Ok(())
}

fn listed_schemas() -> Vec<(&'static str, SchemaRef)> {
    use DataType::*;
    let timestamp = |unit| Timestamp(unit, None);
    let nested = vec![
        ("id", Int32),
        ("li", DataType::new_list(Int64, true)),
        ("ls", DataType::new_list(Utf8, true)),
        (
            "st",
            Struct(Fields::from(vec![
                Field::new("a", Int32, true),
                Field::new("b", Utf8, true),
            ])),
        ),
        ("m", string_to_int_map()),
    ];
    vec![
        (
            "numbers",
            schema(vec![
                ("id", Int32),
                ("i8", Int8),
                ("i16", Int16),
                ("i32", Int32),
                ("i64", Int64),
                ("u8", UInt8),
                ("u16", UInt16),
                ("u32", UInt32),
                ("u64", UInt64),
                ("f32", Float32),
                ("f64", Float64),
            ]),
        ),
        (
            "decimals",
            schema(vec![
                ("id", Int32),
                ("price", Decimal128(9, 2)),
                ("amount", Decimal128(18, 4)),
                ("big", Decimal128(38, 10)),
                ("whole", Decimal128(38, 0)),
            ]),
        ),
        (
            "strings",
            schema(vec![("id", Int32), ("s", Utf8), ("lang", Utf8)]),
        ),
        ("binaries", schema(vec![("id", Int32), ("b", Binary)])),
        (
            "times",
            schema(vec![
                ("id", Int32),
                ("d", Date32),
                ("t", Time64(TimeUnit::Microsecond)),
                ("ts", timestamp(TimeUnit::Microsecond)),
                ("tz", Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
                ("ms", timestamp(TimeUnit::Millisecond)),
                ("ns", timestamp(TimeUnit::Nanosecond)),
            ]),
        ),
        (
            "bools",
            schema(vec![("id", Int32), ("a", Boolean), ("b", Boolean)]),
        ),
        (
            "employees",
            schema(vec![
                ("id", Int32),
                ("name", Utf8),
                ("dept_id", Int32),
                ("manager_id", Int32),
                ("salary", Decimal128(10, 2)),
                ("bonus", Float64),
                ("hired", Date32),
                ("city", Utf8),
            ]),
        ),
        (
            "departments",
            schema(vec![
                ("id", Int32),
                ("name", Utf8),
                ("city", Utf8),
                ("budget", Decimal128(12, 2)),
            ]),
        ),
        ("keys_left", schema(vec![("k", Int32), ("v", Utf8)])),
        ("keys_right", schema(vec![("k", Int32), ("w", Utf8)])),
        ("nested", schema(nested)),
        (
            "empty_table",
            schema(vec![("id", Int64), ("s", Utf8), ("x", Float64), ("d", Date32)]),
        ),
    ]
}

fn schema(columns: Vec<(&str, DataType)>) -> SchemaRef {
    let fields = columns
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn string_to_int_map() -> DataType {
    let entry = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int32, true),
    ]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entry), false)),
        false,
    )
}

/// 48 sales: regions and products in turn, some quantities and prices missing.
fn sales() -> Result<RecordBatch> {
    const FIRST_DAY: i32 = 19_723; // 2024-01-01
    let ids = 0..48;
    let region = |i: i32| ["north", "south", "east", "west"][i as usize % 4];
    let product = |i: i32| ["apple", "pear", "fig"][i as usize / 4 % 3];
    let quantity = |i: i32| (i % 13 != 5).then_some(i * 7 % 11);
    let price_cents = |i: i32| (i % 17 != 3).then_some(125 + i128::from(i) * 37 % 400);
    Ok(RecordBatch::try_from_iter(vec![
        (
            "id",
            Arc::new(Int32Array::from_iter_values(ids.clone().map(|i| i + 1))) as ArrayRef,
        ),
        (
            "region",
            Arc::new(StringArray::from_iter_values(ids.clone().map(region))),
        ),
        (
            "product",
            Arc::new(StringArray::from_iter_values(ids.clone().map(product))),
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter_values(
                ids.clone().map(|i| FIRST_DAY + i * 5 % 60),
            )),
        ),
        ("qty", Arc::new(Int32Array::from_iter(ids.clone().map(quantity)))),
        (
            "price",
            Arc::new(Decimal128Array::from_iter(ids.map(price_cents)).with_precision_and_scale(8, 2)?),
        ),
    ])?)
}

/// 3000 rows of which nine in ten have the key 1.
fn skewed() -> Result<RecordBatch> {
    let ids = 0..3000_i64;
    let key = |i: i64| if i % 10 == 0 { i % 97 } else { 1 };
    Ok(RecordBatch::try_from_iter(vec![
        (
            "id",
            Arc::new(Int64Array::from_iter_values(ids.clone())) as ArrayRef,
        ),
        ("k", Arc::new(Int64Array::from_iter_values(ids.clone().map(key)))),
        (
            "v",
            Arc::new(Int64Array::from_iter(
                ids.clone().map(|i| (i % 50 != 49).then_some(i * 31 % 1000)),
            )),
        ),
        (
            "tag",
            Arc::new(StringArray::from_iter_values(ids.map(|i| format!("s{}", i % 7)))),
        ),
    ])?)
}

/// 24 points near a line, in two groups, some coordinates missing.
fn points() -> Result<RecordBatch> {
    let ids = 0..24;
    let x = |i: i32| (i % 11 != 7).then_some(f64::from(i) / 2.0);
    let y = |i: i32| (i % 9 != 4).then_some(f64::from(i) + 1.0 + f64::from(i * 5 % 7 - 3) / 8.0);
    Ok(RecordBatch::try_from_iter(vec![
        (
            "id",
            Arc::new(Int32Array::from_iter_values(ids.clone())) as ArrayRef,
        ),
        ("x", Arc::new(Float64Array::from_iter(ids.clone().map(x)))),
        ("y", Arc::new(Float64Array::from_iter(ids.clone().map(y)))),
        (
            "g",
            Arc::new(StringArray::from_iter_values(
                ids.map(|i| if i % 3 == 0 { "a" } else { "b" }),
            )),
        ),
    ])?)
}
