//! What stands for nvCOMP on the emulation: the libraries of the host. Comes in: a batch as a GPU's library gets it. Goes
//! out: plain bytes, sizes and statuses in emulated memory. Tables, pieces and scratch are checked as a kernel's are.

use std::io::Read;

use super::memory::Memory;
use crate::api::RawBatch;
use crate::compress::{BatchSize, Codec};

/// nvCOMP's `nvcompErrorCannotDecompress`.
const CANNOT_DECOMPRESS: i32 = 12;

/// About as much as nvCOMP asks for.
pub(crate) fn scratch_bytes(codec: Codec, size: BatchSize) -> usize {
    match codec {
        Codec::Zstd => 3 * size.total.min(size.count * size.largest) + 7000 * size.count,
        _ => 0,
    }
}

/// Decompresses all pieces.
pub(super) fn unpack(memory: &mut Memory, batch: &RawBatch) -> Result<(), String> {
    memory.writable(batch.scratch, batch.scratch_bytes)?;
    for piece in 0..batch.count as u64 {
        let word = |table: u64| Ok::<_, String>(u64::from_le_bytes(read(memory, table + piece * 8)?));
        let (source, source_bytes) = (word(batch.sources)?, word(batch.source_bytes)? as usize);
        let (target, target_bytes) = (word(batch.targets)?, word(batch.target_bytes)? as usize);
        let packed = memory.readable(source, source_bytes)?;
        // SAFETY: `readable` checked the range, and nothing is written before the last use.
        let packed = unsafe { std::slice::from_raw_parts(packed, source_bytes) };
        let plain = plain(batch.codec, packed, target_bytes);
        let status = if plain.is_some() { 0 } else { CANNOT_DECOMPRESS };
        let plain = plain.unwrap_or_default();
        write(memory, target, &plain)?;
        write(
            memory,
            batch.found_bytes + piece * 8,
            &(plain.len() as u64).to_le_bytes(),
        )?;
        write(memory, batch.statuses + piece * 4, &i32::to_le_bytes(status))?;
    }
    Ok(())
}

/// What a piece holds, if it is sound and holds no more than there is room for.
fn plain(codec: Codec, packed: &[u8], room: usize) -> Option<Vec<u8>> {
    match codec {
        Codec::Zstd => zstd::bulk::decompress(packed, room).ok(),
        Codec::Gzip => {
            let mut plain = Vec::new();
            let reader = flate2::read::GzDecoder::new(packed);
            reader.take(room as u64 + 1).read_to_end(&mut plain).ok()?;
            (plain.len() <= room).then_some(plain)
        }
        Codec::None | Codec::Snappy | Codec::Lz4Raw => None,
    }
}

fn read<const N: usize>(memory: &Memory, address: u64) -> Result<[u8; N], String> {
    let bytes = memory.readable(address, N)?;
    // SAFETY: `readable` checked so many bytes.
    Ok(unsafe { bytes.cast::<[u8; N]>().read() })
}

fn write(memory: &mut Memory, address: u64, bytes: &[u8]) -> Result<(), String> {
    let target = memory.writable(address, bytes.len())?;
    // SAFETY: `writable` checked the range; the bytes are the host's own.
    unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    Ok(())
}
