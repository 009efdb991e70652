//! Pages of known contents, of random shape. Comes in: what a column's values look like. Goes out: pages as a writer
//! might make them, and the rows that they hold.

use std::ops::Range;

use Encoding::{
    ByteStreamSplit, DeltaBinaryPacked, DeltaByteArray, DeltaLengthByteArray, Dictionary, Plain, RunLength,
};

use crate::parquet::{Conversion, Encoding, LEVELS_PREFIXED, Page, SLACK_BYTES};
use crate::selftest::{Context, Random, encode};

/// How a column's values look in pages and in the output.
pub(super) struct Column {
    pub(super) conversion: Conversion,
    pub(super) source_bytes: usize,
    pub(super) output_bytes: usize,
    pub(super) encodings: &'static [Encoding],
    /// A value as it stands in a page, without a length.
    pub(super) make: fn(&mut Random) -> Vec<u8>,
    /// The same as it stands in the output.
    pub(super) convert: fn(&[u8], usize) -> Vec<u8>,
}

/// Pages of one column, and what they should become.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) pages: Vec<Page>,
    pub(super) dictionary: Vec<Vec<u8>>,
    /// Every row, as it stands in a page; and its dictionary index where it has one.
    pub(super) rows: Vec<Option<(Vec<u8>, Option<u32>)>>,
}

pub(super) const CODE_BASE: u32 = 1000;

/// Writes pages of random shape; addresses are offsets until the bytes are on the device.
pub(super) fn write(column: &Column, context: &mut Context) -> Written {
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
        let mut in_page: Vec<Option<(Vec<u8>, Option<u32>)>> = Vec::with_capacity(rows);
        let (mut values, mut indexes) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            if random.chance(null_percent) {
                in_page.push(None);
                continue;
            }
            let index = (encoding == Dictionary).then(|| random.below(entries as u64) as u32);
            let value = match index {
                Some(index) => written.dictionary[index as usize].clone(),
                None => (column.make)(random),
            };
            indexes.extend(index);
            values.push(value.clone());
            in_page.push(Some((value, index)));
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
            let levels: Vec<u32> = in_page
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
        page.dictionary_count = entries as u32;
        page.code_base = CODE_BASE;
        page.item = 10 + item as u32;
        for kept in kept_parts(rows, random) {
            page.first_row = written.rows.len() as u64;
            (page.skip, page.kept) = (kept.start as u32, kept.len() as u32);
            written.pages.push(page);
            written.rows.extend_from_slice(&in_page[kept]);
        }
    }
    written.bytes.extend([0; SLACK_BYTES]);
    written
}

/// The parts of a page that are kept: half of the time all of it.
fn kept_parts(rows: usize, random: &mut Random) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    if random.chance(50) {
        parts.push(0..rows);
        return parts;
    }
    let mut at = 0;
    for _ in 0..1 + random.below(3) {
        let start = at + random.below((rows - at) as u64 + 1) as usize;
        let end = start + random.below((rows - start) as u64 + 1) as usize;
        if start < end {
            parts.push(start..end);
        }
        at = end;
    }
    parts
}

pub(super) fn page_of(column: &Column, encoding: Encoding, start: usize, end: usize, rows: u32) -> Page {
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
        skip: 0,
        kept: rows,
        filled: [0; 5],
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

pub(super) fn extend(bytes: &[u8], output: usize) -> Vec<u8> {
    let mut wide = bytes.to_vec();
    let sign = if bytes.last().is_some_and(|&byte| byte > 127) {
        255
    } else {
        0
    };
    wide.resize(16, sign);
    wide[..output].to_vec()
}
