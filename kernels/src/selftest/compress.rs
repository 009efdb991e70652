//! Decompression against the bytes that went in, written by small encoders here, and against damage.

mod batched;
mod streams;

use super::{Check, Context, Failure, Random, encode, expect_equal};
use crate::compress::{Blob, Codec, Decompressor, LARGE_BYTES};
use crate::{ErrorWord, Raised};
use streams::Stream;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "compress/whole",
        run: whole,
    },
    Check {
        name: "compress/damaged",
        run: damaged,
    },
    Check {
        name: "compress/nvcomp",
        run: batched::whole,
    },
    Check {
        name: "compress/nvcomp_false_claims",
        run: batched::false_claims,
    },
];

/// Pieces of one launch: compressed, plain, and where both lie.
#[derive(Default)]
struct Batch {
    compressed: Vec<u8>,
    plain: Vec<u8>,
    blobs: Vec<Blob>,
}

impl Batch {
    fn push(&mut self, codec: Codec, packed: &[u8], plain: &[u8]) {
        self.blobs.push(Blob {
            source: self.compressed.len() as u64,
            target: self.plain.len() as u64,
            source_bytes: packed.len() as u32,
            target_bytes: plain.len() as u32,
            codec: codec as u32,
            item: self.blobs.len() as u32,
        });
        self.compressed.extend(packed);
        self.plain.extend(plain);
    }

    fn push_all(&mut self, stream: &Stream, random: &mut Random) {
        for codec in [Codec::Snappy, Codec::Lz4Raw, Codec::None] {
            self.push(codec, &stream.pack(codec, random), &stream.bytes);
        }
    }
}

/// Pages of all kinds, one after the other without gaps: none may touch another's bytes.
fn batch(context: &mut Context, large: bool) -> Batch {
    let is_fast = context.is_fast();
    let random = &mut context.random;
    let mut batch = Batch {
        compressed: random.bytes(5),
        ..Batch::default()
    };
    let small = [0, 1, 3, 60, 61, 64, 127, 128, 129, 255, 1000];
    // Around what a block reads and writes at once.
    let middle = [2047, 2048, 2049, 4090, 4095, 4096, 4097, 5000];
    for len in small.into_iter().chain(middle) {
        let stream = Stream::random(random, len, 65_535);
        batch.push_all(&stream, random);
        let noise = Stream::noise(random, len.max(1));
        batch.push_all(&noise, random);
    }
    for len in [1, 7, 1000, 3000] {
        let stream = Stream::to_start(random, len);
        batch.push_all(&stream, random);
    }
    for offset in 1..=64 {
        let stream = Stream::overlaps(random, offset);
        let codec = if random.chance(50) {
            Codec::Snappy
        } else {
            Codec::Lz4Raw
        };
        batch.push(codec, &stream.pack(codec, random), &stream.bytes);
    }
    let numbers = Stream::numbers(random, 600);
    let dense = Stream::dense(random, 600);
    batch.push_all(&numbers, random);
    batch.push_all(&dense, random);
    if large {
        for len in [LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1] {
            let stream = Stream::random(random, len as usize, 65_535);
            let codec = [Codec::Snappy, Codec::Lz4Raw][random.below(2) as usize];
            batch.push(codec, &stream.pack(codec, random), &stream.bytes);
        }
        let count = if is_fast { 400_000 } else { 2_500 };
        let numbers = Stream::numbers(random, count);
        let dense = Stream::dense(random, count);
        batch.push_all(&numbers, random);
        batch.push_all(&dense, random);
        let far = Stream::random(random, 90_000, 80_000);
        batch.push(Codec::Snappy, &far.pack(Codec::Snappy, random), &far.bytes);
        let near = Stream::random(random, 90_000, 65_535);
        for stream in [near, Stream::literals(random), Stream::zeros(100_000)] {
            batch.push_all(&stream, random);
        }
        let noise = 60_000 + random.below(90_000) as usize;
        let noise = Stream::noise(random, noise);
        batch.push_all(&noise, random);
    }
    // What may be read after the last.
    batch.compressed.extend(random.bytes(8));
    batch
}

/// Pieces from which size have a block each: all, some, none.
const LARGE: [u32; 3] = [0, LARGE_BYTES, u32::MAX];

/// What was raised, and the bytes of all targets.
fn run(context: &Context, batch: &Batch, large_bytes: u32) -> Result<(Option<Raised>, Vec<u8>), Failure> {
    let decompressor = Decompressor::new(&context.device)?.with_large_bytes(large_bytes);
    run_by(&decompressor, context, batch)
}

fn run_by(
    decompressor: &Decompressor,
    context: &Context,
    batch: &Batch,
) -> Result<(Option<Raised>, Vec<u8>), Failure> {
    let Context {
        stream, reservation, ..
    } = context;
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
    let raised = error.read_sync(stream)?;
    Ok((raised, stream.read_sync(plain.view())?))
}

fn whole(context: &mut Context) -> Result<(), Failure> {
    let batch = batch(context, true);
    for large_bytes in LARGE {
        let (raised, bytes) = run(context, &batch, large_bytes)?;
        let what = format!("plain bytes, pages large from {large_bytes}");
        expect_equal(&what, &bytes, &batch.plain)?;
        if let Some(raised) = raised {
            return Err(Failure(format!(
                "{what}: raised {} for sound pages",
                raised.flags
            )));
        }
    }
    Ok(())
}

/// What is done to a page of a damaged batch.
#[derive(Clone, Copy, PartialEq)]
enum Damage {
    None,
    Cut,
    Flipped,
}

fn damage(batch: &mut Batch, random: &mut Random) -> Vec<Damage> {
    let mut all = Vec::new();
    for blob in &mut batch.blobs {
        let bytes = u64::from(blob.source_bytes);
        let damage = match random.below(3) {
            1 if bytes > 0 => {
                blob.source_bytes = random.below(bytes) as u32;
                Damage::Cut
            }
            2 if bytes > 0 => {
                for _ in 0..=random.below(3) {
                    let reach = if random.chance(50) { 20 } else { bytes };
                    let at = (blob.source + random.below(bytes.min(reach))) as usize;
                    batch.compressed[at] ^= 1 << random.below(8);
                }
                Damage::Flipped
            }
            _ => Damage::None,
        };
        all.push(damage);
    }
    all
}

fn damaged(context: &mut Context) -> Result<(), Failure> {
    for round in 0..4 {
        let mut batch = batch(context, false);
        let damage = damage(&mut batch, &mut context.random);
        let large_bytes = [0, u32::MAX][round % 2];
        let (raised, bytes) = run(context, &batch, large_bytes)?;
        let Some(raised) = raised else {
            return Err(Failure("a batch full of damage raised nothing".to_owned()));
        };
        if damage[raised.first_item as usize] == Damage::None {
            return Err(Failure(format!(
                "raised for the sound page {}",
                raised.first_item
            )));
        }
        for (blob, damage) in batch.blobs.iter().zip(damage) {
            let range = blob.target as usize..blob.target as usize + blob.target_bytes as usize;
            let (found, plain) = (&bytes[range.clone()], &batch.plain[range]);
            let what = format!(
                "page {} of codec {}, large from {large_bytes}",
                blob.item, blob.codec
            );
            match damage {
                Damage::None => expect_equal(&what, found, plain)?,
                // As far as it goes, and zeros after that.
                Damage::Cut => {
                    let same = found.iter().zip(plain).take_while(|(a, b)| a == b).count();
                    expect_equal(&what, &found[same..], &vec![0; found.len() - same])?;
                }
                Damage::Flipped => {}
            }
        }
    }
    Ok(())
}
