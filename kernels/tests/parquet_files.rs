//! Pages as arrow-rs writes them, decoded on the emulation: every physical type, both page versions, dictionary with
//! fallback to plain, the other encodings, nulls none, some and all. Also streams of other compressors.

#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::Encoding as FileEncoding;
use parquet::column::page::Page as FilePage;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use warpflight_kernels::compress::{Blob, Codec, Decompressor};
use warpflight_kernels::parquet::{
    Conversion, Encoding, LEVELS_PREFIXED, Page, PageDecoder, SLACK_BYTES, StringRef,
};
use warpflight_kernels::selftest::Random;
use warpflight_kernels::{Device, DeviceOptions, ErrorWord, SimOptions};

fn open(seed: u64) -> Device {
    let compiler = std::env::var_os("CXX").map(PathBuf::from);
    let cache_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("modules"));
    let options = DeviceOptions {
        cache_dir,
        sim: SimOptions {
            seed,
            compiler,
            ..SimOptions::default()
        },
        ..DeviceOptions::sim()
    };
    Device::open(&options).expect("the emulation opens")
}

/// How a column is written, and how it is decoded.
struct Case<T: DataType> {
    schema: &'static str,
    encoding: Option<FileEncoding>,
    conversion: Conversion,
    source_bytes: u32,
    output_bytes: u32,
    make: fn(&mut Random) -> T::T,
    /// The value as the output holds it; of a string its bytes, of a boolean one byte.
    output: fn(&T::T) -> Vec<u8>,
}

/// Writes and decodes the case under every page version, share of nulls and dictionary setting.
fn check<T: DataType>(case: &Case<T>) {
    let seed = 7;
    println!("seed {seed}");
    let device = open(seed);
    let decoder = PageDecoder::new(&device).expect("kernels");
    let mut random = Random::new(seed);
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for null_percent in [None, Some(0), Some(35), Some(100)] {
            for dictionary in [false, true] {
                // The encoding asked for is what follows a dictionary that grew too large.
                let rows = 3000;
                let values: Vec<Option<T::T>> = (0..rows)
                    .map(|_| {
                        let there = null_percent.is_none_or(|percent| !random.chance(percent));
                        there.then(|| (case.make)(&mut random))
                    })
                    .collect();
                let file = write::<T>(case, &values, version, null_percent.is_some(), dictionary);
                let what = format!(
                    "{} {version:?} nulls {null_percent:?} dictionary {dictionary}",
                    case.schema
                );
                decode_and_compare(
                    &device,
                    &decoder,
                    case,
                    file,
                    &values,
                    null_percent.is_some(),
                    &what,
                );
            }
        }
    }
}

fn write<T: DataType>(
    case: &Case<T>,
    values: &[Option<T::T>],
    version: WriterVersion,
    nullable: bool,
    dictionary: bool,
) -> Bytes {
    let repetition = if nullable { "optional" } else { "required" };
    let schema =
        parse_message_type(&format!("message m {{ {repetition} {}; }}", case.schema)).expect("schema");
    let mut properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_dictionary_enabled(dictionary)
        .set_dictionary_page_size_limit(2000)
        .set_data_page_row_count_limit(700)
        .set_write_batch_size(100);
    if let Some(encoding) = case.encoding {
        properties = properties.set_encoding(encoding);
    }
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))
        .expect("writer");
    let mut group = writer.next_row_group().expect("row group");
    let mut column = group.next_column().expect("column").expect("one column");
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.iter().flatten().cloned().collect();
    column
        .typed::<T>()
        .write_batch(&present, nullable.then_some(&levels[..]), None)
        .expect("written");
    column.close().expect("column closed");
    group.close().expect("group closed");
    Bytes::from(writer.into_inner().expect("file"))
}

