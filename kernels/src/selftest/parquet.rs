//! Decoding of Parquet pages against plain Rust: every conversion under every encoding that it goes with, nulls none,
//! some and all, pages of awkward sizes; and pages that lie, which must raise and never leave their bounds.

use super::{Check, Context, Failure, Random, encode, expect_equal};
use crate::ErrorWord;
use crate::parquet::{Conversion, Encoding, LEVELS_PREFIXED, Page, PageDecoder, SLACK_BYTES, StringRef};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "parquet/same_width",
        run: same_width,
    },
    Check {
        name: "parquet/integers",
        run: integers,
    },
    Check {
        name: "parquet/decimals",
        run: decimals,
    },
    Check {
        name: "parquet/int96",
        run: int96,
    },
    Check {
        name: "parquet/booleans",
        run: booleans,
    },
    Check {
        name: "parquet/codes",
        run: codes,
    },
    Check {
        name: "parquet/strings",
        run: strings,
    },
    Check {
        name: "parquet/hostile",
        run: hostile,
    },
];

/// How a column's values look in pages and in the output.
struct Column {
    conversion: Conversion,
    source_bytes: usize,
    output_bytes: usize,
    encodings: &'static [Encoding],
    /// A value as it stands in a page, without a length.
    make: fn(&mut Random) -> Vec<u8>,
    /// The same as it stands in the output.
    convert: fn(&[u8], usize) -> Vec<u8>,
}

use Encoding::{
    ByteStreamSplit, DeltaBinaryPacked, DeltaByteArray, DeltaLengthByteArray, Dictionary, Plain, RunLength,
};
const FIXED: &[Encoding] = &[Plain, Dictionary, ByteStreamSplit];
const INTEGER: &[Encoding] = &[Plain, Dictionary, ByteStreamSplit, DeltaBinaryPacked];

fn same(bytes: &[u8], _: usize) -> Vec<u8> {
    bytes.to_vec()
}

fn same_width(context: &mut Context) -> Result<(), Failure> {
    macro_rules! of {
        ($bytes:literal, $encodings:expr) => {
            check_column(
                context,
                &Column {
                    conversion: Conversion::Same,
                    source_bytes: $bytes,
                    output_bytes: $bytes,
                    encodings: $encodings,
                    make: |random| random.bytes($bytes),
                    convert: same,
                },
            )?
        };
    }
    of!(1, FIXED);
    of!(2, FIXED);
    of!(3, FIXED);
    of!(4, INTEGER);
    of!(8, INTEGER);
    of!(12, FIXED);
    of!(16, FIXED);
    of!(21, FIXED);
    of!(5, &[DeltaByteArray]);
    of!(8, &[Plain, DeltaByteArray]);
    of!(30, &[Plain, DeltaByteArray]);
    Ok(())
}

fn small_or_large(random: &mut Random) -> i64 {
    random.integer() as i64
}

fn extend(bytes: &[u8], output: usize) -> Vec<u8> {
    let mut wide = bytes.to_vec();
    let sign = if bytes.last().is_some_and(|&byte| byte > 127) {
        255
    } else {
        0
    };
    wide.resize(16, sign);
    wide[..output].to_vec()
}

fn integers(context: &mut Context) -> Result<(), Failure> {
    for output_bytes in [1, 2, 4, 8, 16] {
        for source_bytes in [4, 8] {
            let make: fn(&mut Random) -> Vec<u8> = if source_bytes == 4 {
                |random| (small_or_large(random) as i32).to_le_bytes().to_vec()
            } else {
                |random| small_or_large(random).to_le_bytes().to_vec()
            };
            let conversion = Conversion::Signed;
            let column = Column {
                conversion,
                source_bytes,
                output_bytes,
                encodings: INTEGER,
                make,
                convert: extend,
            };
            check_column(context, &column)?;
        }
    }
    Ok(())
}

fn reverse(bytes: &[u8], output: usize) -> Vec<u8> {
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    extend(&reversed[..reversed.len().min(16)], output)
}

