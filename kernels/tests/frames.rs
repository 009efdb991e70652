//! The check of frames on the host against the crates that write and read them.

#![allow(clippy::print_stdout, reason = "random tests print what they found")]

use std::io::{Read, Write};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};

use warpflight_kernels::compress::{Codec, frame};
use warpflight_kernels::selftest::Random;

fn checked(codec: Codec, packed: &[u8], plain_bytes: usize) -> Result<(), String> {
    frame::check(codec, packed.len(), plain_bytes, &|at, into| {
        match packed.get(at..at + into.len()) {
            Some(bytes) => into.copy_from_slice(bytes),
            None => panic!("bytes from {at} on are asked for, the piece has {}", packed.len()),
        }
        true
    })
}

/// Words, a run, noise, or some of each.
fn contents(random: &mut Random, kind: u64, len: usize) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (3..40).map(|len| random.bytes(len)).collect();
    let mut bytes = Vec::new();
    while bytes.len() < len {
        match (kind + random.below(1 + kind / 3)) % 4 {
            0 => bytes.extend(&words[random.below(37) as usize]),
            1 => bytes.extend([random.below(2) as u8; 300]),
            2 => bytes.extend(random.bytes(50)),
            _ => bytes.extend((random.below(500) * 7).to_le_bytes()),
        }
    }
    bytes.truncate(len);
    bytes
}

fn gzip(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(plain).expect("written");
    encoder.finish().expect("finished")
}

/// By the size known beforehand or not.
fn zstd_frame(plain: &[u8], level: i32, with_size: bool) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level).expect("encoder");
    if with_size {
        encoder
            .set_pledged_src_size(Some(plain.len() as u64))
            .expect("set");
    }
    encoder.write_all(plain).expect("written");
    encoder.finish().expect("finished")
}

/// Whether a frame says its size: one that is written at once does so anyway (RFC 8878, 3.1.1.1.1).
fn says_size(frame: &[u8]) -> bool {
    frame[4] >> 6 != 0 || frame[4] & 0x20 != 0
}

const LENGTHS: [usize; 14] = [
    0,
    1,
    2,
    31,
    255,
    256,
    257,
    4096,
    65_535,
    65_792,
    131_071,
    131_073,
    300_000,
    1 << 20,
];

#[test]
fn what_the_crates_write_passes() {
    let mut random = Random::new(51);
    for (index, len) in LENGTHS.into_iter().enumerate() {
        for kind in 0..6 {
            let plain = contents(&mut random, kind, len);
            for level in [-5, 1, 3, 9] {
                let with_size = random.chance(50);
                let packed = zstd_frame(&plain, level, with_size);
                let found = checked(Codec::Zstd, &packed, len);
                assert_eq!(
                    found.is_ok(),
                    with_size || says_size(&packed),
                    "zstd {level}, {len} bytes of kind {kind}, {with_size}: {found:?}"
                );
                // As Parquet's writers do it.
                let packed = zstd::bulk::compress(&plain, level).expect("compressed");
                assert_eq!(
                    checked(Codec::Zstd, &packed, len),
                    Ok(()),
                    "zstd {level}, {len} bytes"
                );
            }
            let level = [0, 1, 6, 9][index % 4];
            let found = checked(Codec::Gzip, &gzip(&plain, level), len);
            assert_eq!(found, Ok(()), "gzip {level}, {len} bytes of kind {kind}");
        }
    }
}

#[test]
fn other_sizes_and_other_lengths_do_not_pass() {
    let mut random = Random::new(52);
    for len in [1, 300, 5000, 140_000] {
        let plain = contents(&mut random, 5, len);
        for (codec, packed) in [
            (Codec::Zstd, zstd::bulk::compress(&plain, 3).expect("compressed")),
            (Codec::Gzip, gzip(&plain, 6)),
        ] {
            for other in [0, len - 1, len + 1, len * 2, 1 << 30] {
                let found = checked(codec, &packed, other);
                assert!(found.is_err(), "{codec:?}, {len} bytes as {other}");
            }
            for cut in 0..packed.len() {
                assert!(
                    checked(codec, &packed[..cut], len).is_err(),
                    "{codec:?} cut to {cut}"
                );
            }
            let twice = [packed.as_slice(), &packed].concat();
            assert!(checked(codec, &twice, 2 * len).is_err(), "{codec:?}: two frames");
            let more = [packed.as_slice(), &[0]].concat();
            assert!(checked(codec, &more, len).is_err(), "{codec:?}: a byte more");
        }
    }
}

#[test]
fn what_else_the_host_reads_is_left_to_it() {
    let plain = vec![7; 100];
    let mut named = GzBuilder::new()
        .filename("a")
        .write(Vec::new(), Compression::fast());
    named.write_all(&plain).expect("written");
    let named = named.finish().expect("finished");
    let skippable = [
        &[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9][..],
        &zstd::bulk::compress(&plain, 1).expect("packed"),
    ];
    let cases = [
        ("a name", Codec::Gzip, named),
        (
            "an empty member first",
            Codec::Gzip,
            [gzip(&[], 6), gzip(&plain, 6)].concat(),
        ),
        (
            "an empty stored member first",
            Codec::Gzip,
            [gzip(&[], 0), gzip(&plain, 6)].concat(),
        ),
        ("zlib's own header", Codec::Gzip, {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&plain).expect("written");
            encoder.finish().expect("finished")
        }),
        ("a checksum", Codec::Zstd, {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
            encoder.include_checksum(true).expect("set");
            encoder.write_all(&plain).expect("written");
            encoder.finish().expect("finished")
        }),
        ("a frame to be skipped", Codec::Zstd, skippable.concat()),
        ("an empty frame first", Codec::Zstd, {
            let empty = zstd::bulk::compress(&[], 1).expect("packed");
            [empty, zstd::bulk::compress(&plain, 1).expect("packed")].concat()
        }),
    ];
    for (name, codec, packed) in cases {
        assert!(checked(codec, &packed, plain.len()).is_err(), "{name}");
    }
}

