//! Types, nulls, encodings, codecs and page versions, one with the other.

use arrow::array::*;
use arrow::datatypes::*;
use kernels::selftest::Random;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterVersion;

use super::*;

const ROWS: usize = 4000;

fn types() -> Vec<DataType> {
    use DataType::*;
    vec![
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float32,
        Float64,
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Timestamp(TimeUnit::Second, None),
        Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        Timestamp(TimeUnit::Microsecond, None),
        Timestamp(TimeUnit::Nanosecond, Some("+02:00".into())),
        Duration(TimeUnit::Millisecond),
        Decimal32(7, 2),
        Decimal64(15, 3),
        Decimal128(5, 0),
        Decimal128(15, 2),
        Decimal128(18, 4),
        Decimal128(25, 2),
        Decimal128(38, 10),
        Utf8,
        LargeUtf8,
        Binary,
        LargeBinary,
    ]
}

/// Values of a type: few different ones, with now and then a rare one, so that dictionaries are used and outgrown.
pub(super) fn values(data_type: &DataType, rows: usize, null_percent: u64, random: &mut Random) -> ArrayRef {
    let numbers: Int64Array = (0..rows)
        .map(|_| {
            let value = match random.chance(20) {
                true => random.below(80_000_000) as i64,
                false => random.below(30) as i64,
            };
            (!random.chance(null_percent)).then_some(value)
        })
        .collect();
    let narrow = |limit: i64| -> ArrayRef { Arc::new(numbers.unary::<_, Int64Type>(|value| value % limit)) };
    let signed: Int64Array = numbers.unary(|value| if value % 3 == 0 { -value } else { value });
    match data_type {
        DataType::Boolean => cast(&narrow(2), data_type),
        DataType::Int8 => cast(&narrow(127), data_type),
        DataType::UInt8 => cast(&narrow(255), data_type),
        DataType::Int16 => cast(&narrow(32_000), data_type),
        DataType::UInt16 => cast(&narrow(65_000), data_type),
        DataType::UInt32 | DataType::UInt64 => cast(&numbers, data_type),
        DataType::Date32 => cast(&cast(&signed, &DataType::Int32).unwrap(), data_type),
        DataType::Date64 => cast(
            &numbers.unary::<_, Int64Type>(|v| (v % 40_000) * 86_400_000),
            data_type,
        ),
        DataType::Time32(_) => cast(&cast(&narrow(80_000), &DataType::Int32).unwrap(), data_type),
        DataType::Time64(_) => cast(&numbers, data_type),
        DataType::Decimal128(precision, scale) => {
            let shift = if *precision > 20 { 40 } else { 0 };
            let limit = 10i128.pow(u32::from(*precision).min(36));
            let wide: Decimal128Array = signed.unary(|value| (i128::from(value) << shift) % limit);
            Ok(Arc::new(wide.with_precision_and_scale(*precision, *scale).unwrap()) as ArrayRef)
        }
        DataType::Decimal32(precision, scale) => {
            let values: Decimal32Array = signed.unary(|value| (value % 9_999_999) as i32);
            Ok(Arc::new(values.with_precision_and_scale(*precision, *scale).unwrap()) as ArrayRef)
        }
        DataType::Decimal64(precision, scale) => {
            let values: Decimal64Array = signed.unary(|value| value);
            Ok(Arc::new(values.with_precision_and_scale(*precision, *scale).unwrap()) as ArrayRef)
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
            let text: StringArray = numbers
                .iter()
                .map(|value| value.map(|v| format!("{}{v}", "wörd".repeat(v as usize % 5))))
                .collect();
            cast(&text, data_type)
        }
        _ => cast(&signed, data_type),
    }
    .unwrap()
}

