//! Plain byte arrays against a walk in plain Rust: lengths around every size that the kernel knows, bytes that look like
//! lengths, nulls, pages at all alignments, and pages that end too early or lie about a length. Every reference is
//! compared, those behind the first lie too.

use super::columns::same;
use super::write::{Column, page_of};
use crate::ErrorWord;
use crate::parquet::Encoding::Plain;
use crate::parquet::{Conversion, LEVELS_PREFIXED, Page, PageDecoder, SLACK_BYTES, StringRef};
use crate::selftest::{Context, Failure, Random, encode, expect_equal};

/// What strings are made of.
type Fill = fn(&mut Random, usize) -> Vec<u8>;

const FILLS: &[Fill] = &[
    |random, len| (0..len).map(|_| b'a' + random.below(26) as u8).collect(),
    |random, len| random.bytes(len),
    |_, len| vec![0; len],
    // Lengths of strings that are not there, at any alignment.
    |random, len| {
        let skipped = random_below(random, 4);
        let words = (0..len / 4 + 2).flat_map(|_| (random.below(40) as u32).to_le_bytes());
        words.skip(skipped).take(len).collect()
    },
    // A page inside the string.
    |random, len| {
        let mut bytes = {
            let len = random_below(random, 9);
            random.bytes(len)
        };
        while bytes.len() < len {
            let inner = random_below(random, 12);
            bytes.extend((inner as u32).to_le_bytes());
            bytes.extend(vec![b'x'; inner]);
        }
        bytes.truncate(len);
        bytes
    },
];

fn random_below(random: &mut Random, bound: u64) -> usize {
    random.below(bound) as usize
}

/// How long they are.
type Length = fn(&mut Random) -> usize;

const LENGTHS: &[Length] = &[
    |_| 0,
    |_| 1,
    |_| 12,
    |_| 15,
    |random| random_below(random, 40),
    |random| {
        if random.chance(97) {
            0
        } else {
            random_below(random, 60)
        }
    },
    // Segments of 124 bytes, warps' 32 of them, windows of 256 of them, each less the length in front.
    |random| 118 + random_below(random, 5),
    |random| {
        if random.chance(90) {
            3
        } else {
            4095 + random_below(random, 3)
        }
    },
    |random| {
        if random.chance(90) {
            9
        } else {
            3960 + random_below(random, 10)
        }
    },
    |random| {
        if random.chance(98) {
            random_below(random, 20)
        } else {
            31_730 + random_below(random, 20)
        }
    },
    |random| 100 + random_below(random, 900),
];

/// A page and where its strings are, as a walk finds them.
struct Walked {
    section: Vec<u8>,
    /// Bytes of levels in front, their length included.
    level_bytes: usize,
    rows: Vec<bool>,
    /// Place in the section and length of each value.
    strings: Vec<(usize, usize)>,
    good: bool,
}

/// A page of these strings, with nulls among them if there is a percentage.
fn page(strings: &[Vec<u8>], null_percent: Option<u64>, random: &mut Random) -> Walked {
    let mut rows = Vec::new();
    for _ in strings {
        while random.chance(null_percent.unwrap_or(0)) {
            rows.push(false);
        }
        rows.push(true);
    }
    let mut section = Vec::new();
    if null_percent.is_some() {
        let levels: Vec<u32> = rows.iter().map(|&there| u32::from(there)).collect();
        let levels = encode::hybrid(&levels, 1, random);
        section.extend((levels.len() as u32).to_le_bytes());
        section.extend(levels);
    }
    let level_bytes = section.len();
    section.extend(encode::plain_strings(strings));
    let mut walked = Walked {
        section,
        level_bytes,
        rows,
        strings: Vec::new(),
        good: true,
    };
    walk(&mut walked);
    walked
}

/// Finds the strings in what the section holds by now.
fn walk(page: &mut Walked) {
    let wanted = page.rows.iter().filter(|&&there| there).count();
    let (mut at, bytes) = (page.level_bytes, &page.section);
    page.strings.clear();
    while page.strings.len() < wanted {
        let Some(length) = bytes.get(at..at + 4) else {
            break;
        };
        let length = length
            .iter()
            .rev()
            .fold(0usize, |word, &byte| word << 8 | usize::from(byte));
        if length > bytes.len() - at - 4 {
            break;
        }
        page.strings.push((at + 4, length));
        at += 4 + length;
    }
    page.good = page.strings.len() == wanted;
    page.strings.resize(wanted, (page.level_bytes, 0));
}