fn decimals(context: &mut Context) -> Result<(), Failure> {
    macro_rules! of {
        ($source:literal, $output:literal, $encodings:expr) => {
            check_column(
                context,
                &Column {
                    conversion: Conversion::BigEndian,
                    source_bytes: $source,
                    output_bytes: $output,
                    encodings: $encodings,
                    // As large as the output takes.
                    make: |random| {
                        let value = random.integer() >> (128 - 8 * usize::min($source, $output));
                        let bytes = [[if value < 0 { 255 } else { 0 }; 16], value.to_be_bytes()].concat();
                        bytes[32 - $source..].to_vec()
                    },
                    convert: reverse,
                },
            )?
        };
    }
    of!(1, 4, FIXED);
    of!(4, 4, FIXED);
    of!(5, 8, FIXED);
    of!(9, 8, FIXED);
    of!(13, 16, FIXED);
    of!(16, 16, FIXED);
    of!(20, 16, &[Plain, Dictionary, DeltaByteArray]);
    of!(7, 8, &[DeltaByteArray]);
    Ok(())
}

fn int96(context: &mut Context) -> Result<(), Failure> {
    let column = Column {
        conversion: Conversion::Int96,
        source_bytes: 12,
        output_bytes: 8,
        encodings: &[Plain, Dictionary],
        make: |random| {
            let nanoseconds = random.below(86_400_000_000_000);
            let day = 2_400_000 + random.below(100_000) as u32;
            [&nanoseconds.to_le_bytes()[..], &day.to_le_bytes()].concat()
        },
        convert: |bytes, _| {
            let nanoseconds = bytes[..8]
                .iter()
                .rev()
                .fold(0u64, |word, &byte| word << 8 | u64::from(byte));
            let day = bytes[8..]
                .iter()
                .rev()
                .fold(0u32, |word, &byte| word << 8 | u32::from(byte));
            let day = i64::from(day.cast_signed()) - 2_440_588;
            let value = day
                .wrapping_mul(86_400_000_000_000)
                .wrapping_add(nanoseconds.cast_signed());
            value.to_le_bytes().to_vec()
        },
    };
    check_column(context, &column)
}

fn booleans(context: &mut Context) -> Result<(), Failure> {
    let column = Column {
        conversion: Conversion::Boolean,
        source_bytes: 1,
        output_bytes: 0,
        encodings: &[Plain, RunLength],
        make: |random| vec![u8::from(random.chance(30))],
        convert: same,
    };
    check_column(context, &column)
}

fn codes(context: &mut Context) -> Result<(), Failure> {
    let column = Column {
        conversion: Conversion::Code,
        source_bytes: 4,
        output_bytes: 4,
        encodings: &[Dictionary],
        make: |random| random.bytes(4),
        convert: same,
    };
    check_column(context, &column)
}

fn strings(context: &mut Context) -> Result<(), Failure> {
    for make in [
        (|random| random.bytes(0)) as fn(&mut Random) -> Vec<u8>,
        |random| {
            let length = random.below(30) as usize;
            random.bytes(length)
        },
        |random| {
            let length = random.below(4) as usize;
            [b"the same beginning".to_vec(), random.bytes(length)].concat()
        },
        |random| {
            let length = if random.chance(2) {
                random.below(3000)
            } else {
                random.below(9)
            } as usize;
            random.bytes(length)
        },
    ] {
        let column = Column {
            conversion: Conversion::String,
            source_bytes: 0,
            output_bytes: 16,
            encodings: &[Plain, Dictionary, DeltaLengthByteArray, DeltaByteArray],
            make,
            convert: same,
        };
        check_column(context, &column)?;
    }
    Ok(())
}

/// Pages of one column, and what they should become.
struct Written {
    bytes: Vec<u8>,
    pages: Vec<Page>,
    dictionary: Vec<Vec<u8>>,
    /// Every row, as it stands in a page; and its dictionary index where it has one.
    rows: Vec<Option<(Vec<u8>, Option<u32>)>>,
}

const CODE_BASE: u32 = 1000;

