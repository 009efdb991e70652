//! Decompression against the bytes that went in, written by small encoders here, and against damage.

use super::{Check, Context, Failure, Random, encode, expect_equal};
use crate::ErrorWord;
use crate::compress::{Blob, Codec, Decompressor};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "compress/whole",
        run: whole,
    },
    Check {
        name: "compress/damaged",
        run: damaged,
    },
];

/// What a compressed stream is made of.
enum Piece {
    Literal(Vec<u8>),
    Match { offset: usize, len: usize },
}

/// Random pieces, and the bytes that they stand for: repeats of a byte, far and near matches, long literals.
fn pieces(random: &mut Random, len: usize) -> (Vec<Piece>, Vec<u8>) {
    let (mut pieces, mut bytes) = (Vec::new(), Vec::new());
    while bytes.len() < len {
        let left = len - bytes.len();
        if bytes.is_empty() || left < 4 || random.chance(45) {
            let most = if random.chance(10) { 700 } else { 40 };
            let count = (1 + random.below(most) as usize).min(left);
            let literal = random.bytes(count);
            bytes.extend(&literal);
            pieces.push(Piece::Literal(literal));
        } else {
            let reach = if random.chance(50) { 8 } else { 70_000 };
            let offset = 1 + random.below(bytes.len().min(reach) as u64) as usize;
            let most = if random.chance(5) { 2000 } else { 40 };
            let len = (4 + random.below(most) as usize).min(left);
            (0..len).for_each(|_| bytes.push(bytes[bytes.len() - offset]));
            pieces.push(Piece::Match { offset, len });
        }
    }
    (pieces, bytes)
}

fn snappy(pieces: &[Piece], len: usize, random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    encode::varint(len as u64, &mut out);
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => {
                let stored = literal.len() as u32 - 1;
                let least = if stored < 60 {
                    0
                } else {
                    (4 - stored.leading_zeros() / 8).max(1)
                };
                // More bytes for the length than it takes are allowed.
                let extra = if random.chance(10) {
                    least.max(1 + random.below(4) as u32)
                } else {
                    least
                };
                out.push(if extra == 0 {
                    (stored << 2) as u8
                } else {
                    ((59 + extra) << 2) as u8
                });
                out.extend(&stored.to_le_bytes()[..extra as usize]);
                out.extend(literal);
            }
            &Piece::Match { offset, len } => snappy_match(offset, len, &mut out),
        }
    }
    out
}

fn snappy_match(offset: usize, mut len: usize, out: &mut Vec<u8>) {
    while len > 0 {
        let count = len.min(64);
        if (4..12).contains(&count) && offset < 2048 {
            out.extend([((offset >> 8) << 5 | (count - 4) << 2 | 1) as u8, offset as u8]);
        } else if offset < 65536 {
            out.push(((count - 1) << 2 | 2) as u8);
            out.extend(&(offset as u16).to_le_bytes());
        } else {
            out.push(((count - 1) << 2 | 3) as u8);
            out.extend(&(offset as u32).to_le_bytes());
        }
        len -= count;
    }
}

fn lz4(pieces: &[Piece]) -> Vec<u8> {
    let length = |mut left: usize, out: &mut Vec<u8>| {
        if left >= 15 {
            left -= 15;
            while left >= 255 {
                out.push(255);
                left -= 255;
            }
            out.push(left as u8);
        }
    };
    let (mut out, mut literal) = (Vec::new(), Vec::new());
    let mut sequence = |literal: &mut Vec<u8>, matched: Option<(usize, usize)>| {
        let low = matched.map_or(0, |(_, len)| (len - 4).min(15));
        out.push((literal.len().min(15) << 4 | low) as u8);
        length(literal.len(), &mut out);
        out.append(literal);
        if let Some((offset, len)) = matched {
            out.extend(&(offset as u16).to_le_bytes());
            length(len - 4, &mut out);
        }
    };
    for piece in pieces {
        match piece {
            Piece::Literal(bytes) => literal.extend(bytes),
            &Piece::Match { offset, len } => sequence(&mut literal, Some((offset, len))),
        }
    }
    sequence(&mut literal, None);
    out
}

/// Pieces of one launch: compressed, plain, and where both lie.
struct Batch {
    compressed: Vec<u8>,
    plain: Vec<u8>,
    blobs: Vec<Blob>,
}

fn batch(random: &mut Random) -> Batch {
    let mut batch = Batch {
        compressed: random.bytes(5),
        plain: Vec::new(),
        blobs: Vec::new(),
    };
    let sizes = [0, 1, 3, 60, 61, 64, 127, 128, 129, 255, 1000, 5000, 70_000];
    for (item, len) in sizes.into_iter().enumerate() {
        for codec in [Codec::Snappy, Codec::Lz4Raw, Codec::None] {
            let (mut made, mut bytes) = pieces(random, len);
            // Offsets of LZ4 have 16 bits.
            if codec == Codec::Lz4Raw && len >= 65_536 {
                (made, bytes) = pieces(random, 60_000);
            }
            let packed = match codec {
                Codec::Snappy => snappy(&made, bytes.len(), random),
                Codec::Lz4Raw => lz4(&made),
                Codec::None => bytes.clone(),
            };
            batch.blobs.push(Blob {
                source: batch.compressed.len() as u64,
                target: batch.plain.len() as u64,
                source_bytes: packed.len() as u32,
                target_bytes: bytes.len() as u32,
                codec: codec as u32,
                item: item as u32,
            });
            batch.compressed.extend(packed);
            batch.plain.extend(bytes);
        }
    }
    batch.compressed.extend([0; 8]);
    batch
}

fn run(context: &Context, batch: &Batch) -> Result<Vec<u8>, Failure> {
    let Context {
        device,
        stream,
        reservation,
        ..
    } = context;
    let decompressor = Decompressor::new(device)?;
    let error = ErrorWord::new(stream, reservation)?;
    let compressed = stream.upload_values(reservation, &batch.compressed)?;
    let plain = stream.allocate(reservation, batch.plain.len())?;
    let blobs: Vec<Blob> = batch
        .blobs
        .iter()
        .map(|blob| Blob {
            source: blob.source + compressed.address(),
            target: blob.target + plain.address(),
            ..*blob
        })
        .collect();
    decompressor.decompress(stream, reservation, &blobs, &[&compressed, &plain], &error)?;
    error.check_sync(stream, "decompress")?;
    Ok(stream.read_sync(plain.view())?)
}

fn whole(context: &mut Context) -> Result<(), Failure> {
    let batch = batch(&mut context.random);
    expect_equal("plain bytes", &run(context, &batch)?, &batch.plain)
}

fn damaged(context: &mut Context) -> Result<(), Failure> {
    let rounds = 10;
    let mut raised = 0;
    for _ in 0..rounds {
        let mut batch = batch(&mut context.random);
        let random = &mut context.random;
        for blob in &mut batch.blobs {
            if random.chance(30) {
                blob.source_bytes = random.below(u64::from(blob.source_bytes) + 1) as u32;
            }
            if blob.source_bytes > 0 && random.chance(50) {
                let at = blob.source as usize + random.below(u64::from(blob.source_bytes).min(20)) as usize;
                batch.compressed[at] = random.bits() as u8;
            }
        }
        match run(context, &batch) {
            Err(failure)
                if failure
                    .0
                    .starts_with("kernel decompress refused its input at item") =>
            {
                raised += 1
            }
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
    }
    if raised < rounds / 2 {
        return Err(Failure(format!(
            "only {raised} of {rounds} damaged batches raised"
        )));
    }
    Ok(())
}
