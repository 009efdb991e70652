//! Pages that lie.

use Encoding::{DeltaByteArray, DeltaLengthByteArray, Dictionary, Plain, RunLength};

use super::columns::{INTEGER, reverse, same};
use super::decode::decode;
use super::write::{Column, extend, write};
use crate::parquet::{Conversion, Encoding, LEVELS_PREFIXED, SLACK_BYTES};
use crate::selftest::{Context, Failure};

/// Damaged pages: any bytes may change, any length may lie. The device must neither fault nor hang; whether the damage
/// is found, or gives other values, depends on where it is.
pub(super) fn hostile(context: &mut Context) -> Result<(), Failure> {
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