/// The pages of the file's one column, their bodies one after the other in `bytes`; the dictionary's first.
fn read_pages<T: DataType>(case: &Case<T>, file: Bytes, nullable: bool, bytes: &mut Vec<u8>) -> Vec<Page> {
    let reader = SerializedFileReader::new(file).expect("file");
    let group = reader.get_row_group(0).expect("group");
    let mut pages = Vec::new();
    let (mut first_row, mut dictionary_count) = (0, 0);
    for page in group.get_column_page_reader(0).expect("pages") {
        let page = page.expect("page");
        let level_bytes = match &page {
            FilePage::DataPageV2 {
                def_levels_byte_len, ..
            } => *def_levels_byte_len,
            _ => LEVELS_PREFIXED,
        };
        let is_dictionary = matches!(page, FilePage::DictionaryPage { .. });
        let encoding = match page.encoding() {
            FileEncoding::PLAIN_DICTIONARY | FileEncoding::PLAIN if is_dictionary => Encoding::Plain,
            FileEncoding::PLAIN => Encoding::Plain,
            FileEncoding::RLE_DICTIONARY | FileEncoding::PLAIN_DICTIONARY => Encoding::Dictionary,
            FileEncoding::RLE => Encoding::RunLength,
            FileEncoding::DELTA_BINARY_PACKED => Encoding::DeltaBinaryPacked,
            FileEncoding::DELTA_LENGTH_BYTE_ARRAY => Encoding::DeltaLengthByteArray,
            FileEncoding::DELTA_BYTE_ARRAY => Encoding::DeltaByteArray,
            FileEncoding::BYTE_STREAM_SPLIT => Encoding::ByteStreamSplit,
            other => panic!("encoding {other} is not expected"),
        };
        if is_dictionary {
            dictionary_count = page.num_values();
        }
        pages.push(Page {
            section: bytes.len() as u64,
            output: 0,
            validity: 0,
            dictionary: 0,
            scratch: 0,
            first_row: if is_dictionary { 0 } else { first_row },
            section_bytes: page.buffer().len() as u32,
            rows: page.num_values(),
            level_bytes,
            max_level: u32::from(nullable && !is_dictionary),
            dictionary_count,
            first_tile: 0,
            encoding: encoding as u32,
            conversion: case.conversion as u32,
            source_bytes: case.source_bytes,
            output_bytes: case.output_bytes,
            item: pages.len() as u32,
            code_base: 0,
            skip: 0,
            kept: page.num_values(),
            filled: [0; 5],
        });
        if !is_dictionary {
            first_row += u64::from(page.num_values());
        }
        bytes.extend_from_slice(page.buffer());
    }
    pages
}

