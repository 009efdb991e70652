//! Random arrays of any type.

use std::sync::Arc;

use arrow::array::types::{
    ArrowDictionaryKeyType, Int8Type, Int16Type, Int32Type, Int64Type, RunEndIndexType, UInt8Type,
};
use arrow::array::{
    ArrayData, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray, FixedSizeListArray,
    GenericListArray, GenericListViewArray, LargeBinaryArray, LargeStringArray, MapArray, NullArray,
    OffsetSizeTrait, PrimitiveArray, StringArray, StringViewArray, StructArray, UnionArray, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowNativeType, DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit, UnionFields, UnionMode,
};

/// xorshift64*: small, seeded, good enough.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end.max(1)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }

    fn text(&mut self) -> String {
        let len = [0, 3, 12, 13, 40][self.below(5)];
        (0..len)
            .map(|_| ['a', 'é', '漢', '7', '\u{1f980}'][self.below(5)])
            .collect()
    }

    fn nulls(&mut self, len: usize, percent: usize) -> Option<NullBuffer> {
        (percent > 0)
            .then(|| NullBuffer::new(BooleanBuffer::collect_bool(len, |_| self.below(100) >= percent)))
    }

    fn optional<T>(&mut self, len: usize, percent: usize, value: impl Fn(&mut Self) -> T) -> Vec<Option<T>> {
        (0..len)
            .map(|_| (self.below(100) >= percent).then(|| value(self)))
            .collect()
    }
}

/// `len` values of `data_type`, about `percent` of them null.
pub fn random_array(random: &mut Random, data_type: &DataType, len: usize, percent: usize) -> ArrayRef {
    match data_type {
        DataType::Null => Arc::new(NullArray::new(len)),
        DataType::Boolean => Arc::new(BooleanArray::from(
            random.optional(len, percent, |random| random.below(2) == 1),
        )),
        DataType::Utf8 => Arc::new(StringArray::from(random.optional(len, percent, Random::text))),
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from(random.optional(
            len,
            percent,
            Random::text,
        ))),
        DataType::Utf8View => Arc::new(
            random
                .optional(len, percent, Random::text)
                .into_iter()
                .collect::<StringViewArray>(),
        ),
        DataType::Binary => {
            let values = random.optional(len, percent, |random| random.text().into_bytes());
            Arc::new(values.into_iter().collect::<BinaryArray>())
        }
        DataType::LargeBinary => {
            let values = random.optional(len, percent, |random| random.text().into_bytes());
            Arc::new(values.into_iter().collect::<LargeBinaryArray>())
        }
        DataType::BinaryView => {
            let values = random.optional(len, percent, |random| random.text().into_bytes());
            Arc::new(values.into_iter().collect::<BinaryViewArray>())
        }
        DataType::List(field) => list::<i32>(random, field, len, percent),
        DataType::LargeList(field) => list::<i64>(random, field, len, percent),
        DataType::ListView(field) => list_view::<i32>(random, field, len, percent),
        DataType::LargeListView(field) => list_view::<i64>(random, field, len, percent),
        DataType::FixedSizeList(field, size) => {
            let values = random_array(random, field.data_type(), len * *size as usize, percent);
            let nulls = random.nulls(len, percent);
            Arc::new(
                FixedSizeListArray::try_new_with_length(Arc::clone(field), *size, values, nulls, len)
                    .unwrap(),
            )
        }
        DataType::Struct(fields) => Arc::new(structure(random, fields, len, percent)),
        DataType::Map(entries, sorted) => {
            let DataType::Struct(fields) = entries.data_type() else {
                unreachable!()
            };
            let offsets = offsets::<i32>(random, len);
            let values_len = offsets[len] as usize;
            let keys = random_array(random, fields[0].data_type(), values_len, 0);
            let values = random_array(random, fields[1].data_type(), values_len, percent);
            let struct_array = StructArray::new(fields.clone(), vec![keys, values], None);
            let nulls = random.nulls(len, percent);
            Arc::new(MapArray::new(
                Arc::clone(entries),
                offsets,
                struct_array,
                nulls,
                *sorted,
            ))
        }
        DataType::Dictionary(keys, values) => match keys.as_ref() {
            DataType::Int8 => dictionary::<Int8Type>(random, values, len, percent),
            DataType::UInt8 => dictionary::<UInt8Type>(random, values, len, percent),
            _ => dictionary::<Int32Type>(random, values, len, percent),
        },
        DataType::Union(fields, mode) => union(random, fields, *mode, len, percent),
        DataType::RunEndEncoded(run_ends, _) => match run_ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(random, data_type, len, percent),
            DataType::Int32 => runs::<Int32Type>(random, data_type, len, percent),
            _ => runs::<Int64Type>(random, data_type, len, percent),
        },
        fixed => {
            let width = match fixed {
                DataType::FixedSizeBinary(width) => *width as usize,
                other => other.primitive_width().unwrap(),
            };
            let values = random.bytes(len * width);
            let nulls = random.nulls(len, percent);
            let data = ArrayData::builder(fixed.clone())
                .len(len)
                .add_buffer(Buffer::from_vec(values))
                .nulls(nulls);
            make_array(data.align_buffers(true).build().unwrap())
        }
    }
}

