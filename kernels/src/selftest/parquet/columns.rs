//! Columns of every conversion, each under every encoding that it goes with.

use Encoding::{
    ByteStreamSplit, DeltaBinaryPacked, DeltaByteArray, DeltaLengthByteArray, Dictionary, Plain, RunLength,
};

use super::decode::check_column;
use super::write::{Column, extend};
use crate::parquet::{Conversion, Encoding};
use crate::selftest::{Context, Failure, Random};

pub(super) const FIXED: &[Encoding] = &[Plain, Dictionary, ByteStreamSplit];
pub(super) const INTEGER: &[Encoding] = &[Plain, Dictionary, ByteStreamSplit, DeltaBinaryPacked];

pub(super) fn same(bytes: &[u8], _: usize) -> Vec<u8> {
    bytes.to_vec()
}

pub(super) fn same_width(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn integers(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn reverse(bytes: &[u8], output: usize) -> Vec<u8> {
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    extend(&reversed[..reversed.len().min(16)], output)
}

pub(super) fn decimals(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn int96(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn booleans(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn codes(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn strings(context: &mut Context) -> Result<(), Failure> {
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
