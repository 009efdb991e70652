//! Damaged files end in errors that name file, column and page; never in a fault, never in a huge allocation.

use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterVersion};

use super::*;
use crate::error::Kind;

fn batch(random: &mut Random) -> RecordBatch {
    use arrow::datatypes::{DataType, Field, Schema};
    let types = [
        DataType::Int32,
        DataType::Utf8,
        DataType::Boolean,
        DataType::Decimal128(30, 2),
        DataType::Float64,
    ];
    let columns = types
        .iter()
        .map(|kind| types::values(kind, 1500, 20, random))
        .collect();
    let fields: Vec<Field> = types
        .iter()
        .enumerate()
        .map(|(index, kind)| Field::new(format!("c{index}"), kind.clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// Where the footer of a file starts.
fn footer_start(bytes: &[u8]) -> usize {
    let length = u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap());
    bytes.len() - 8 - length as usize
}

async fn opened_file(path: &Path) -> Result<Scan> {
    // A context of its own, so that no footer is remembered.
    let context = context();
    register(&context, "x", path).await;
    opened(&context, "select * from x", 1 << 30).await
}

#[tokio::test]
async fn flipped_bytes_of_pages() {
    let folder = folder();
    let seed = 41;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let (mut refused, mut tries) = (0, 0);
    for (codec, version, dictionary) in [
        (Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0, true),
        (Compression::SNAPPY, WriterVersion::PARQUET_1_0, false),
        (Compression::LZ4_RAW, WriterVersion::PARQUET_2_0, true),
        (Compression::SNAPPY, WriterVersion::PARQUET_2_0, false),
        (
            Compression::ZSTD(Default::default()),
            WriterVersion::PARQUET_2_0,
            true,
        ),
    ] {
        let path = folder.path().join("whole.parquet");
        let properties = WriterProperties::builder()
            .set_compression(codec)
            .set_writer_version(version)
            .set_dictionary_enabled(dictionary)
            .set_data_page_row_count_limit(400)
            .set_write_batch_size(100)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .build();
        write(&path, &[batch(&mut random)], properties);
        let whole = std::fs::read(&path).unwrap();
        let end = footer_start(&whole);
        for index in 0..40 {
            let damaged = folder.path().join(format!("damaged-{index}.parquet"));
            write_damaged(&damaged, &whole, end, &mut random);
            let scan = opened_file(&damaged).await.unwrap();
            let result = tokio::task::spawn_blocking(move || tried(&scan)).await.unwrap();
            tries += 1;
            if let Err(error) = result {
                refused += 1;
                let text = error.message();
                assert_eq!(error.kind(), Kind::Data, "{codec} {version:?} {index}: {text}");
                assert!(text.contains(&format!("damaged-{index}.parquet")), "{text}");
                assert!(
                    text.contains(", column c") && text.contains("row group 0"),
                    "{text}"
                );
                let named = text.contains(", page ") || matches!(codec, Compression::ZSTD(_));
                assert!(named, "{text}");
            }
        }
    }
    println!("{refused} of {tries} refused");
    assert!(
        refused > tries / 10,
        "{refused} of {tries} damaged files were refused"
    );
}

#[tokio::test]
async fn flipped_bytes_of_footers() {
    let folder = folder();
    let seed = 42;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let path = folder.path().join("whole.parquet");
    // Without Arrow's own schema in it, whose reader is not ours to try.
    let batch = batch(&mut random);
    let file = std::fs::File::create(&path).unwrap();
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let start = footer_start(&whole);
    for index in 0..150 {
        let mut bytes = whole.clone();
        let at = start + random.below((whole.len() - 8 - start) as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
        let damaged = folder.path().join(format!("damaged-{index}.parquet"));
        std::fs::write(&damaged, &bytes).unwrap();
        let context = context();
        let url = damaged.to_str().unwrap();
        if context
            .register_parquet("x", url, ParquetReadOptions::default())
            .await
            .is_err()
        {
            continue;
        }
        let Ok(frame) = context.sql("select * from x").await else {
            continue;
        };
        let Ok(plan) = frame.create_physical_plan().await else {
            continue;
        };
        let Some(node) = plan.downcast_ref::<DataSourceExec>() else {
            continue;
        };
        let Ok(spec) = ScanSpec::of(node) else { continue };
        let scan = match Scan::open(Arc::new(spec), &context.task_ctx(), 1 << 30, None).await {
            Ok(scan) => scan,
            Err(_) => continue,
        };
        let result = tokio::task::spawn_blocking(move || tried(&scan)).await.unwrap();
        if let Err(error) = result {
            let wanted = matches!(error.kind(), Kind::Data | Kind::Resources);
            assert!(wanted, "byte {at}: {:?} {}", error.kind(), error.message());
        }
    }
}
