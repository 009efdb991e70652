//! The header that every kernel stands on, our own and free of other headers. Comes in: nothing. Goes out: CUDA C++
//! text that NVRTC and the host's C++ compiler both take, with the constants that it shares with Rust.

mod hash;

pub use hash::{hash_bytes, hash_u64, hash_u128};

use crate::error_word::ErrorFlags;

const PARTS: [&str; 16] = [
    include_str!("types.cuh"),
    include_str!("error.cuh"),
    include_str!("bits.cuh"),
    include_str!("int128.cuh"),
    include_str!("hash.cuh"),
    include_str!("warp.cuh"),
    include_str!("block.cuh"),
    include_str!("order.cuh"),
    include_str!("strings.cuh"),
    include_str!("dates.cuh"),
    include_str!("columns.cuh"),
    include_str!("group.cuh"),
    include_str!("aggregate.cuh"),
    include_str!("expressions.cuh"),
    include_str!("text.cuh"),
    include_str!("window.cuh"),
];

/// The whole prelude.
pub fn text() -> String {
    let mut text = String::with_capacity(32 << 10);
    for (name, bit, _) in ErrorFlags::ALL {
        text.push_str(&format!("#define WF_{name} {:#x}ull\n", 1u64 << bit));
    }
    for part in PARTS {
        text.push_str(part);
    }
    text
}
