//! Selection by mask, gathering by row, and the writing of strings, against plain Rust.

use super::{Check, Context, Failure, Random, expect_equal, is_set};
use crate::parquet::StringRef;
use crate::select::{Gather, Selector};
use crate::strings::{OffsetWidth, StringWriter};
use crate::{ErrorFlags, ErrorWord, bytes_of};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "select/mask",
        run: mask,
    },
    Check {
        name: "select/gather",
        run: gather,
    },
    Check {
        name: "select/gather_out_of_range",
        run: gather_out_of_range,
    },
    Check {
        name: "strings/write",
        run: strings,
    },
];

/// Random bits, set in `percent` of cases, and anything after the last row.
fn bitmap(random: &mut Random, rows: usize, percent: u64) -> Vec<u32> {
    let mut words = vec![0u32; rows.div_ceil(32)];
    for row in 0..words.len() * 32 {
        words[row / 32] |= u32::from(random.chance(percent)) << (row % 32);
    }
    words
}

fn mask(context: &mut Context) -> Result<(), Failure> {
    let selector = Selector::new(&context.device)?;
    for rows in context.sizes(8192) {
        for percent in [0, 3, 50, 100] {
            let flags = bitmap(&mut context.random, rows, percent);
            let validity = context
                .random
                .chance(50)
                .then(|| bitmap(&mut context.random, rows, 80));
            let Context {
                stream, reservation, ..
            } = &*context;
            let mask = stream.upload_values(reservation, &flags)?;
            let valid = validity
                .as_ref()
                .map(|words| stream.upload_values(reservation, words))
                .transpose()?;
            let valid = valid.as_ref().map(crate::Buffer::view);
            let counted = selector.count(stream, reservation, mask.view(), valid, rows)?;
            let kept = counted.total_sync(stream)? as usize;
            let out = stream.allocate(reservation, kept * 4)?;
            selector.write(stream, mask.view(), valid, rows, &counted, out.view())?;
            let is_kept = |&row: &usize| {
                is_set(&flags, row) && validity.as_ref().is_none_or(|words| is_set(words, row))
            };
            let expected: Vec<u32> = (0..rows).filter(is_kept).map(|row| row as u32).collect();
            expect_equal(
                &format!("{percent}% of {rows}"),
                &stream.read_sync::<u32>(out.view())?,
                &expected,
            )?;
        }
    }
    Ok(())
}

fn gather(context: &mut Context) -> Result<(), Failure> {
    let selector = Selector::new(&context.device)?;
    let source_rows = 1000usize;
    for count in context.sizes(256).into_iter().filter(|&count| count > 0) {
        let rows: Vec<u32> = (0..count)
            .map(|_| context.random.below(source_rows as u64) as u32)
            .collect();
        let widths = [1usize, 2, 3, 4, 8, 16, 0];
        let sources: Vec<Vec<u8>> = widths
            .iter()
            .map(|&width| {
                context
                    .random
                    .bytes(if width == 0 { 128 } else { source_rows * width })
            })
            .collect();
        let validity = bitmap(&mut context.random, source_rows, 70);
        let Context {
            stream, reservation, ..
        } = &*context;
        let error = ErrorWord::new(stream, reservation)?;
        let numbers = stream.upload_values(reservation, &rows)?;
        let valid = stream.upload_values(reservation, &validity)?;
        let words = count.div_ceil(32) * 4;
        let (mut inputs, mut outputs, mut columns) = (Vec::new(), Vec::new(), Vec::new());
        for (&width, source) in widths.iter().zip(&sources) {
            let input = stream.upload_values(reservation, source)?;
            let output = stream.allocate(reservation, if width == 0 { words } else { count * width })?;
            let target_validity = stream.allocate(reservation, words)?;
            columns.push(Gather {
                source: input.address(),
                target: output.address(),
                source_validity: if width == 2 { 0 } else { valid.address() },
                target_validity: target_validity.address(),
                width: width as u32,
                reserved: 0,
            });
            inputs.push(input);
            outputs.push((output, target_validity));
        }
        let mut uses: Vec<_> = inputs.iter().collect();
        uses.extend(outputs.iter().flat_map(|(values, validity)| [values, validity]));
        uses.push(&valid);
        selector.gather(
            stream,
            reservation,
            &columns,
            numbers.view(),
            count,
            source_rows,
            &uses,
            &error,
        )?;
        error.check_sync(stream, "gather_rows")?;
        for (at, (&width, source)) in widths.iter().zip(&sources).enumerate() {
            let found = stream.read_sync::<u8>(outputs[at].0.view())?;
            let bit = |bytes: &[u8], row: usize| bytes[row / 8] >> (row % 8) & 1;
            let expected: Vec<u8> = match width {
                0 => rows.iter().map(|&row| bit(source, row as usize)).collect(),
                _ => rows
                    .iter()
                    .flat_map(|&row| &source[row as usize * width..][..width])
                    .copied()
                    .collect(),
            };
            let found = if width == 0 {
                (0..count).map(|row| bit(&found, row)).collect()
            } else {
                found
            };
            expect_equal(&format!("{count} rows of {width} bytes"), &found, &expected)?;
            let found = stream.read_sync::<u32>(outputs[at].1.view())?;
            let found: Vec<bool> = (0..count).map(|row| is_set(&found, row)).collect();
            let expected: Vec<bool> = rows
                .iter()
                .map(|&row| width == 2 || is_set(&validity, row as usize))
                .collect();
            expect_equal(
                &format!("validity of {count} rows of {width} bytes"),
                &found,
                &expected,
            )?;
        }
    }
    Ok(())
}

