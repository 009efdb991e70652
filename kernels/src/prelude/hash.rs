//! The hash of `hash.cuh` on the host: the same bits, for tests and for tables that the host builds.

const A: u64 = 0x9e37_79b9_7f4a_7c15;
const B: u64 = 0xd6e8_feb8_6659_fd93;
const C: u64 = 0xa076_1d64_78bd_642f;

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Hash of a 64-bit value.
pub fn hash_u64(value: u64, seed: u64) -> u64 {
    fold(value ^ A ^ seed, fold(value ^ C, seed ^ B) ^ B)
}

/// Hash of a 128-bit value.
pub fn hash_u128(value: u128, seed: u64) -> u64 {
    hash_u64(value as u64, hash_u64((value >> 64) as u64, seed))
}

/// Hash of bytes.
pub fn hash_bytes(data: &[u8], seed: u64) -> u64 {
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |word, &byte| word << 8 | u64::from(byte))
    };
    let words = data.chunks_exact(8);
    let tail = word(words.remainder());
    let hash = words.fold(seed ^ fold(data.len() as u64 ^ C, A), |hash, piece| {
        fold(word(piece) ^ A, hash ^ B)
    });
    hash_u64(tail, hash)
}