/// Writes pages of random shape; addresses are offsets until the bytes are on the device.
fn write(column: &Column, context: &mut Context) -> Written {
    let sizes = context.sizes(crate::parquet::TILE_ROWS as usize);
    let random = &mut context.random;
    let entries = [1, 2, 7, 300][random.below(4) as usize];
    let dictionary: Vec<Vec<u8>> = (0..entries).map(|_| (column.make)(random)).collect();
    let mut written = Written {
        bytes: random.bytes(3),
        pages: Vec::new(),
        dictionary,
        rows: Vec::new(),
    };
    let uses_dictionary = column.encodings.contains(&Dictionary);
    if uses_dictionary {
        let start = written.bytes.len();
        let section = encode_values(column, Plain, &written.dictionary, random);
        written.bytes.extend(section);
        let mut page = page_of(column, Plain, start, written.bytes.len(), entries as u32);
        if column.conversion == Conversion::Code {
            page.conversion = Conversion::Same as u32;
        }
        written.pages.push(page);
    }
    for (item, &rows) in sizes.iter().enumerate() {
        let encoding = column.encodings[random.below(column.encodings.len() as u64) as usize];
        let null_percent = [0, 0, 40, 97, 100][random.below(5) as usize];
        let first_row = written.rows.len();
        let (mut values, mut indexes) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            if random.chance(null_percent) {
                written.rows.push(None);
                continue;
            }
            let index = (encoding == Dictionary).then(|| random.below(entries as u64) as u32);
            let value = match index {
                Some(index) => written.dictionary[index as usize].clone(),
                None => (column.make)(random),
            };
            indexes.extend(index);
            values.push(value.clone());
            written.rows.push(Some((value, index)));
        }
        let mut body = if encoding == Dictionary {
            let width = (32 - (entries as u32 - 1).leading_zeros()) + random.below(3) as u32;
            [vec![width as u8], encode::hybrid(&indexes, width, random)].concat()
        } else {
            encode_values(column, encoding, &values, random)
        };
        let start = written.bytes.len();
        let max_level = if null_percent > 0 {
            1 + random.below(3) as u32
        } else {
            random.below(2) as u32
        };
        let mut level_bytes = 0;
        if max_level > 0 {
            let levels: Vec<u32> = written.rows[first_row..]
                .iter()
                .map(|row| {
                    if row.is_some() {
                        max_level
                    } else {
                        random.below(u64::from(max_level)) as u32
                    }
                })
                .collect();
            let levels = encode::hybrid(&levels, 32 - max_level.leading_zeros(), random);
            level_bytes = if random.chance(50) {
                LEVELS_PREFIXED
            } else {
                levels.len() as u32
            };
            let prefix = (level_bytes == LEVELS_PREFIXED).then(|| (levels.len() as u32).to_le_bytes());
            body = [prefix.map_or(Vec::new(), |prefix| prefix.to_vec()), levels, body].concat();
        }
        written.bytes.extend(body);
        let mut page = page_of(column, encoding, start, written.bytes.len(), rows as u32);
        page.level_bytes = level_bytes;
        page.max_level = max_level;
        page.first_row = first_row as u64;
        page.dictionary_count = entries as u32;
        page.code_base = CODE_BASE;
        page.item = 10 + item as u32;
        written.pages.push(page);
    }
    written.bytes.extend([0; SLACK_BYTES]);
    written
}

fn page_of(column: &Column, encoding: Encoding, start: usize, end: usize, rows: u32) -> Page {
    Page {
        section: start as u64,
        output: 0,
        validity: 0,
        dictionary: 0,
        scratch: 0,
        first_row: 0,
        section_bytes: (end - start) as u32,
        rows,
        level_bytes: 0,
        max_level: 0,
        dictionary_count: 0,
        first_tile: 0,
        encoding: encoding as u32,
        conversion: column.conversion as u32,
        source_bytes: column.source_bytes as u32,
        output_bytes: column.output_bytes as u32,
        item: 1,
        code_base: 0,
        filled: [0; 4],
    }
}

fn encode_values(column: &Column, encoding: Encoding, values: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let integers = || -> Vec<i64> {
        let wide = |value: &Vec<u8>| {
            extend(value, 8)
                .iter()
                .rev()
                .fold(0, |word, &byte| word << 8 | i64::from(byte))
        };
        values.iter().map(wide).collect()
    };
    let bits = || values.iter().map(|value| u32::from(value[0]));
    match (encoding, column.conversion) {
        (Plain, Conversion::String) => encode::plain_strings(values),
        (Plain, Conversion::Boolean) => {
            let mut packed = encode::BitWriter::default();
            bits().for_each(|bit| packed.push(u64::from(bit), 1));
            packed.finish()
        }
        (RunLength, _) => {
            let runs = encode::hybrid(&bits().collect::<Vec<_>>(), 1, random);
            [(runs.len() as u32).to_le_bytes().to_vec(), runs].concat()
        }
        (ByteStreamSplit, _) => encode::byte_stream_split(values, column.source_bytes),
        (DeltaBinaryPacked, _) => encode::delta(&integers(), random),
        (DeltaByteArray, _) => encode::delta_byte_arrays(values, random),
        (DeltaLengthByteArray, _) => encode::delta_strings(values, random),
        _ => values.concat(),
    }
}

