//! Pages of codecs that a library decompresses on the device: they go up packed where there is one, and only those that
//! it may be given. On the emulation the host's libraries stand for it, so that the way is tried, not the library.

use arrow::datatypes::{DataType, Field, Schema};
use kernels::compress::Codec;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::super::fetched::FetchedColumn;
use super::super::pages::Body;
use super::*;
use crate::error::Kind;

const ROWS: usize = 5000;

fn batch(null_percent: u64, random: &mut Random) -> RecordBatch {
    let types = [
        DataType::Int64,
        DataType::Utf8,
        DataType::Boolean,
        DataType::Decimal128(30, 2),
        DataType::Float64,
        DataType::Binary,
    ];
    let columns = types
        .iter()
        .map(|kind| types::values(kind, ROWS, null_percent, random));
    let columns = columns.collect();
    let fields = types.iter().enumerate();
    let fields: Vec<Field> = fields
        .map(|(index, kind)| Field::new(format!("c{index}"), kind.clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn codecs() -> [(Compression, Codec); 2] {
    [
        (Compression::ZSTD(ZstdLevel::default()), Codec::Zstd),
        (Compression::GZIP(GzipLevel::default()), Codec::Gzip),
    ]
}

fn properties(codec: Compression, version: WriterVersion, dictionary: bool) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(codec)
        .set_writer_version(version)
        .set_dictionary_enabled(dictionary)
        .set_data_page_row_count_limit(700)
        .set_write_batch_size(100)
        .set_max_row_group_row_count(Some(3000))
        .set_statistics_enabled(EnabledStatistics::Page)
        .build()
}

async fn scan_of(path: &Path, sql: &str, device: &Device) -> Scan {
    // A context of its own, so that no footer is remembered.
    let context = context();
    register(&context, "x", path).await;
    opened_on(&context, sql, 1 << 30, device).await.unwrap()
}

/// How many pages go up packed by a codec, and how many were decompressed by the CPU.
fn ways(scan: &Scan, wanted: Codec) -> (usize, usize) {
    let (device, _) = device_of(scan);
    let (mut packed, mut unpacked) = (0, 0);
    for partition in 0..scan.partitions() {
        let fetched = scan
            .fetch_sync(partition, Turn::last(), device, &|| false)
            .unwrap();
        for column in &fetched.columns {
            let FetchedColumn::Pages(groups) = column else {
                panic!("no pages");
            };
            let pages = groups.iter().map(|group| &group.pages);
            for page in pages.flat_map(|pages| pages.dictionary.iter().chain(&pages.data)) {
                match &page.body {
                    Body::Packed { codec, .. } if *codec == wanted => packed += 1,
                    Body::Host(_) => unpacked += 1,
                    // What would not have become smaller, in version 2.
                    Body::Plain { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    (packed, unpacked)
}

/// Which way the pages of a file go, and that its rows are those that parquet's own reader reads.
async fn tried_on(device: &'static Device, path: &Path, codec: Codec) -> (usize, usize) {
    let scan = scan_of(path, "select * from x", device).await;
    let (ways, scanned) = tokio::task::spawn_blocking(move || (ways(&scan, codec), run(scan).unwrap()))
        .await
        .unwrap();
    assert_eq!(scanned.cpu_columns, []);
    let expected = expected(path, &scanned.schema);
    assert_same(
        &format!("{codec:?}"),
        &scanned.schema,
        &scanned.columns,
        &expected,
    );
    ways
}

#[tokio::test]
async fn pages_go_up_packed_where_the_device_takes_them() {
    let (folder, seed) = (folder(), 61);
    println!("seed {seed}");
    let mut random = Random::new(seed);
    for (compression, codec) in codecs() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for (dictionary, nulls) in [(true, 0), (false, 30), (true, 100)] {
                let path = folder.path().join("x.parquet");
                write(
                    &path,
                    &[batch(nulls, &mut random)],
                    properties(compression, version, dictionary),
                );
                let (packed, unpacked) = tried_on(&UNPACKING.0, &path, codec).await;
                assert!(
                    (packed > 20 || nulls == 100) && unpacked == 0,
                    "{packed}, {unpacked} unpacked"
                );
                let (packed, unpacked) = tried_on(&DEVICE.0, &path, codec).await;
                assert!(packed == 0 && unpacked > 20, "{packed}, {unpacked} unpacked");
            }
        }
    }
}

#[tokio::test]
async fn chosen_pages_go_up_packed() {
    let (folder, mut random) = (folder(), Random::new(62));
    for (compression, codec) in codecs() {
        let path = folder.path().join("x.parquet");
        let id: ArrayRef = Arc::new(arrow::array::Int64Array::from_iter_values(0..ROWS as i64));
        let text = types::values(&DataType::Utf8, ROWS, 10, &mut random);
        let batch =
            RecordBatch::try_from_iter_with_nullable([("id", id, false), ("text", text, true)]).unwrap();
        let version = WriterVersion::PARQUET_2_0;
        write(
            &path,
            std::slice::from_ref(&batch),
            properties(compression, version, true),
        );
        let scan = scan_of(
            &path,
            "select * from x where id between 1500 and 1600",
            &UNPACKING.0,
        )
        .await;
        assert!(scan.pages_pruned() > 0);
        let (ways, scanned) = tokio::task::spawn_blocking(move || (ways(&scan, codec), run(scan).unwrap()))
            .await
            .unwrap();
        assert!(ways.0 > 1 && ways.1 == 0, "{ways:?}");
        let ids: &arrow::array::Int64Array = scanned.columns[0].as_any().downcast_ref().unwrap();
        let first = ids.value(0) as usize;
        assert!(first <= 1500 && first + ids.len() > 1600 && ids.len() < 2000);
        let expected: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .map(|all| all.slice(first, ids.len()))
            .collect();
        assert_same("chosen", &scanned.schema, &scanned.columns, &expected);
    }
}

/// A flag of a gzip header that changes nothing: who is strict about headers leaves it to who is not.
#[tokio::test]
async fn what_the_device_is_not_given_is_decompressed_by_the_cpu() {
    let (folder, mut random) = (folder(), Random::new(63));
    let path = folder.path().join("x.parquet");
    let (compression, codec) = codecs()[1];
    let properties = properties(compression, WriterVersion::PARQUET_1_0, true);
    write(&path, &[batch(10, &mut random)], properties);
    let (all, _) = tried_on(&UNPACKING.0, &path, codec).await;
    let mut bytes = std::fs::read(&path).unwrap();
    let member = bytes
        .windows(4)
        .position(|four| four == [0x1f, 0x8b, 8, 0])
        .unwrap();
    bytes[member + 3] = 1;
    std::fs::write(&path, bytes).unwrap();
    let (packed, unpacked) = tried_on(&UNPACKING.0, &path, codec).await;
    // Of the chunk with this page all, of others none.
    assert_eq!(packed + unpacked, all);
    assert!(
        unpacked >= 2 && packed > unpacked,
        "{packed}, {unpacked} unpacked"
    );
}

#[tokio::test]
async fn damaged_pages_are_refused_with_their_names() {
    let (folder, seed) = (folder(), 64);
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let (mut refused, mut by_device) = (0, 0);
    for (compression, _) in codecs() {
        let path = folder.path().join("whole.parquet");
        let properties = properties(compression, WriterVersion::PARQUET_1_0, false);
        write(&path, &[batch(10, &mut random)], properties);
        let whole = std::fs::read(&path).unwrap();
        let end = whole.len() / 10 * 8;
        for index in 0..30 {
            let damaged = folder.path().join(format!("damaged-{index}.parquet"));
            write_damaged(&damaged, &whole, end, &mut random);
            let scan = scan_of(&damaged, "select * from x", &UNPACKING.0).await;
            let result = tokio::task::spawn_blocking(move || tried(&scan)).await.unwrap();
            if let Err(error) = result {
                let text = error.message();
                assert_eq!(error.kind(), Kind::Data, "{compression} {index}: {text}");
                assert!(text.contains(&format!("damaged-{index}.parquet")), "{text}");
                assert!(text.contains(", column c") && text.contains(", page "), "{text}");
                refused += 1;
                by_device += usize::from(text.contains("malformed compressed data"));
            }
        }
    }
    println!("{refused} of 60 refused, {by_device} by what stands for the library");
    assert!(
        refused > 20 && by_device > 5,
        "{refused} refused, {by_device} by the library"
    );
}
