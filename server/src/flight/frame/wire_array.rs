//! Arrays in the form in which they are written: an array comes in, an equal array of type
//! `wire_type` goes out that holds its own rows and not much more. Does not know messages.
//!
//! Most types come back untouched. The others refer to data by position (views, list views, dense
//! unions, dictionaries) or have slices that arrow-ipc does not follow inside nested types (unions,
//! run ends), so a slice of them would be written with all the data of the whole.

use std::sync::Arc;

use arrow::array::types::{ByteViewType, Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, FixedSizeListArray, GenericByteViewArray, GenericListArray,
    GenericListViewArray, MapArray, OffsetSizeTrait, PrimitiveArray, RunArray, StructArray, UInt64Array,
    UnionArray, make_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef, UnionFields, UnionMode};
use arrow::error::ArrowError;

use super::wire_type::{is_plain, wire_field, wire_fields, wire_type, wire_union_fields};

/// `array` as it is written.
pub(super) fn wire_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if is_plain(array.data_type()) {
        return Ok(Arc::clone(array));
    }
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            wire_array(&take(dictionary.values(), dictionary.keys(), None)?)
        }
        DataType::Utf8View => Ok(compact_views(array.as_string_view())),
        DataType::BinaryView => Ok(compact_views(array.as_binary_view())),
        DataType::List(field) => list(field, array.as_list::<i32>()),
        DataType::LargeList(field) => list(field, array.as_list::<i64>()),
        DataType::ListView(field) => list_view(field, array.as_list_view::<i32>()),
        DataType::LargeListView(field) => list_view(field, array.as_list_view::<i64>()),
        DataType::FixedSizeList(field, size) => fixed_size_list(field, *size, array.as_fixed_size_list()),
        DataType::Map(field, sorted) => map(field, *sorted, array.as_map()),
        DataType::Struct(_) => Ok(Arc::new(structure(array.as_struct())?)),
        DataType::Union(fields, mode) => union(fields, *mode, array.as_union()),
        DataType::RunEndEncoded(run_ends, _) => match run_ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array.as_run()),
            DataType::Int32 => runs::<Int32Type>(array.as_run()),
            _ => runs::<Int64Type>(array.as_run()),
        },
        // `is_plain` is false for the types above only.
        _ => Ok(Arc::clone(array)),
    }
}

/// All data buffers go on the wire with the views, so they are rewritten when they hold more than
/// the views refer to.
fn compact_views<T: ByteViewType>(array: &GenericByteViewArray<T>) -> ArrayRef {
    let held_bytes: usize = array.data_buffers().iter().map(|buffer| buffer.len()).sum();
    match held_bytes > array.total_buffer_bytes_used() {
        true => Arc::new(array.gc()),
        false => Arc::new(array.clone()),
    }
}

/// Offsets that start at 0, and the range of values that they refer to.
fn rebase<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, usize, usize) {
    let first = offsets[0];
    let len = offsets[offsets.len() - 1] - first;
    let rebased = match first == O::zero() {
        true => offsets.clone(),
        false => OffsetBuffer::new(offsets.iter().map(|offset| *offset - first).collect()),
    };
    (rebased, first.as_usize(), len.as_usize())
}

fn list<O: OffsetSizeTrait>(field: &FieldRef, array: &GenericListArray<O>) -> Result<ArrayRef, ArrowError> {
    let (offsets, start, len) = rebase(array.offsets());
    let values = wire_array(&array.values().slice(start, len))?;
    let list = GenericListArray::try_new(wire_field(field), offsets, values, array.nulls().cloned())?;
    Ok(Arc::new(list))
}

fn map(field: &FieldRef, sorted: bool, array: &MapArray) -> Result<ArrayRef, ArrowError> {
    let (offsets, start, len) = rebase(array.offsets());
    let entries = structure(&array.entries().slice(start, len))?;
    let map = MapArray::try_new(
        wire_field(field),
        offsets,
        entries,
        array.nulls().cloned(),
        sorted,
    )?;
    Ok(Arc::new(map))
}

fn fixed_size_list(field: &FieldRef, size: i32, array: &FixedSizeListArray) -> Result<ArrayRef, ArrowError> {
    let values = wire_array(array.values())?;
    let nulls = array.nulls().cloned();
    let list = FixedSizeListArray::try_new_with_length(wire_field(field), size, values, nulls, array.len())?;
    Ok(Arc::new(list))
}