/// A batch with a column of every type, nullable ones if there may be nulls.
fn batch(rows: usize, null_percent: Option<u64>, random: &mut Random) -> RecordBatch {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (index, data_type) in types().into_iter().enumerate() {
        columns.push(values(&data_type, rows, null_percent.unwrap_or(0), random));
        fields.push(Field::new(format!("c{index}"), data_type, null_percent.is_some()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

async fn check(what: &str, batch: &RecordBatch, properties: WriterProperties) -> Scanned {
    let folder = folder();
    let path = folder.path().join("x.parquet");
    write(&path, std::slice::from_ref(batch), properties);
    let context = context();
    register(&context, "x", &path).await;
    let scanned = scanned(&context, "select * from x", 1 << 30)
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(scanned.schema.fields().len(), batch.num_columns());
    assert_same(
        what,
        &scanned.schema,
        &scanned.columns,
        &expected(&path, &scanned.schema),
    );
    scanned
}

#[tokio::test]
async fn every_type_with_every_codec_and_page_version() {
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
    ];
    let mut random = Random::new(21);
    println!("seed 21");
    for (index, codec) in codecs.into_iter().enumerate() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let nulls = [None, Some(0), Some(30), Some(100)][(index + version as usize) % 4];
            let batch = batch(ROWS, nulls, &mut random);
            let properties = WriterProperties::builder()
                .set_compression(codec)
                .set_writer_version(version)
                .set_dictionary_page_size_limit(1500)
                .set_data_page_row_count_limit(900)
                .set_write_batch_size(300)
                .set_max_row_group_row_count(Some(1700))
                .build();
            let what = format!("{codec} {version:?} nulls {nulls:?}");
            let scanned = check(&what, &batch, properties).await;
            assert_eq!(scanned.cpu_columns, [], "{what}: the device decodes everything");
            assert_eq!(scanned.scan.cpu_columns(), []);
            assert_eq!(scanned.scan.partitions(), 1);
            let counts = scanned.counters.now();
            assert_eq!(counts.row_groups_read, 3);
            assert!(counts.read_bytes > 0 && counts.uploaded_bytes > 0 && counts.decoded_bytes > 0);
        }
    }
}

#[tokio::test]
async fn every_encoding() {
    let of_types = |types: &[DataType], nulls: bool, random: &mut Random| {
        let columns: Vec<ArrayRef> = types
            .iter()
            .map(|kind| values(kind, ROWS, if nulls { 25 } else { 0 }, random))
            .collect();
        let fields: Vec<Field> = types
            .iter()
            .enumerate()
            .map(|(index, kind)| Field::new(format!("c{index}"), kind.clone(), nulls))
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    let integers = [
        DataType::Int16,
        DataType::Int64,
        DataType::UInt32,
        DataType::Decimal128(18, 2),
    ];
    let wide = [
        DataType::Int32,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(30, 2),
        DataType::Int64,
    ];
    let text = [DataType::Utf8, DataType::Binary];
    let cases: [(Encoding, &[DataType]); 5] = [
        (Encoding::DELTA_BINARY_PACKED, &integers),
        (Encoding::BYTE_STREAM_SPLIT, &wide),
        (Encoding::DELTA_LENGTH_BYTE_ARRAY, &text),
        (
            Encoding::DELTA_BYTE_ARRAY,
            &[DataType::Utf8, DataType::Binary, DataType::Decimal128(30, 2)],
        ),
        (Encoding::RLE, &[DataType::Boolean]),
    ];
    let mut random = Random::new(22);
    println!("seed 22");
    for (encoding, kinds) in cases {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for (nulls, codec) in [
                (false, Compression::SNAPPY),
                (true, Compression::ZSTD(ZstdLevel::default())),
            ] {
                let properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(codec)
                    .set_dictionary_enabled(false)
                    .set_encoding(encoding)
                    .set_data_page_row_count_limit(1100)
                    .set_write_batch_size(100)
                    .build();
                let what = format!("{encoding} {version:?} nulls {nulls}");
                let scanned = check(&what, &of_types(kinds, nulls, &mut random), properties).await;
                assert_eq!(scanned.cpu_columns, [], "{what}");
            }
        }
    }
}