fn decode_and_compare<T: DataType>(
    device: &Device,
    decoder: &PageDecoder,
    case: &Case<T>,
    file: Bytes,
    values: &[Option<T::T>],
    nullable: bool,
    what: &str,
) {
    let mut bytes = Vec::new();
    let mut pages = read_pages(case, file, nullable, &mut bytes);
    bytes.extend([0; SLACK_BYTES]);
    let stream = device.stream().expect("stream");
    let reservation = device.reserve(1 << 26).expect("reservation");
    let error = ErrorWord::new(&stream, &reservation).expect("word");
    let upload = stream.upload_values(&reservation, &bytes).expect("uploaded");
    let boolean = case.conversion == Conversion::Boolean;
    let output_bytes = if boolean {
        values.len().div_ceil(32) * 4
    } else {
        values.len() * case.output_bytes as usize
    };
    let output = stream
        .allocate_zeroed(&reservation, output_bytes)
        .expect("output");
    let validity = stream
        .allocate_zeroed(&reservation, values.len().div_ceil(32) * 4)
        .expect("validity");
    let dictionary = stream
        .allocate(&reservation, 4000 * case.output_bytes.max(1) as usize)
        .expect("dictionary");
    for page in &mut pages {
        page.section += upload.address();
        page.output = output.address();
        page.validity = validity.address();
        page.dictionary = dictionary.address();
    }
    let uses = [&upload, &output, &validity, &dictionary];
    if pages[0].dictionary_count > 0 {
        let mut page = pages.remove(0);
        (page.output, page.validity) = (dictionary.address(), 0);
        decoder
            .decode(&stream, &reservation, &[page], &uses, &error)
            .expect("dictionary queued");
    }
    let room = decoder
        .measure_sync(&stream, &reservation, &pages, &[&upload], &error)
        .expect("measured");
    let text = stream
        .allocate_zeroed(&reservation, room.iter().sum::<u64>() as usize + SLACK_BYTES)
        .expect("room for strings");
    let mut place = text.address();
    for (page, &bytes) in pages.iter_mut().zip(&room) {
        if page.encoding == Encoding::DeltaByteArray as u32 {
            (page.dictionary, page.dictionary_count) = (place, bytes as u32);
            place += bytes;
        }
    }
    let uses = [&upload, &output, &validity, &dictionary, &text];
    decoder
        .decode(&stream, &reservation, &pages, &uses, &error)
        .expect("queued");
    error
        .check_sync(&stream, "decode")
        .unwrap_or_else(|error| panic!("{what}: {error}"));

    let found: Vec<u8> = stream.read_sync(output.view()).expect("values");
    let valid: Vec<u32> = stream.read_sync(validity.view()).expect("validity");
    let put_together: Vec<u8> = stream.read_sync(text.view()).expect("text");
    for (row, value) in values.iter().enumerate() {
        assert_eq!(
            valid[row / 32] >> (row % 32) & 1 == 1,
            value.is_some(),
            "{what}: validity of row {row}"
        );
        let Some(value) = value else { continue };
        let width = case.output_bytes as usize;
        let got = match case.conversion {
            Conversion::Boolean => vec![found[row / 8] >> (row % 8) & 1],
            Conversion::String => {
                let reference =
                    warpflight_kernels::values_from_bytes::<StringRef>(&found[row * 16..][..16])[0];
                let len = reference.bytes as usize;
                match reference
                    .address
                    .checked_sub(text.address())
                    .map(|start| start as usize)
                {
                    Some(start) if start + len <= put_together.len() => put_together[start..][..len].to_vec(),
                    _ => bytes[(reference.address - upload.address()) as usize..][..len].to_vec(),
                }
            }
            _ => found[row * width..][..width].to_vec(),
        };
        assert_eq!(got, (case.output)(value), "{what}: row {row}");
    }
}

fn text(random: &mut Random) -> Vec<u8> {
    format!(
        "{}-{}",
        "ware".repeat(random.below(4) as usize),
        random.below(900)
    )
    .into_bytes()
}

#[test]
fn integers() {
    for encoding in [
        None,
        Some(FileEncoding::DELTA_BINARY_PACKED),
        Some(FileEncoding::BYTE_STREAM_SPLIT),
    ] {
        check::<Int32Type>(&Case {
            schema: "int32 a",
            encoding,
            conversion: Conversion::Signed,
            source_bytes: 4,
            output_bytes: 4,
            make: |random| {
                if random.chance(10) {
                    random.bits() as i32
                } else {
                    random.below(700) as i32 - 300
                }
            },
            output: |value| value.to_le_bytes().to_vec(),
        });
        check::<Int64Type>(&Case {
            schema: "int64 a",
            encoding,
            conversion: Conversion::Signed,
            source_bytes: 8,
            output_bytes: 16,
            make: |random| {
                if random.chance(10) {
                    random.bits() as i64
                } else {
                    random.below(700) as i64 - 300
                }
            },
            output: |value| i128::from(*value).to_le_bytes().to_vec(),
        });
    }
}

#[test]
fn floating_point() {
    for encoding in [None, Some(FileEncoding::BYTE_STREAM_SPLIT)] {
        check::<DoubleType>(&Case {
            schema: "double a",
            encoding,
            conversion: Conversion::Same,
            source_bytes: 8,
            output_bytes: 8,
            make: |random| f64::from(random.below(400) as i32) / 8.0,
            output: |value| value.to_le_bytes().to_vec(),
        });
    }
}