fn gather_out_of_range(context: &mut Context) -> Result<(), Failure> {
    let selector = Selector::new(&context.device)?;
    let Context {
        stream, reservation, ..
    } = &*context;
    let error = ErrorWord::new(stream, reservation)?;
    let rows = stream.upload_values(reservation, &[0u32, 1, 2, u32::MAX, 3])?;
    let source = stream.upload_values(reservation, &[5u64, 6, 7])?;
    let target = stream.allocate(reservation, 40)?;
    let column = Gather {
        source: source.address(),
        target: target.address(),
        source_validity: 0,
        target_validity: 0,
        width: 8,
        reserved: 0,
    };
    selector.gather(
        stream,
        reservation,
        &[column],
        rows.view(),
        5,
        3,
        &[&source, &target],
        &error,
    )?;
    let raised = error
        .read_sync(stream)?
        .map(|raised| (raised.flags, raised.first_item));
    expect_equal("raised", &[raised], &[Some((ErrorFlags::BAD_INDEX, 3))])
}

fn strings(context: &mut Context) -> Result<(), Failure> {
    let writer = StringWriter::new(&context.device)?;
    for (round, count) in context.sizes(256).into_iter().enumerate() {
        let most = [1, 4, 20, 300][round % 4];
        let lengths: Vec<usize> = (0..count).map(|_| context.random.below(most) as usize).collect();
        let pool = context.random.bytes(2000);
        let starts: Vec<usize> = (0..count).map(|_| context.random.below(1600) as usize).collect();
        let width = if context.random.chance(50) {
            OffsetWidth::Bits32
        } else {
            OffsetWidth::Bits64
        };
        let Context {
            stream, reservation, ..
        } = &*context;
        let error = ErrorWord::new(stream, reservation)?;
        let source = stream.upload_values(reservation, &pool)?;
        let refs: Vec<StringRef> = starts
            .iter()
            .zip(&lengths)
            .map(|(&start, &bytes)| StringRef {
                address: source.address() + start as u64,
                bytes: bytes as u32,
                reserved: 0,
            })
            .collect();
        let refs = stream.upload_values(reservation, &refs)?;
        let measured = writer.measure(stream, reservation, refs.view())?;
        let total = measured.total_sync(stream)? as usize;
        let offsets = stream.allocate(reservation, (count + 1) * width.bytes())?;
        let bytes = stream.allocate(reservation, total)?;
        writer.write(
            stream,
            refs.view(),
            &measured,
            width,
            offsets.view(),
            bytes.view(),
            &[&source],
            &error,
        )?;
        error.check_sync(stream, "write_strings")?;
        let expected: Vec<u8> = starts
            .iter()
            .zip(&lengths)
            .flat_map(|(&start, &len)| &pool[start..start + len])
            .copied()
            .collect();
        expect_equal(
            &format!("bytes of {count} strings"),
            &stream.read_sync::<u8>(bytes.view())?,
            &expected,
        )?;
        let sums: Vec<i64> = std::iter::once(0)
            .chain(lengths.iter().scan(0, |sum, &len| {
                *sum += len as i64;
                Some(*sum)
            }))
            .collect();
        let expected = match width {
            OffsetWidth::Bits32 => bytes_of(&sums.iter().map(|&sum| sum as i32).collect::<Vec<_>>()).to_vec(),
            OffsetWidth::Bits64 => bytes_of(&sums).to_vec(),
        };
        expect_equal(
            &format!("offsets of {count}"),
            &stream.read_sync::<u8>(offsets.view())?,
            &expected,
        )?;
    }
    Ok(())
}
