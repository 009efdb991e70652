//! Arrow arrays to columns in device memory.
//!
//! In: any array of a type with a [`Repr`], sliced or not, and a reservation. Out: the column, its copies queued.
//! Waits for pinned memory where the pool has none left, never for the device to compute. It does not know files.

mod strings;

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Decimal32Type, Decimal64Type, Decimal128Type};
use kernels::{Buffer, Reservation, Stream, View, bytes_of};

use super::{DeviceColumn, PINNED_WAIT, Repr, bitmap_bytes};
use crate::error::{Error, Result};
use crate::error_device::on_device;

/// Copies an array to the device.
///
/// # Errors
/// `Unsupported` for a type without a form on the device; `Data` for a decimal that its precision does not allow;
/// `Resources` if the reservation or the pinned pool is too small.
pub fn upload(array: &dyn Array, stream: &Stream, reservation: &Reservation) -> Result<DeviceColumn> {
    let repr = repr_of(array)?;
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let validity = nulls
        .map(|nulls| upload_bits(nulls.inner(), stream, reservation))
        .transpose()?;
    let (values, owners) = match repr {
        Repr::Bool => (
            upload_booleans(array.as_boolean(), stream, reservation)?,
            Vec::new(),
        ),
        Repr::Str => strings::upload(array, nulls, stream, reservation)?,
        Repr::I64 | Repr::I128 if array.data_type().is_decimal() => {
            (upload_decimals(array, repr, stream, reservation)?, Vec::new())
        }
        _ => (
            upload_numbers(array, repr, nulls, stream, reservation)?,
            Vec::new(),
        ),
    };
    Ok(DeviceColumn {
        data_type: array.data_type().clone(),
        repr,
        values: Arc::new(values),
        validity: validity.map(Arc::new),
        owners,
        through: None,
    })
}

/// Device bytes that [`upload`] draws on its reservation for the array; 0 for a type that it refuses.
pub fn upload_bytes(array: &dyn Array) -> usize {
    let Some(repr) = Repr::of(array.data_type()) else {
        return 0;
    };
    let rows = array.len();
    let mut bytes = Reservation::charged_bytes(repr.bytes(rows));
    if array.null_count() > 0 {
        bytes += Reservation::charged_bytes(bitmap_bytes(rows));
    }
    if repr == Repr::Str {
        bytes += strings::owner_bytes(array)
            .into_iter()
            .map(Reservation::charged_bytes)
            .sum::<usize>();
    }
    bytes
}

fn repr_of(array: &dyn Array) -> Result<Repr> {
    Repr::of(array.data_type())
        .ok_or_else(|| Error::unsupported(format!("type {} has no form on the device", array.data_type())))
}

/// Device memory of `bytes` whose pieces `fill` writes: the offset of a piece, and the piece. Pieces start at
/// multiples of 16 bytes.
pub(super) fn upload_with(
    stream: &Stream,
    reservation: &Reservation,
    bytes: usize,
    fill: impl FnMut(usize, &mut [u8]) -> Result<()>,
) -> Result<Buffer> {
    let buffer = stream.allocate(reservation, bytes).map_err(on_device)?;
    fill_up(stream, buffer.view(), fill)?;
    Ok(buffer)
}

/// Copies host bytes, one part after the other, to device memory of their size together.
pub(crate) fn copy_up(stream: &Stream, target: View<'_>, parts: &[&[u8]]) -> Result<()> {
    let (mut part, mut at) = (0, 0);
    fill_up(stream, target, |_, mut piece| {
        while !piece.is_empty() {
            let Some(bytes) = parts.get(part) else {
                return Err(Error::internal("fewer bytes than there is device memory for"));
            };
            let count = piece.len().min(bytes.len() - at);
            piece[..count].copy_from_slice(&bytes[at..at + count]);
            piece = &mut piece[count..];
            at += count;
            if at == bytes.len() {
                (part, at) = (part + 1, 0);
            }
        }
        Ok(())
    })
}