#[test]
fn booleans() {
    for encoding in [None, Some(FileEncoding::RLE)] {
        check::<BoolType>(&Case {
            schema: "boolean a",
            encoding,
            conversion: Conversion::Boolean,
            source_bytes: 1,
            output_bytes: 0,
            make: |random| random.chance(90),
            output: |value| vec![u8::from(*value)],
        });
    }
}

#[test]
fn int96() {
    check::<Int96Type>(&Case {
        schema: "int96 a",
        encoding: None,
        conversion: Conversion::Int96,
        source_bytes: 12,
        output_bytes: 8,
        make: |random| {
            let mut value = Int96::new();
            value.set_data(
                random.below(1000) as u32,
                random.below(20_000) as u32,
                2_440_000 + random.below(9000) as u32,
            );
            value
        },
        output: |value| value.to_nanos().to_le_bytes().to_vec(),
    });
}

#[test]
fn strings() {
    // Without a choice, version 2 takes DELTA_BYTE_ARRAY.
    for encoding in [None, Some(FileEncoding::DELTA_LENGTH_BYTE_ARRAY)] {
        check::<ByteArrayType>(&Case {
            schema: "binary a",
            encoding,
            conversion: Conversion::String,
            source_bytes: 0,
            output_bytes: 16,
            make: |random| ByteArray::from(text(random)),
            output: |value| value.data().to_vec(),
        });
    }
}

#[test]
fn fixed_length() {
    for encoding in [
        FileEncoding::PLAIN,
        FileEncoding::BYTE_STREAM_SPLIT,
        FileEncoding::DELTA_BYTE_ARRAY,
    ] {
        check::<FixedLenByteArrayType>(&Case {
            schema: "fixed_len_byte_array(11) a",
            encoding: Some(encoding),
            conversion: Conversion::BigEndian,
            source_bytes: 11,
            output_bytes: 16,
            make: |random| {
                let value = random.integer() >> (40 + random.below(80));
                FixedLenByteArray::from(value.to_be_bytes()[5..].to_vec())
            },
            output: |value| {
                let sign = if value.data()[0] > 127 { 255 } else { 0 };
                let mut wide = vec![sign; 5];
                wide.extend(value.data());
                wide.reverse();
                wide
            },
        });
    }
}

#[test]
fn streams_of_other_compressors() {
    let device = open(3);
    let decompressor = Decompressor::new(&device).expect("kernel");
    let mut random = Random::new(3);
    let (mut packed, mut plain, mut blobs) = (Vec::new(), Vec::new(), Vec::new());
    for size in [0usize, 1, 100, 4000, 66_000, 200_000] {
        // Text that repeats itself, with some noise.
        let mut body = Vec::new();
        while body.len() < size {
            body.extend(if random.chance(90) {
                text(&mut random)
            } else {
                random.bytes(50)
            });
        }
        body.truncate(size);
        let snappy = snap::raw::Encoder::new().compress_vec(&body).expect("snappy");
        let lz4 = lz4_flex::block::compress(&body);
        for (codec, stream) in [(Codec::Snappy, snappy), (Codec::Lz4Raw, lz4)] {
            blobs.push(Blob {
                source: packed.len() as u64,
                target: plain.len() as u64,
                source_bytes: stream.len() as u32,
                target_bytes: size as u32,
                codec: codec as u32,
                item: blobs.len() as u32,
            });
            packed.extend(stream);
            plain.extend_from_slice(&body);
        }
    }
    packed.extend([0; SLACK_BYTES]);
    let stream = device.stream().expect("stream");
    let reservation = device.reserve(1 << 24).expect("reservation");
    let error = ErrorWord::new(&stream, &reservation).expect("word");
    let source = stream.upload_values(&reservation, &packed).expect("uploaded");
    let target = stream.allocate(&reservation, plain.len()).expect("target");
    for blob in &mut blobs {
        blob.source += source.address();
        blob.target += target.address();
    }
    decompressor
        .decompress(&stream, &reservation, &blobs, &[&source, &target], &error)
        .expect("queued");
    error.check_sync(&stream, "decompress").expect("well-formed");
    assert_eq!(stream.read_sync::<u8>(target.view()).expect("plain"), plain);
}