fn offsets<O: OffsetSizeTrait>(random: &mut Random, len: usize) -> OffsetBuffer<O> {
    OffsetBuffer::from_lengths((0..len).map(|_| random.below(4)))
}

fn list<O: OffsetSizeTrait>(random: &mut Random, field: &FieldRef, len: usize, percent: usize) -> ArrayRef {
    let offsets = offsets::<O>(random, len);
    let values = random_array(random, field.data_type(), offsets[len].as_usize(), percent);
    Arc::new(GenericListArray::new(
        Arc::clone(field),
        offsets,
        values,
        random.nulls(len, percent),
    ))
}

/// Rows in any order, sharing values, some values unused.
fn list_view<O: OffsetSizeTrait>(
    random: &mut Random,
    field: &FieldRef,
    len: usize,
    percent: usize,
) -> ArrayRef {
    let values_len = [len / 2 + 4, len * 4 + 4][random.below(2)];
    let values = random_array(random, field.data_type(), values_len, percent);
    let (offsets, sizes): (Vec<O>, Vec<O>) = (0..len)
        .map(|_| {
            (
                O::usize_as(random.below(values_len - 3)),
                O::usize_as(random.below(4)),
            )
        })
        .unzip();
    let nulls = random.nulls(len, percent);
    Arc::new(GenericListViewArray::new(
        Arc::clone(field),
        offsets.into(),
        sizes.into(),
        values,
        nulls,
    ))
}

fn structure(random: &mut Random, fields: &Fields, len: usize, percent: usize) -> StructArray {
    let columns = fields
        .iter()
        .map(|field| random_array(random, field.data_type(), len, percent))
        .collect();
    let nulls = random.nulls(len, percent);
    StructArray::try_new_with_length(fields.clone(), columns, nulls, len).unwrap()
}

fn dictionary<K: ArrowDictionaryKeyType>(
    random: &mut Random,
    values: &DataType,
    len: usize,
    percent: usize,
) -> ArrayRef {
    let values_len = 1 + random.below(20);
    let values = random_array(random, values, values_len, percent / 2);
    let keys = random.optional(len, percent, |random| {
        K::Native::usize_as(random.below(values_len))
    });
    Arc::new(DictionaryArray::<K>::new(
        keys.into_iter().collect::<PrimitiveArray<K>>(),
        values,
    ))
}

fn union(random: &mut Random, fields: &UnionFields, mode: UnionMode, len: usize, percent: usize) -> ArrayRef {
    let ids: Vec<i8> = fields.iter().map(|(id, _)| id).collect();
    let type_ids: Vec<i8> = (0..len).map(|_| ids[random.below(ids.len())]).collect();
    let mut used = [0; 128];
    let offsets: Vec<i32> = type_ids
        .iter()
        .map(|id| {
            used[*id as usize] += 1;
            used[*id as usize] - 1
        })
        .collect();
    let children = fields.iter().map(|(id, field)| {
        let child_len = if mode == UnionMode::Dense {
            used[id as usize] as usize
        } else {
            len
        };
        random_array(random, field.data_type(), child_len, percent)
    });
    let children = children.collect();
    let offsets = (mode == UnionMode::Dense).then(|| offsets.into());
    Arc::new(UnionArray::try_new(fields.clone(), type_ids.into(), offsets, children).unwrap())
}