/// Columns as decoded: bytes of the values, words of the validity.
struct Decoded {
    values: Vec<u8>,
    validity: Vec<u32>,
    base: u64,
    /// Strings that were put together, and their address.
    text: Vec<u8>,
    text_base: u64,
}

fn decode(context: &Context, column: &Column, written: &Written, kernel: &str) -> Result<Decoded, Failure> {
    let Context {
        device,
        stream,
        reservation,
        ..
    } = context;
    let decoder = PageDecoder::new(device)?;
    let error = ErrorWord::new(stream, reservation)?;
    let bytes = stream.upload_values(reservation, &written.bytes)?;
    let words = written.rows.len().div_ceil(32);
    let boolean = column.conversion == Conversion::Boolean;
    let output_len = if boolean {
        words * 4
    } else {
        written.rows.len() * column.output_bytes
    };
    let output = stream.allocate(reservation, output_len)?;
    if boolean {
        stream.fill(output.view(), 0)?;
    }
    let validity = stream.allocate_zeroed(reservation, words * 4)?;
    let dictionary = stream.allocate(reservation, written.dictionary.len() * column.output_bytes.max(1))?;
    let mut pages = written.pages.clone();
    for page in &mut pages {
        page.section += bytes.address();
        page.output = output.address();
        page.validity = validity.address();
        page.dictionary = dictionary.address();
    }
    if column.encodings.contains(&Dictionary) {
        let mut page = pages.remove(0);
        (page.output, page.validity) = (dictionary.address(), 0);
        decoder.decode(stream, reservation, &[page], &[&bytes, &dictionary], &error)?;
    }
    let room = decoder.measure_sync(stream, reservation, &pages, &[&bytes], &error)?;
    let room_bytes = room.iter().sum::<u64>() as usize + SLACK_BYTES;
    if room_bytes > 64 << 20 {
        return Err(Failure(format!("pages ask for {room_bytes} bytes of room")));
    }
    let text = stream.allocate_zeroed(reservation, room_bytes)?;
    let mut place = text.address();
    for (page, &bytes) in pages.iter_mut().zip(&room) {
        if page.encoding == DeltaByteArray as u32 {
            (page.dictionary, page.dictionary_count) = (place, bytes as u32);
            place += bytes;
        }
    }
    let uses = [&bytes, &output, &validity, &dictionary, &text];
    decoder.decode(stream, reservation, &pages, &uses, &error)?;
    error.check_sync(stream, kernel)?;
    Ok(Decoded {
        values: stream.read_sync(output.view())?,
        validity: stream.read_sync(validity.view())?,
        base: bytes.address(),
        text_base: text.address(),
        text: stream.read_sync(text.view())?,
    })
}

fn check_column(context: &mut Context, column: &Column) -> Result<(), Failure> {
    let what = format!(
        "{:?} {} to {} bytes",
        column.conversion, column.source_bytes, column.output_bytes
    );
    let written = write(column, context);
    let decoded = decode(context, column, &written, "decode_values").map_err(|failure| {
        let pages: Vec<_> = written
            .pages
            .iter()
            .map(|p| (p.item, p.rows, p.encoding, p.max_level, p.section_bytes))
            .collect();
        Failure(format!("{what}: {}; pages {pages:?}", failure.0))
    })?;
    let valid: Vec<bool> = written.rows.iter().map(Option::is_some).collect();
    let found: Vec<bool> = (0..valid.len())
        .map(|at| decoded.validity[at / 32] >> (at % 32) & 1 == 1)
        .collect();
    expect_equal(&format!("{what}: validity"), &found, &valid)?;
    let found: Vec<Vec<u8>> = (0..valid.len())
        .map(|row| value_of(column, &written, &decoded, row))
        .collect();
    let expected: Vec<Vec<u8>> = written
        .rows
        .iter()
        .map(|row| expected_of(column, row.as_ref()))
        .collect();
    expect_equal(&format!("{what}: values"), &found, &expected)
}