fn fill_up(
    stream: &Stream,
    target: View<'_>,
    mut fill: impl FnMut(usize, &mut [u8]) -> Result<()>,
) -> Result<()> {
    let device = stream.device();
    let (bytes, step) = (target.len_bytes(), device.pinned_slab_bytes_max());
    let mut start = 0;
    while start < bytes {
        let end = bytes.min(start + step);
        let mut slab = device.pinned_sync(end - start, PINNED_WAIT).map_err(on_device)?;
        fill(start, &mut slab[..end - start])?;
        let piece = slab.freeze(end - start).map_err(on_device)?;
        stream
            .upload(&piece, target.slice(start..end).map_err(on_device)?)
            .map_err(on_device)?;
        start = end;
    }
    Ok(())
}

/// Arrow's bitmap in whole words, its first bit in the lowest place.
fn upload_bits(bits: &BooleanBuffer, stream: &Stream, reservation: &Reservation) -> Result<Buffer> {
    let chunks = bits.bit_chunks();
    let words: Vec<u64> = chunks.iter_padded().collect();
    let bytes = bytes_of(&words);
    upload_with(stream, reservation, bitmap_bytes(bits.len()), |start, piece| {
        // The padding ends with a word of zeros at least.
        piece.copy_from_slice(&bytes[start..start + piece.len()]);
        Ok(())
    })
}

fn upload_booleans(array: &BooleanArray, stream: &Stream, reservation: &Reservation) -> Result<Buffer> {
    match array.nulls() {
        None => upload_bits(array.values(), stream, reservation),
        Some(nulls) => upload_bits(&(array.values() & nulls.inner()), stream, reservation),
    }
}

/// Values whose bytes are Arrow's own.
fn upload_numbers(
    array: &dyn Array,
    repr: Repr,
    nulls: Option<&NullBuffer>,
    stream: &Stream,
    reservation: &Reservation,
) -> Result<Buffer> {
    let (width, rows) = (repr.width(), array.len());
    let data = array.to_data();
    let first = data.offset() * width;
    let source = data
        .buffers()
        .first()
        .and_then(|buffer| buffer.get(first..first + rows * width))
        .ok_or_else(|| Error::internal(format!("array of {} is shorter than its rows", array.data_type())))?;
    upload_with(stream, reservation, rows * width, |start, piece| {
        piece.copy_from_slice(&source[start..start + piece.len()]);
        if let Some(nulls) = nulls {
            for (index, value) in piece.chunks_mut(width).enumerate() {
                if nulls.is_null(start / width + index) {
                    value.fill(0);
                }
            }
        }
        Ok(())
    })
}

fn upload_decimals(
    array: &dyn Array,
    repr: Repr,
    stream: &Stream,
    reservation: &Reservation,
) -> Result<Buffer> {
    let value: Box<dyn Fn(usize) -> i128> = match array.data_type() {
        DataType::Decimal32(..) => {
            let values = array.as_primitive::<Decimal32Type>().values();
            Box::new(|row| i128::from(values[row]))
        }
        DataType::Decimal64(..) => {
            let values = array.as_primitive::<Decimal64Type>().values();
            Box::new(|row| i128::from(values[row]))
        }
        _ => {
            let values = array.as_primitive::<Decimal128Type>().values();
            Box::new(|row| values[row])
        }
    };
    let width = repr.width();
    upload_with(stream, reservation, array.len() * width, |start, piece| {
        for (index, target) in piece.chunks_mut(width).enumerate() {
            let row = start / width + index;
            let value = if array.is_null(row) { 0 } else { value(row) };
            if repr == Repr::I64 {
                let narrow = i64::try_from(value).map_err(|_| {
                    Error::data(format!(
                        "row {row}: {value} is not a value of {}",
                        array.data_type()
                    ))
                })?;
                target.copy_from_slice(&narrow.to_le_bytes());
            } else {
                target.copy_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