fn structure(array: &StructArray) -> Result<StructArray, ArrowError> {
    let columns = array.columns().iter().map(wire_array).collect::<Result<_, _>>()?;
    let fields = wire_fields(array.fields());
    StructArray::try_new_with_length(fields, columns, array.nulls().cloned(), array.len())
}

/// Keeps the values as they are while the rows use all of them (rows may share values); else
/// gathers each row's values one after the other.
fn list_view<O: OffsetSizeTrait>(
    field: &FieldRef,
    array: &GenericListViewArray<O>,
) -> Result<ArrayRef, ArrowError> {
    let row_len = |row: usize| {
        if array.is_null(row) {
            0
        } else {
            array.sizes()[row].as_usize()
        }
    };
    let used_len: usize = (0..array.len()).map(row_len).sum();
    let (offsets, sizes, values) = if array.values().len() <= used_len {
        (
            array.offsets().clone(),
            array.sizes().clone(),
            Arc::clone(array.values()),
        )
    } else {
        let mut offsets = Vec::with_capacity(array.len());
        let mut sizes = Vec::with_capacity(array.len());
        let mut positions: Vec<u64> = Vec::with_capacity(used_len);
        for row in 0..array.len() {
            let start = array.offsets()[row].as_usize();
            offsets.push(O::usize_as(positions.len()));
            sizes.push(O::usize_as(row_len(row)));
            positions.extend((start..start + row_len(row)).map(|position| position as u64));
        }
        (
            offsets.into(),
            sizes.into(),
            take(array.values(), &UInt64Array::from(positions), None)?,
        )
    };
    let values = wire_array(&values)?;
    let nulls = array.nulls().cloned();
    Ok(Arc::new(GenericListViewArray::try_new(
        wire_field(field),
        offsets,
        sizes,
        values,
        nulls,
    )?))
}

/// A sparse union's children are sliced with it. A dense union's are not: each is cut to the range
/// that the rows refer to.
fn union(fields: &UnionFields, mode: UnionMode, array: &UnionArray) -> Result<ArrayRef, ArrowError> {
    let mut children = Vec::with_capacity(fields.len());
    // By the type id's bits, as its row: how much its offsets move.
    let mut first_by_type = [0; 256];
    for (type_id, _) in fields.iter() {
        let child = array.child(type_id);
        children.push(wire_array(&match (mode, array.offsets()) {
            (UnionMode::Dense, Some(offsets)) => {
                let (start, len) = referred_range(array.type_ids(), offsets, type_id);
                first_by_type[usize::from(type_id as u8)] = start;
                child.slice(start as usize, len)
            }
            _ => child.slice(0, array.len()),
        })?);
    }
    let offsets: Option<ScalarBuffer<i32>> = array.offsets().map(|offsets| {
        let rows = array.type_ids().iter().zip(offsets);
        rows.map(|(type_id, offset)| offset - first_by_type[usize::from(*type_id as u8)])
            .collect()
    });
    let type_ids = array.type_ids().clone();
    Ok(Arc::new(UnionArray::try_new(
        wire_union_fields(fields),
        type_ids,
        offsets,
        children,
    )?))
}

/// First position and number of positions of the child `type_id` that these rows refer to.
fn referred_range(type_ids: &[i8], offsets: &[i32], type_id: i8) -> (i32, usize) {
    let referred = type_ids
        .iter()
        .zip(offsets)
        .filter(|(id, _)| **id == type_id)
        .map(|(_, offset)| *offset);
    let range = referred.fold(None, |range: Option<(i32, i32)>, offset| match range {
        Some((low, high)) => Some((low.min(offset), high.max(offset))),
        None => Some((offset, offset)),
    });
    range.map_or((0, 0), |(low, high)| (low, (high - low) as usize + 1))
}

/// The runs that overlap the rows, their ends counted from the first row and cut at the last.
fn runs<R: RunEndIndexType>(array: &RunArray<R>) -> Result<ArrayRef, ArrowError> {
    let run_ends: PrimitiveArray<R> = PrimitiveArray::from_iter_values(array.run_ends().sliced_values());
    let start = if array.is_empty() {
        0
    } else {
        array.get_start_physical_index()
    };
    let values = wire_array(&array.values().slice(start, run_ends.len()))?;
    // Not `RunArray::try_new`: it gives the fields names of its own.
    let data = ArrayData::builder(wire_type(array.data_type()))
        .len(array.len())
        .add_child_data(run_ends.into_data())
        .add_child_data(values.into_data())
        .build()?;
    Ok(make_array(data))
}
