//! Pages that a library decompresses, against the bytes that other libraries packed, and against false claims. What else
//! may be wrong with a page is no check here: nvCOMP promises nothing then.

use std::io::Write;

use super::streams::Stream;
use super::{Batch, run_by};
use crate::ErrorFlags;
use crate::compress::{Codec, Decompressor, frame};
use crate::info::DeviceKind;
use crate::selftest::{Context, Failure, Random, expect_equal};

/// As some writer of Parquet packs it.
fn pack(codec: Codec, plain: &[u8], random: &mut Random) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure(format!("{codec:?} does not pack: {error}"));
    match codec {
        Codec::Zstd => {
            let level = [-5, 1, 3, 9, 19][random.below(5) as usize];
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level).map_err(failed)?;
            let bytes = plain.len() as u64;
            encoder.set_pledged_src_size(Some(bytes)).map_err(failed)?;
            encoder.write_all(plain).map_err(failed)?;
            encoder.finish().map_err(failed)
        }
        _ => {
            let level = flate2::Compression::new([0, 1, 6, 9][random.below(4) as usize]);
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(plain).map_err(failed)?;
            encoder.finish().map_err(failed)
        }
    }
}

/// Sizes around what formats and libraries cut by; the last only on a GPU.
const SIZES: [usize; 22] = [
    0,
    1,
    2,
    31,
    32,
    33,
    255,
    256,
    257,
    4095,
    4096,
    4097,
    32_767,
    32_769,
    65_535,
    65_536,
    65_537,
    131_071,
    131_072,
    131_073,
    300_000,
    1 << 20,
];

/// Pages without gaps, so that they begin at any byte.
fn batch(context: &mut Context) -> Result<Batch, Failure> {
    let is_fast = context.is_fast();
    let random = &mut context.random;
    let mut batch = Batch {
        compressed: random.bytes(3),
        ..Batch::default()
    };
    let sizes = SIZES.into_iter().filter(|&size| is_fast || size < 1 << 20);
    let many = if is_fast { 300 } else { 3 };
    let many = std::iter::repeat_n(64 << 10, many);
    for size in sizes.chain(many) {
        // What repeats and what does not, and text of few bytes, which is packed without matches.
        let letters = (0..size)
            .map(|_| b'a' + random.below(9).min(random.below(9)) as u8)
            .collect();
        let pages = [
            Stream::random(random, size, 60_000).bytes,
            Stream::numbers(random, size / 8).bytes,
            random.bytes(size),
            vec![7; size],
            letters,
        ];
        for mut page in pages {
            page.truncate(size);
            for codec in [Codec::Zstd, Codec::Gzip] {
                let packed = pack(codec, &page, random)?;
                let there = |at: usize, into: &mut [u8]| {
                    let bytes = packed.get(at..at + into.len());
                    bytes.map(|bytes| into.copy_from_slice(bytes)).is_some()
                };
                frame::check(codec, packed.len(), page.len(), &there)
                    .map_err(|what| Failure(format!("{codec:?} of {size} bytes: {what}")))?;
                batch.push(codec, &packed, &page);
            }
        }
        // Other codecs in the same call.
        let own = Stream::random(random, size.min(500), 60_000);
        batch.push(Codec::Snappy, &own.pack(Codec::Snappy, random), &own.bytes);
    }
    batch.compressed.extend(random.bytes(8));
    Ok(batch)
}

/// Whether the device has no library, which is said.
fn is_skipped(context: &mut Context) -> bool {
    if context.device.unpacker().is_some() {
        return false;
    }
    let reason = match context.device.info().kind {
        DeviceKind::Cuda => crate::cuda::nvcomp_version().err(),
        DeviceKind::Sim => None,
    };
    context.skip(reason.unwrap_or_else(|| "the device was opened without nvCOMP".to_owned()));
    true
}

pub(super) fn whole(context: &mut Context) -> Result<(), Failure> {
    if is_skipped(context) {
        return Ok(());
    }
    let batch = batch(context)?;
    let (raised, bytes) = run_by(&Decompressor::new(&context.device)?, context, &batch)?;
    expect_equal("plain bytes", &bytes, &batch.plain)?;
    match raised {
        None => Ok(()),
        Some(raised) => Err(Failure(format!(
            "raised {} for the sound page {}",
            raised.flags, raised.first_item
        ))),
    }
}

/// Some pages have more room than they need, some another checksum; all in several rounds. Less room is not tried: nvCOMP
/// 6.0 meets it with a fault of the device, and frames that lie of their size are kept from it.
pub(super) fn false_claims(context: &mut Context) -> Result<(), Failure> {
    if is_skipped(context) {
        return Ok(());
    }
    let mut batch = batch(context)?;
    let random = &mut context.random;
    let (mut plain, mut false_items, mut flags) = (Vec::new(), Vec::new(), ErrorFlags::default());
    for blob in &mut batch.blobs {
        let from = blob.target as usize;
        let page = &batch.plain[from..from + blob.target_bytes as usize];
        blob.target = plain.len() as u64;
        let is_batched = blob.codec == Codec::Zstd as u32 || blob.codec == Codec::Gzip as u32;
        match random.below(4) {
            0 if is_batched => {
                blob.target_bytes += 1 + random.below(5000) as u32;
                flags.0 |= ErrorFlags::BAD_SIZE.0;
            }
            1 if blob.codec == Codec::Gzip as u32 && !page.is_empty() => {
                let crc = blob.source as usize + blob.source_bytes as usize - 8;
                batch.compressed[crc + random.below(4) as usize] ^= 1 << random.below(8);
                flags.0 |= ErrorFlags::BAD_COMPRESSION.0;
            }
            _ => {
                plain.extend(page);
                continue;
            }
        }
        plain.resize(plain.len() + blob.target_bytes as usize, 0);
        false_items.push(u64::from(blob.item));
    }
    batch.plain = plain;
    let decompressor = Decompressor::new(&context.device)?.with_scratch_bytes_max(1 << 20);
    let (raised, bytes) = run_by(&decompressor, context, &batch)?;
    expect_equal("bytes of sound pages, zeros for others", &bytes, &batch.plain)?;
    let first_item = false_items.first().copied().unwrap_or(0);
    match raised {
        Some(raised) if raised.flags == flags && raised.first_item == first_item => Ok(()),
        other => Err(Failure(format!(
            "raised {other:?}, expected {flags} first at page {first_item}"
        ))),
    }
}