#[test]
fn frames_that_cannot_be() {
    // Magic, flags for one segment and a size of one byte, the size.
    let frame = |plain: u8, rest: &[u8]| [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, plain], rest].concat();
    assert_eq!(
        checked(Codec::Zstd, &frame(2, &[0x11, 0, 0, 7, 8]), 2),
        Ok(()),
        "raw"
    );
    assert_eq!(
        checked(Codec::Zstd, &frame(9, &[0x4b, 0, 0, 7]), 9),
        Ok(()),
        "a run"
    );
    let block = |body: &[u8]| {
        let header = (body.len() as u32) << 3 | 5;
        frame(200, &[&header.to_le_bytes()[..3], body].concat())
    };
    let cases = [
        ("a raw block beyond the end", frame(2, &[0x21, 0, 0, 7, 8]), 2),
        ("a reserved kind of block", frame(2, &[0x17, 0, 0, 7, 8]), 2),
        ("no last block", frame(2, &[0x10, 0, 0, 7, 8]), 2),
        ("a run of 2^21 - 1", frame(9, &[0xfb, 0xff, 0xff, 7]), 9),
        (
            "a reserved flag",
            vec![0x28, 0xb5, 0x2f, 0xfd, 0x28, 1, 9, 0, 0, 7],
            1,
        ),
        (
            "a dictionary",
            vec![0x28, 0xb5, 0x2f, 0xfd, 0x21, 5, 1, 9, 0, 0, 7],
            1,
        ),
        ("a block of nothing", block(&[]), 200),
        ("raw literals beyond it", block(&[0xf8, 1, 2, 3]), 200),
        ("no sequences", block(&[0x08, 1]), 200),
        (
            "literals of no table",
            block(&[0x03 | 0x80, 0x40, 1, 9, 9, 9, 9, 0]),
            200,
        ),
        ("tables of no block before", block(&[0x08, 1, 1, 0xc0, 9]), 200),
        ("reserved modes", block(&[0x08, 1, 1, 0x01, 9]), 200),
        ("bits without an end", block(&[0x08, 1, 1, 0x00, 0]), 200),
        ("more sequences than room", block(&[0x08, 1, 100, 0x00, 9]), 200),
        ("bytes behind literals alone", block(&[0x08, 1, 0, 9]), 200),
    ];
    for (name, packed, plain_bytes) in cases {
        let found = checked(Codec::Zstd, &packed, plain_bytes);
        assert!(found.is_err(), "{name}");
        println!("{name}: {}", found.unwrap_err());
    }
    for packed in [vec![], vec![0x1f], vec![0x1f, 0x8b, 8, 0], vec![0; 40]] {
        assert!(checked(Codec::Gzip, &packed, 0).is_err(), "{packed:?}");
    }
    let mut packed = gzip(&[5; 9], 0);
    packed[13] ^= 1;
    assert!(
        checked(Codec::Gzip, &packed, 9).is_err(),
        "a stored block of two lengths"
    );
    packed[10] = 7;
    assert!(
        checked(Codec::Gzip, &packed, 9).is_err(),
        "a reserved kind of block"
    );
}

#[test]
fn damaged_ones_are_looked_at_without_leaving_them() {
    let seed = 53;
    let (mut random, mut counts) = (Random::new(seed), [[0; 2]; 2]);
    for round in 0..4000 {
        let (kind, len) = (random.below(6), random.below(3000) as usize);
        let plain = contents(&mut random, kind, len);
        let codec = [Codec::Zstd, Codec::Gzip][round % 2];
        let mut packed = match codec {
            Codec::Zstd => zstd::bulk::compress(&plain, 3).expect("compressed"),
            _ => gzip(&plain, 6),
        };
        for _ in 0..=random.below(3) {
            let reach = if random.chance(50) { 24 } else { packed.len() };
            let at = random.below(reach.min(packed.len()) as u64) as usize;
            packed[at] = if random.chance(50) {
                packed[at] ^ 1 << random.below(8)
            } else {
                random.bits() as u8
            };
        }
        let passes = checked(codec, &packed, len).is_ok();
        let is_sound = match codec {
            Codec::Zstd => zstd::bulk::decompress(&packed, len).is_ok_and(|found| found.len() == len),
            _ => {
                let mut found = Vec::new();
                let read = flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut found);
                read.is_ok() && found.len() == len
            }
        };
        counts[usize::from(is_sound)][usize::from(passes)] += 1;
    }
    let [[refused, passed], [left, kept]] = counts;
    println!(
        "seed {seed}: of those that cannot be read {refused} are refused, {passed} pass; of others {left}, {kept}"
    );
    assert!(refused > 500 && kept > 100, "seed {seed}: {counts:?}");
}
