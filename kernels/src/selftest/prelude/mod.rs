//! The prelude's primitives against plain Rust: scans, reductions, wide arithmetic, hash, bits, warp operations.

mod arithmetic;
mod bits;
mod dates;
mod floats;
mod order;
mod scans;
mod strings;
mod threads;
mod wide;

use super::{Check, Context, Failure};
use crate::module::{Kernel, KernelSource};
use arithmetic::{arithmetic, minus_absolute, powers_of_ten};
use bits::{hash, unpack, varint};
use dates::dates;
use floats::floats;
use order::order_keys;
use scans::{block_reduce, block_scan};
use strings::string_functions;
use threads::{dynamic_shared, error_word, shapes, warp_operations};
use wide::wide_atomics;

const BLOCK: usize = 256;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "prelude/block_scan",
        run: block_scan,
    },
    Check {
        name: "prelude/block_reduce",
        run: block_reduce,
    },
    Check {
        name: "prelude/arithmetic",
        run: arithmetic,
    },
    Check {
        name: "prelude/minus_absolute",
        run: minus_absolute,
    },
    Check {
        name: "prelude/powers_of_ten",
        run: powers_of_ten,
    },
    Check {
        name: "prelude/hash",
        run: hash,
    },
    Check {
        name: "prelude/unpack",
        run: unpack,
    },
    Check {
        name: "prelude/varint",
        run: varint,
    },
    Check {
        name: "prelude/warp_operations",
        run: warp_operations,
    },
    Check {
        name: "prelude/shapes_and_atomics",
        run: shapes,
    },
    Check {
        name: "prelude/dynamic_shared",
        run: dynamic_shared,
    },
    Check {
        name: "prelude/error_word",
        run: error_word,
    },
    Check {
        name: "prelude/strings",
        run: string_functions,
    },
    Check {
        name: "prelude/dates",
        run: dates,
    },
    Check {
        name: "prelude/floats",
        run: floats,
    },
    Check {
        name: "prelude/wide_atomics",
        run: wide_atomics,
    },
    Check {
        name: "prelude/order_keys",
        run: order_keys,
    },
];

/// The kernels of this file.
pub(super) fn source() -> KernelSource {
    KernelSource::library(
        "selftest_prelude",
        include_str!("prelude.cu"),
        &[
            "scan_u32",
            "scan_u64",
            "scan_i128",
            "reduce_i32",
            "reduce_i64",
            "reduce_i128",
            "reduce_f64",
            "arithmetic_i32",
            "arithmetic_i64",
            "arithmetic_i128",
            "powers_of_ten",
            "hashes",
            "unpack",
            "varints",
            "warp_operations",
            "shapes",
            "reverse_tile",
            "raise_sevens",
            "string_functions",
            "dates",
            "floats",
            "minus_absolute",
            "wide_atomics",
            "read_wide_sum",
            "order_keys",
            "string_words",
        ],
    )
}

fn kernel(context: &Context, name: &str) -> Result<Kernel, Failure> {
    Ok(context.device.module(&source())?.kernel(name)?)
}