/// Decodes the pages in one call, and compares all references, and which page is refused.
fn check(context: &Context, what: &str, pages: &[Walked], random: &mut Random) -> Result<(), Failure> {
    let Context {
        device,
        stream,
        reservation,
        ..
    } = context;
    let column = Column {
        conversion: Conversion::String,
        source_bytes: 0,
        output_bytes: 16,
        encodings: &[Plain],
        make: |random| random.bytes(1),
        convert: same,
    };
    let (mut bytes, mut described): (Vec<u8>, Vec<Page>) = (Vec::new(), Vec::new());
    let mut first_row = 0;
    for (item, walked) in pages.iter().enumerate() {
        bytes.extend(random.bytes((16 + item - bytes.len() % 16) % 16));
        let start = bytes.len();
        bytes.extend(&walked.section);
        let mut page = page_of(&column, Plain, start, bytes.len(), walked.rows.len() as u32);
        page.max_level = u32::from(walked.level_bytes > 0);
        page.level_bytes = if walked.level_bytes > 0 {
            LEVELS_PREFIXED
        } else {
            0
        };
        page.first_row = first_row;
        page.item = item as u32;
        first_row += walked.rows.len() as u64;
        described.push(page);
    }
    bytes.extend([0; SLACK_BYTES]);
    let rows = first_row as usize;
    let bytes = stream.upload_values(reservation, &bytes)?;
    let output = stream.allocate(reservation, rows * 16)?;
    let validity = stream.allocate_zeroed(reservation, rows.div_ceil(32) * 4)?;
    let mut expected = Vec::with_capacity(rows);
    for (page, walked) in described.iter_mut().zip(pages) {
        page.section += bytes.address();
        (page.output, page.validity) = (output.address(), validity.address());
        let mut strings = walked.strings.iter();
        let next = |there: &bool| match there.then(|| strings.next()).flatten() {
            Some(&(at, bytes)) => StringRef {
                address: page.section + at as u64,
                bytes: bytes as u32,
                reserved: 0,
            },
            None => StringRef::default(),
        };
        expected.extend(walked.rows.iter().map(next));
    }
    let error = ErrorWord::new(stream, reservation)?;
    let uses = [&bytes, &output, &validity];
    PageDecoder::new(device)?.decode(stream, reservation, &described, &uses, &error)?;
    let found: Vec<StringRef> = stream.read_sync(output.view())?;
    expect_equal(what, &found, &expected)?;
    let refused = pages.iter().position(|page| !page.good);
    let outcome = error.check_sync(stream, "plain_strings").err();
    let as_expected = match (refused, &outcome) {
        (None, None) => true,
        (Some(item), Some(error)) => error
            .to_string()
            .starts_with(&format!("kernel plain_strings refused its input at item {item}:")),
        _ => false,
    };
    if as_expected {
        return Ok(());
    }
    Err(Failure(format!(
        "{what}: {outcome:?}, expected page {refused:?} to be refused"
    )))
}

fn strings(count: usize, length: Length, fill: Fill, random: &mut Random) -> Vec<Vec<u8>> {
    (0..count)
        .map(|_| {
            let len = length(random);
            fill(random, len)
        })
        .collect()
}

pub(super) fn plain_strings(context: &mut Context) -> Result<(), Failure> {
    let mut random = context.random.clone();
    for (l, &length) in LENGTHS.iter().enumerate() {
        for (f, &fill) in FILLS.iter().enumerate() {
            let pages: Vec<Walked> = [0, 1, 2, 15, 16, 17, 31, 32, 33, 255, 256, 257, 1024]
                .into_iter()
                .map(|count| {
                    // Of long strings fewer, so that the emulation gets through.
                    let count = if l > 6 { count.min(300) } else { count };
                    let nulls = [None, Some(0), Some(40)][random_below(&mut random, 3)];
                    page(&strings(count, length, fill, &mut random), nulls, &mut random)
                })
                .collect();
            check(context, &format!("lengths {l}, bytes {f}"), &pages, &mut random)?;
        }
    }
    // One of several MiB among short ones, and pages of many.
    let short: Length = |random| random_below(random, 30);
    for fill in [FILLS[0], FILLS[3]] {
        let mut all = strings(700, short, fill, &mut random);
        all[350] = FILLS[0](&mut random, 3 << 20 | 5);
        let pages = [
            page(&all, None, &mut random),
            page(&strings(20_001, |_| 15, fill, &mut random), None, &mut random),
            page(&strings(9000, short, fill, &mut random), Some(20), &mut random),
        ];
        check(context, "long and many", &pages, &mut random)?;
    }
    context.random = random;
    Ok(())
}

/// Pages cut off anywhere, and lengths that lie: what is before the first bad string is right, what is behind is empty.
pub(super) fn bad_plain_strings(context: &mut Context) -> Result<(), Failure> {
    let mut random = context.random.clone();
    for round in 0..24 {
        let mut pages: Vec<Walked> = (0..6)
            .map(|_| {
                let length = LENGTHS[random_below(&mut random, LENGTHS.len() as u64)];
                let fill = FILLS[random_below(&mut random, FILLS.len() as u64)];
                let count = 1 + random_below(&mut random, 400);
                let nulls = [None, Some(30)][random_below(&mut random, 2)];
                page(&strings(count, length, fill, &mut random), nulls, &mut random)
            })
            .collect();
        for page in &mut pages {
            match random.below(4) {
                0 => {}
                1 => {
                    let values = (page.section.len() - page.level_bytes) as u64;
                    let kept = page.level_bytes + random_below(&mut random, values + 1);
                    page.section.truncate(kept);
                }
                // More bytes than strings: what is behind the last one does not count.
                2 => {
                    let more = 1 + random_below(&mut random, 200);
                    page.section.extend(random.bytes(more));
                }
                _ => {
                    let (start, _) = page.strings[random_below(&mut random, page.strings.len() as u64)];
                    let lie = [
                        u32::MAX,
                        u32::MAX - 3,
                        random.bits() as u32,
                        random.below(300) as u32,
                        1 << 31,
                    ][random_below(&mut random, 5)];
                    page.section[start - 4..start].copy_from_slice(&lie.to_le_bytes());
                }
            }
            walk(page);
        }
        check(context, &format!("bad pages, round {round}"), &pages, &mut random)?;
    }
    context.random = random;
    Ok(())
}
