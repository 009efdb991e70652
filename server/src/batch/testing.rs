//! What tests of several modules need: an emulated device, and columns back from it, the plain way; the compiler for
//! GPUs, which needs none.

#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, StringArray, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer as ArrowBuffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use kernels::cuda::{NvrtcCompiler, use_nvrtc_folder};
use kernels::parquet::{NO_CODE, StringRef};
use kernels::{Device, DeviceOptions, SimOptions, Stream, bytes_of};

use super::{DeviceColumn, Repr, RowNumbers};

/// An emulated device whose compiled kernels are kept for the next test.
pub(crate) fn sim(seed: u64) -> Device {
    Device::open(&options(seed, false)).expect("the emulation opens")
}

/// One that takes the pages of all codecs that a GPU with nvCOMP takes.
pub(crate) fn unpacking_sim(seed: u64) -> Device {
    Device::open(&options(seed, true)).expect("the emulation opens")
}

fn options(seed: u64, nvcomp: bool) -> DeviceOptions {
    DeviceOptions {
        cache_dir: Some(std::env::temp_dir().join("warpflight-test-modules")),
        nvcomp,
        sim: SimOptions {
            seed,
            ..SimOptions::default()
        },
        ..DeviceOptions::sim()
    }
}

/// Runs an ignored test of this binary in a process of its own, for what uses NVIDIA's compiler: that is looked for once
/// a process, and other tests look for it where it is not.
pub(crate) fn run_alone(test: &str) {
    let program = std::env::current_exe().expect("this process has a path");
    let output = std::process::Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .output()
        .expect("it runs again");
    let said = String::from_utf8_lossy(&output.stdout);
    eprint!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// A compiler for `architecture`, of the libraries that the tests of the kernels install into the target folder; `None`,
/// with a word about it, where they have not.
pub(crate) fn nvrtc(architecture: &str) -> Option<NvrtcCompiler> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/tmp/nvrtc-13.0.88/nvidia/cu13/lib");
    if !folder.join("libnvrtc.so.13").exists() {
        eprintln!(
            "SKIPPED: no NVRTC in {}: the test nvrtc of the kernels installs it",
            folder.display()
        );
        return None;
    }
    use_nvrtc_folder(&folder).expect("the libraries load");
    Some(NvrtcCompiler::new(architecture).expect("loaded above"))
}

/// The column's rows, and a check that null rows hold zeros and strings lie in the column's own buffers.
pub(crate) fn downloaded(column: &DeviceColumn, rows: usize, stream: &Stream) -> ArrayRef {
    let mut nulls = column.validity.as_ref().map(|words| {
        let words: Vec<u32> = stream.read_sync(words.view()).expect("validity");
        assert_eq!(words.len(), rows.div_ceil(32), "words of validity");
        NullBuffer::new(BooleanBuffer::new(ArrowBuffer::from_vec(words), 0, rows))
    });
    let mut bytes: Vec<u8> = stream.read_sync(column.values.view()).expect("values");
    if let Some(codes) = &column.through {
        assert!(nulls.is_none(), "entries of dictionaries are not null");
        (bytes, nulls) = decoded(&bytes, column.repr.width(), codes, rows, stream);
    }
    let valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    assert_eq!(
        bytes.len(),
        column.repr.bytes(rows),
        "bytes of {}",
        column.data_type
    );
    let width = column.repr.width();
    for row in (0..rows).filter(|&row| width > 0 && !valid(row)) {
        let value = &bytes[row * width..][..width];
        match column.repr {
            Repr::Str => assert_eq!(value[8..], [0; 8], "null row {row} refers to no bytes"),
            _ => assert!(value.iter().all(|&byte| byte == 0), "null row {row} is zero"),
        }
    }
    match column.repr {
        Repr::Bool => {
            let values = BooleanBuffer::new(ArrowBuffer::from_vec(bytes), 0, rows);
            Arc::new(BooleanArray::new(values, nulls))
        }
        Repr::Str => strings(column, rows, &bytes, nulls, stream),
        Repr::I64 | Repr::I128 if column.data_type.is_decimal() => {
            let values = bytes.chunks(width).map(|value| match value.len() {
                8 => i128::from(i64::from_le_bytes(value.try_into().unwrap())),
                _ => i128::from_le_bytes(value.try_into().unwrap()),
            });
            let (precision, scale) = match column.data_type {
                DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => (p, s),
                _ => unreachable!(),
            };
            let values = Decimal128Array::new(values.collect(), nulls)
                .with_precision_and_scale(precision, scale)
                .expect("decimals");
            cast(&values, &column.data_type).expect("narrower decimals")
        }
        _ => {
            let data = ArrayData::builder(column.data_type.clone())
                .len(rows)
                .add_buffer(ArrowBuffer::from_slice_ref(bytes.as_slice()))
                .nulls(nulls)
                .align_buffers(true)
                .build()
                .expect("array");
            make_array(data)
        }
    }
}

/// The values that codes name, zeros for none, and which rows have one.
fn decoded(
    entries: &[u8],
    width: usize,
    codes: &RowNumbers,
    rows: usize,
    stream: &Stream,
) -> (Vec<u8>, Option<NullBuffer>) {
    let numbers: Vec<u32> = stream.read_sync(codes.numbers.view()).expect("codes");
    assert_eq!(numbers.len(), rows, "codes");
    let values = numbers.iter().flat_map(|&code| match code {
        NO_CODE => vec![0; width],
        code => entries[code as usize * width..][..width].to_vec(),
    });
    let is_there = numbers.iter().map(|&code| code != NO_CODE);
    let nulls = NullBuffer::from_iter(is_there);
    assert!(
        codes.may_miss || nulls.null_count() == 0,
        "codes that may not miss"
    );
    (values.collect(), codes.may_miss.then_some(nulls))
}

fn strings(
    column: &DeviceColumn,
    rows: usize,
    bytes: &[u8],
    nulls: Option<NullBuffer>,
    stream: &Stream,
) -> ArrayRef {
    let owners: Vec<(u64, Vec<u8>)> = column
        .owners
        .iter()
        .map(|owner| (owner.address(), stream.read_sync(owner.view()).expect("owner")))
        .collect();
    let references: Vec<StringRef> = kernels::values_from_bytes(bytes);
    assert_eq!(bytes_of(&references).len(), rows * 16);
    let values = references.iter().enumerate().map(|(row, reference)| {
        let valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        valid.then(|| {
            let len = reference.bytes as usize;
            if len == 0 {
                return Vec::new();
            }
            let (start, owner) = owners
                .iter()
                .find(|(start, owner)| (*start..start + owner.len() as u64).contains(&reference.address))
                .unwrap_or_else(|| panic!("row {row} leads out of the column's buffers"));
            owner[(reference.address - start) as usize..][..len].to_vec()
        })
    });
    let values: BinaryArray = values.collect();
    let text = matches!(
        column.data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    );
    if text {
        let values = cast(&values, &DataType::Utf8).expect("UTF-8");
        assert_eq!(
            values.null_count(),
            nulls.map_or(0, |nulls| nulls.null_count()),
            "UTF-8"
        );
        assert!(values.as_any().is::<StringArray>());
        return cast(&values, &column.data_type).expect("strings");
    }
    cast(&values, &column.data_type).expect("binaries")
}