fn expected_of(column: &Column, row: Option<&(Vec<u8>, Option<u32>)>) -> Vec<u8> {
    match (row, column.conversion) {
        (Some((_, Some(index))), Conversion::Code) => (index + CODE_BASE).to_le_bytes().to_vec(),
        (Some((value, _)), _) => (column.convert)(value, column.output_bytes),
        (None, Conversion::String) => Vec::new(),
        (None, Conversion::Boolean) => vec![0],
        (None, _) => vec![0; column.output_bytes],
    }
}

fn value_of(column: &Column, written: &Written, decoded: &Decoded, row: usize) -> Vec<u8> {
    if column.conversion == Conversion::Boolean {
        return vec![decoded.values[row / 8] >> (row % 8) & 1];
    }
    let value = &decoded.values[row * column.output_bytes..(row + 1) * column.output_bytes];
    if column.conversion != Conversion::String {
        return value.to_vec();
    }
    let reference = crate::values_from_bytes::<StringRef>(value)[0];
    let within = |base: u64, bytes: &[u8]| {
        let start = reference.address.checked_sub(base)? as usize;
        bytes
            .get(start..start + reference.bytes as usize)
            .map(<[u8]>::to_vec)
    };
    if reference.bytes == 0 {
        return Vec::new();
    }
    let text = within(decoded.text_base, &decoded.text);
    text.or_else(|| within(decoded.base, &written.bytes))
        .unwrap_or_default()
}

/// Damaged pages: any bytes may change, any length may lie. The device must neither fault nor hang; whether the damage
/// is found, or gives other values, depends on where it is.
fn hostile(context: &mut Context) -> Result<(), Failure> {
    let columns: [Column; 4] = [
        Column {
            conversion: Conversion::String,
            source_bytes: 0,
            output_bytes: 16,
            encodings: &[Plain, Dictionary, DeltaLengthByteArray, DeltaByteArray],
            make: |random| {
                let length = random.below(12) as usize;
                vec![b'a'; length]
            },
            convert: same,
        },
        Column {
            conversion: Conversion::Signed,
            source_bytes: 8,
            output_bytes: 8,
            encodings: INTEGER,
            make: |random| random.below(1000).to_le_bytes().to_vec(),
            convert: extend,
        },
        Column {
            conversion: Conversion::Boolean,
            source_bytes: 1,
            output_bytes: 0,
            encodings: &[Plain, RunLength],
            make: |random| vec![u8::from(random.chance(50))],
            convert: same,
        },
        Column {
            conversion: Conversion::BigEndian,
            source_bytes: 17,
            output_bytes: 16,
            encodings: &[Plain, Dictionary],
            make: |random| random.bytes(17),
            convert: reverse,
        },
    ];
    let (mut raised, rounds) = (0, 12);
    for column in columns.iter().cycle().take(4 * rounds) {
        let mut written = write(column, context);
        let random = &mut context.random;
        for _ in 0..1 + random.below(20) {
            let at = random.below(written.bytes.len() as u64 - SLACK_BYTES as u64) as usize;
            written.bytes[at] = if random.chance(50) {
                255
            } else {
                random.bits() as u8
            };
        }
        // Damage to the headers of pages, where it does most.
        for page in &mut written.pages {
            if page.section_bytes > 8 && random.chance(40) {
                let at = page.section as usize + random.below(8) as usize;
                written.bytes[at] = random.bits() as u8;
            }
            if random.chance(20) {
                page.section_bytes = random.below(u64::from(page.section_bytes) + 1) as u32;
            }
            if random.chance(10) && page.level_bytes != LEVELS_PREFIXED {
                page.level_bytes = random.bits() as u32;
            }
        }
        match decode(context, column, &written, "hostile") {
            Err(failure) if failure.0.starts_with("kernel hostile refused its input at item") => raised += 1,
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
    }
    if raised < rounds {
        return Err(Failure(format!(
            "only {raised} of {} damaged columns raised",
            4 * rounds
        )));
    }
    Ok(())
}
