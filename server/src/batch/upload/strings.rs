//! Strings and binary arrays: their bytes in buffers of their own, and a reference a row.

use std::sync::Arc;

use arrow::array::{Array, AsArray, GenericByteArray, GenericByteViewArray, OffsetSizeTrait};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowNativeType, BinaryViewType, ByteArrayType, ByteViewType, DataType, GenericBinaryType,
    GenericStringType, StringViewType,
};
use kernels::parquet::{SLACK_BYTES, StringRef};
use kernels::{Buffer, Reservation, Stream, bytes_of};

use super::upload_with;
use crate::error::{Error, Result};

/// The references, and the buffers that they lead into.
type Strings = (Buffer, Vec<Arc<Buffer>>);

/// Bytes of the buffers that references of the array lead into.
pub(super) fn owner_bytes(array: &dyn Array) -> Vec<usize> {
    let texts = match array.data_type() {
        DataType::Utf8 => vec![span(array.as_string::<i32>()).1],
        DataType::LargeUtf8 => vec![span(array.as_string::<i64>()).1],
        DataType::Binary => vec![span(array.as_binary::<i32>()).1],
        DataType::LargeBinary => vec![span(array.as_binary::<i64>()).1],
        DataType::Utf8View => vec![viewed_bytes(array.as_string_view())],
        DataType::BinaryView => vec![viewed_bytes(array.as_binary_view())],
        _ => Vec::new(),
    };
    texts.into_iter().map(|bytes| bytes + SLACK_BYTES).collect()
}

pub(super) fn upload(
    array: &dyn Array,
    nulls: Option<&NullBuffer>,
    stream: &Stream,
    reservation: &Reservation,
) -> Result<Strings> {
    match array.data_type() {
        DataType::Utf8 => {
            contiguous::<i32, GenericStringType<i32>>(array.as_string(), nulls, stream, reservation)
        }
        DataType::LargeUtf8 => {
            contiguous::<i64, GenericStringType<i64>>(array.as_string(), nulls, stream, reservation)
        }
        DataType::Binary => {
            contiguous::<i32, GenericBinaryType<i32>>(array.as_binary(), nulls, stream, reservation)
        }
        DataType::LargeBinary => {
            contiguous::<i64, GenericBinaryType<i64>>(array.as_binary(), nulls, stream, reservation)
        }
        DataType::Utf8View => viewed::<StringViewType>(array.as_string_view(), stream, reservation),
        DataType::BinaryView => viewed::<BinaryViewType>(array.as_binary_view(), stream, reservation),
        other => Err(Error::internal(format!("{other} is not a type of strings"))),
    }
}

/// Where the bytes of the array's rows start in its buffer, and how many there are.
fn span<T: ByteArrayType>(array: &GenericByteArray<T>) -> (usize, usize) {
    let offsets = array.value_offsets();
    let at = |index: usize| offsets.get(index).map_or(0, |offset| offset.as_usize());
    (at(0), at(array.len()) - at(0))
}

/// The bytes of strings, with the slack behind them that kernels read in whole words.
fn upload_text(text: &[u8], stream: &Stream, reservation: &Reservation) -> Result<Buffer> {
    upload_with(stream, reservation, text.len() + SLACK_BYTES, |start, piece| {
        let rest = text.get(start..).unwrap_or_default();
        let copied = rest.len().min(piece.len());
        piece[..copied].copy_from_slice(&rest[..copied]);
        piece[copied..].fill(0);
        Ok(())
    })
}

/// Arrays with offsets: their bytes are copied as they lie.
fn contiguous<O: OffsetSizeTrait, T: ByteArrayType<Offset = O>>(
    array: &GenericByteArray<T>,
    nulls: Option<&NullBuffer>,
    stream: &Stream,
    reservation: &Reservation,
) -> Result<Strings> {
    let (first, bytes) = span(array);
    let source = &array.value_data()[first..first + bytes];
    let owner = upload_text(source, stream, reservation)?;
    let offsets = array.value_offsets();
    let references = upload_references(array.len(), stream, reservation, |row| {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(StringRef::default());
        }
        let (start, end) = (offsets[row].as_usize(), offsets[row + 1].as_usize());
        reference(owner.address() + (start - first) as u64, end - start)
    })?;
    Ok((references, vec![Arc::new(owner)]))
}

/// Bytes of all rows that are not null.
fn viewed_bytes<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> usize {
    let lengths = array.views().iter().map(|&view| view as u32 as usize);
    match array.nulls() {
        None => lengths.sum(),
        Some(nulls) => lengths
            .enumerate()
            .filter(|(row, _)| nulls.is_valid(*row))
            .map(|(_, bytes)| bytes)
            .sum(),
    }
}

/// Arrays of views: their bytes are gathered, row by row.
fn viewed<T: ByteViewType + ?Sized>(
    array: &GenericByteViewArray<T>,
    stream: &Stream,
    reservation: &Reservation,
) -> Result<Strings> {
    let mut bytes = Vec::with_capacity(viewed_bytes(array));
    let mut ends = Vec::with_capacity(array.len());
    for row in 0..array.len() {
        if array.is_valid(row) {
            let value: &[u8] = array.value(row).as_ref();
            bytes.extend_from_slice(value);
        }
        ends.push(bytes.len());
    }
    let owner = upload_text(&bytes, stream, reservation)?;
    let references = upload_references(array.len(), stream, reservation, |row| {
        if array.is_null(row) {
            return Ok(StringRef::default());
        }
        let start = if row == 0 { 0 } else { ends[row - 1] };
        reference(owner.address() + start as u64, ends[row] - start)
    })?;
    Ok((references, vec![Arc::new(owner)]))
}

fn reference(address: u64, bytes: usize) -> Result<StringRef> {
    let bytes = u32::try_from(bytes).map_err(|_| {
        Error::unsupported(format!(
            "a string of {bytes} bytes, at most {} are taken",
            u32::MAX
        ))
    })?;
    Ok(StringRef {
        address,
        bytes,
        reserved: 0,
    })
}

fn upload_references(
    rows: usize,
    stream: &Stream,
    reservation: &Reservation,
    reference: impl Fn(usize) -> Result<StringRef>,
) -> Result<Buffer> {
    let width = size_of::<StringRef>();
    upload_with(stream, reservation, rows * width, |start, piece| {
        for (index, target) in piece.chunks_mut(width).enumerate() {
            target.copy_from_slice(bytes_of(&[reference(start / width + index)?]));
        }
        Ok(())
    })
}
