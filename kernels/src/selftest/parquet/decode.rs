//! The device's answer for pages of known contents, and its comparison with them.

use super::write::{CODE_BASE, Column, Written, write};
use crate::ErrorWord;
use crate::parquet::Encoding::{DeltaByteArray, Dictionary};
use crate::parquet::{Conversion, NO_CODE, PageDecoder, SLACK_BYTES, StringRef};
use crate::selftest::{Context, Failure, expect_equal};

/// Columns as decoded: bytes of the values, words of the validity.
pub(super) struct Decoded {
    values: Vec<u8>,
    validity: Vec<u32>,
    base: u64,
    /// Strings that were put together, and their address.
    text: Vec<u8>,
    text_base: u64,
}

pub(super) fn decode(
    context: &Context,
    column: &Column,
    written: &Written,
    kernel: &str,
) -> Result<Decoded, Failure> {
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

pub(super) fn check_column(context: &mut Context, column: &Column) -> Result<(), Failure> {
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
        (None, Conversion::Code) => NO_CODE.to_le_bytes().to_vec(),
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