fn runs<R: RunEndIndexType>(
    random: &mut Random,
    data_type: &DataType,
    len: usize,
    percent: usize,
) -> ArrayRef {
    let DataType::RunEndEncoded(_, values) = data_type else {
        unreachable!()
    };
    let mut run_ends = Vec::new();
    let mut end = 0;
    while end < len {
        end = len.min(end + 1 + random.below(5));
        run_ends.push(R::Native::usize_as(end));
    }
    let values = random_array(random, values.data_type(), run_ends.len(), percent);
    let run_ends = PrimitiveArray::<R>::from_iter_values(run_ends);
    let data = ArrayData::builder(data_type.clone())
        .len(len)
        .add_child_data(arrow::array::Array::into_data(run_ends))
        .add_child_data(arrow::array::Array::to_data(&values));
    make_array(data.build().unwrap())
}

fn field(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("item", data_type, true))
}

fn dictionary_of(values: DataType) -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(values))
}

fn map_of(values: DataType) -> DataType {
    let entries = vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", values, true),
    ];
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entries.into()), false)),
        false,
    )
}

fn runs_of(run_ends: DataType, values: DataType) -> DataType {
    let run_ends = Arc::new(Field::new("run_ends", run_ends, false));
    DataType::RunEndEncoded(run_ends, Arc::new(Field::new("of", values, true)))
}

fn struct_of(types: &[DataType]) -> DataType {
    let field = |(at, data_type): (usize, &DataType)| Field::new(format!("f{at}"), data_type.clone(), true);
    DataType::Struct(types.iter().enumerate().map(field).collect())
}

fn union_of(types: &[DataType], mode: UnionMode) -> DataType {
    let field = |(at, data_type): (usize, &DataType)| {
        (
            3 * at as i8 + 1,
            Arc::new(Field::new(format!("u{at}"), data_type.clone(), true)),
        )
    };
    DataType::Union(types.iter().enumerate().map(field).collect(), mode)
}

/// Every kind of type, and the combinations that are easy to get wrong.
pub fn all_types() -> Vec<DataType> {
    use DataType::*;
    let mut types = vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Date32,
        Date64,
        Binary,
        LargeBinary,
        BinaryView,
        Utf8,
        LargeUtf8,
        Utf8View,
        FixedSizeBinary(5),
        Decimal32(9, 2),
        Decimal64(18, 4),
        Decimal128(38, 10),
        Decimal256(76, -3),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
    ];
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        types.extend([
            Timestamp(unit, None),
            Timestamp(unit, Some("+02:00".into())),
            Duration(unit),
        ]);
    }
    let (sparse, dense) = (UnionMode::Sparse, UnionMode::Dense);
    let members = [Int32, Utf8View, dictionary_of(Utf8), List(field(Int64))];
    types.extend([
        List(field(Int32)),
        List(field(Boolean)),
        List(field(Utf8View)),
        LargeList(field(Utf8)),
        ListView(field(Utf8)),
        ListView(field(dictionary_of(Utf8View))),
        LargeListView(field(Int64)),
        FixedSizeList(field(Int16), 3),
        FixedSizeList(field(Boolean), 3),
        FixedSizeList(field(Utf8View), 2),
        struct_of(&[]),
        struct_of(&[Int32, Utf8, Boolean, List(field(Boolean))]),
        struct_of(&[dictionary_of(Int64), ListView(field(Int8)), Null]),
        map_of(Int32),
        map_of(struct_of(&[dictionary_of(Utf8), Boolean])),
        dictionary_of(Utf8),
        dictionary_of(List(field(Utf8View))),
        Dictionary(Box::new(UInt8), Box::new(Decimal128(20, 2))),
        Dictionary(Box::new(Int8), Box::new(LargeUtf8)),
        List(field(dictionary_of(Utf8))),
        union_of(&members, sparse),
        union_of(&members, dense),
        List(field(union_of(&members, sparse))),
        LargeList(field(union_of(&members, dense))),
        FixedSizeList(field(union_of(&members, dense)), 2),
        runs_of(Int16, Int32),
        runs_of(Int32, Utf8View),
        runs_of(Int64, dictionary_of(Utf8)),
        List(field(runs_of(Int32, Utf8))),
        struct_of(&[runs_of(Int32, Boolean), List(field(List(field(Utf8))))]),
    ]);
    types
}
