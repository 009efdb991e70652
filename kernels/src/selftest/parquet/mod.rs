//! Decoding of Parquet pages against plain Rust: every conversion under every encoding that it goes with, nulls none,
//! some and all, pages of awkward sizes; and pages that lie, which must raise and never leave their bounds.

mod columns;
mod decode;
mod hostile;
mod plain_strings;
mod write;

use super::Check;
use columns::{booleans, codes, decimals, int96, integers, same_width, strings};
use hostile::hostile;
use plain_strings::{bad_plain_strings, plain_strings};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "parquet/same_width",
        run: same_width,
    },
    Check {
        name: "parquet/integers",
        run: integers,
    },
    Check {
        name: "parquet/decimals",
        run: decimals,
    },
    Check {
        name: "parquet/int96",
        run: int96,
    },
    Check {
        name: "parquet/booleans",
        run: booleans,
    },
    Check {
        name: "parquet/codes",
        run: codes,
    },
    Check {
        name: "parquet/strings",
        run: strings,
    },
    Check {
        name: "parquet/plain_strings",
        run: plain_strings,
    },
    Check {
        name: "parquet/bad_plain_strings",
        run: bad_plain_strings,
    },
    Check {
        name: "parquet/hostile",
        run: hostile,
    },
];
