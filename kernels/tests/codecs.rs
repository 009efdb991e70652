//! Decompression on the emulation against the crates `snap`, `lz4_flex`, `zstd` and `flate2`: what they compress, what they
//! accept and what they refuse. The last two stand for nvCOMP there, so that of these only the way is tried. Each page has its own buffers with fences around them, so that no byte outside is touched.

#![allow(clippy::print_stdout)]

use std::io::{Read, Write};
use std::path::PathBuf;

use warpflight_kernels::compress::{Blob, Codec, Decompressor};
use warpflight_kernels::parquet::SLACK_BYTES;
use warpflight_kernels::selftest::Random;
use warpflight_kernels::{Device, DeviceOptions, ErrorWord, Reservation, SimOptions, Stream};

struct Sim {
    stream: Stream,
    reservation: Reservation,
    decompressor: Decompressor,
}

impl Sim {
    /// Pieces of `large_bytes` and more have a block each, others a warp.
    fn open(seed: u64, large_bytes: u32) -> Self {
        let options = DeviceOptions {
            cache_dir: Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("modules")),
            nvcomp: true,
            sim: SimOptions {
                seed,
                compiler: std::env::var_os("CXX").map(PathBuf::from),
                ..SimOptions::default()
            },
            ..DeviceOptions::sim()
        };
        let device = Device::open(&options).expect("the emulation opens");
        Self {
            stream: device.stream().expect("stream"),
            reservation: device.reserve(1 << 26).expect("reservation"),
            decompressor: Decompressor::new(&device)
                .expect("kernel")
                .with_large_bytes(large_bytes),
        }
    }

    /// The plain bytes, or `None` if the page is refused; then what was written has zeros at its end.
    fn run(&self, codec: Codec, packed: &[u8], plain_bytes: usize) -> Option<Vec<u8>> {
        let (stream, reservation) = (&self.stream, &self.reservation);
        let error = ErrorWord::new(stream, reservation).expect("word");
        let mut bytes = packed.to_vec();
        bytes.extend([0x5a; SLACK_BYTES]);
        let source = stream.upload_values(reservation, &bytes).expect("uploaded");
        let target = stream.allocate(reservation, plain_bytes.max(1)).expect("target");
        let blob = Blob {
            source: source.address(),
            target: target.address(),
            source_bytes: packed.len() as u32,
            target_bytes: plain_bytes as u32,
            codec: codec as u32,
            item: 7,
        };
        self.decompressor
            .decompress(stream, reservation, &[blob], &[&source, &target], &error)
            .expect("queued");
        let raised = error.read_sync(stream).expect("no fault");
        if plain_bytes == 0 {
            return raised.is_none().then(Vec::new);
        }
        let plain = stream
            .read_sync::<u8>(target.view())
            .expect("all bytes are written");
        raised.is_none().then_some(plain)
    }
}

/// Every page by a block, and by a warp.
const LARGE: [u32; 2] = [0, u32::MAX];

fn pack(codec: Codec, plain: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(plain).expect("compressed"),
        Codec::Lz4Raw => lz4_flex::block::compress(plain),
        Codec::Zstd => zstd::bulk::compress(plain, 3).expect("compressed"),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).expect("written");
            encoder.finish().expect("compressed")
        }
        Codec::None => plain.to_vec(),
    }
}

/// What the crate makes of `packed`, if it is a page of so many bytes.
fn reference(codec: Codec, packed: &[u8], plain_bytes: usize) -> Option<Vec<u8>> {
    match codec {
        Codec::Snappy => {
            if snap::raw::decompress_len(packed).ok()? != plain_bytes || packed.is_empty() {
                return None;
            }
            snap::raw::Decoder::new().decompress_vec(packed).ok()
        }
        // The crate wants a token even for no bytes; readers of Parquet do not.
        Codec::Lz4Raw if packed.is_empty() => (plain_bytes == 0).then(Vec::new),
        Codec::Lz4Raw => {
            let mut plain = vec![0; plain_bytes];
            let count = lz4_flex::block::decompress_into(packed, &mut plain).ok()?;
            (count == plain_bytes).then_some(plain)
        }
        // Nothing has to be done for pages without a byte.
        Codec::Zstd | Codec::Gzip if plain_bytes == 0 => Some(Vec::new()),
        Codec::Zstd => {
            let plain = zstd::bulk::decompress(packed, plain_bytes).ok()?;
            (plain.len() == plain_bytes).then_some(plain)
        }
        Codec::Gzip => {
            let mut plain = Vec::new();
            let mut reader = flate2::bufread::GzDecoder::new(packed);
            let read = reader.read_to_end(&mut plain);
            // The checksum is looked for at the end.
            let is_whole = reader.into_inner().is_empty();
            (read.is_ok() && is_whole && plain.len() == plain_bytes).then_some(plain)
        }
        Codec::None => (packed.len() == plain_bytes).then(|| packed.to_vec()),
    }
}

/// Bytes of one of several kinds: words, numbers, packed indexes, noise, runs, and parts of all.
fn contents(random: &mut Random, kind: u64, len: usize) -> Vec<u8> {
    let words: Vec<Vec<u8>> = (0..60)
        .map(|_| {
            let len = 1 + random.below(12) as usize;
            random.bytes(len)
        })
        .collect();
    let mut bytes = Vec::new();
    while bytes.len() < len {
        match kind {
            0 => bytes.extend(&words[random.below(60) as usize]),
            1 => bytes.extend(random.below(1 << 24).to_le_bytes()),
            2 => bytes.extend((random.bits() & 0x0f0f_0f0f_0f0f_0f0f).to_le_bytes()),
            3 => bytes.push(random.bits() as u8),
            4 => {
                let run = 1 + random.below(900) as usize;
                bytes.extend(vec![random.below(3) as u8; run]);
            }
            _ => {
                let (kind, part) = (random.below(5), 1 + random.below(700) as usize);
                bytes.extend(contents(random, kind, part));
            }
        }
    }
    bytes.truncate(len);
    bytes
}

#[test]
fn what_the_crates_compress() {
    for (seed, large_bytes) in (0..4).zip(LARGE.into_iter().cycle()) {
        let (sim, mut random) = (Sim::open(seed, large_bytes), Random::new(seed));
        for codec in [
            Codec::Snappy,
            Codec::Lz4Raw,
            Codec::Zstd,
            Codec::Gzip,
            Codec::None,
        ] {
            for kind in 0..6 {
                let large = 65_000 + random.below(100_000) as usize;
                for len in [0, 1, 12, 13, 64, 300, 5_000, 65_536, 65_537, large] {
                    let plain = contents(&mut random, kind, len);
                    let packed = pack(codec, &plain);
                    let found = sim.run(codec, &packed, len);
                    assert!(
                        found == Some(plain),
                        "seed {seed}, large from {large_bytes}: {codec:?}, kind {kind}, {len} bytes"
                    );
                }
            }
        }
    }
}

/// Changes a sound page.
fn damage(random: &mut Random, packed: &mut Vec<u8>) {
    for _ in 0..=random.below(2) {
        let reach = if random.chance(50) {
            12
        } else {
            packed.len() as u64
        };
        let at = random.below(reach.clamp(1, packed.len().max(1) as u64)) as usize;
        match random.below(6) {
            0 => packed.truncate(at),
            1 => packed.extend(random.bytes(3)),
            2 if at < packed.len() => packed[at] = [0, 255, 240, 15][random.below(4) as usize],
            3 if at < packed.len() => drop(packed.remove(at)),
            4 => packed
                .splice(at..at, vec![255; 1 + random.below(40) as usize])
                .for_each(drop),
            _ if at < packed.len() => packed[at] ^= 1 << random.below(8),
            _ => {}
        }
    }
}

#[test]
fn what_the_crates_refuse() {
    let (mut refused, mut accepted) = (0, 0);
    for (seed, large_bytes) in (0..4).zip(LARGE.into_iter().cycle()) {
        let (sim, mut random) = (Sim::open(seed, large_bytes), Random::new(seed));
        for round in 0..700 {
            let codec = [Codec::Snappy, Codec::Lz4Raw, Codec::Zstd, Codec::Gzip][round % 4];
            let (kind, most) = (random.below(6), 1 << random.below(12));
            let len = random.below(most) as usize;
            let plain = contents(&mut random, kind, len);
            let mut packed = pack(codec, &plain);
            damage(&mut random, &mut packed);
            // A page that claims another size is the easiest to overrun.
            let claimed = if random.chance(80) {
                len
            } else {
                random.below(2 * len as u64 + 2) as usize
            };
            let found = sim.run(codec, &packed, claimed);
            let expected = reference(codec, &packed, claimed);
            let same = found == expected;
            assert!(
                same,
                "seed {seed}, large from {large_bytes}, round {round}: {codec:?} of {claimed} bytes {packed:?}"
            );
            *(if found.is_some() {
                &mut accepted
            } else {
                &mut refused
            }) += 1;
        }
    }
    println!("{refused} refused, {accepted} accepted");
    assert!(refused > 100 && accepted > 100);
}

#[test]
fn lengths_and_offsets_that_cannot_be() {
    let noise = Random::new(5).bytes(200);
    let with = |head: &[u8], literal: &[u8], tail: &[u8]| [head, literal, tail].concat();
    let cases = [
        (
            "a literal of 2^32 bytes",
            Codec::Snappy,
            vec![0, 0xfc, 255, 255, 255, 255],
            0,
        ),
        (
            "a literal of 2^31 bytes",
            Codec::Snappy,
            vec![9, 0xfc, 255, 255, 255, 127],
            9,
        ),
        (
            "a length without its bytes",
            Codec::Snappy,
            vec![9, 0xfc, 8, 0],
            9,
        ),
        ("offset 0", Codec::Snappy, vec![5, 0, 7, 1, 0], 5),
        ("an offset before the page", Codec::Snappy, vec![5, 0, 7, 1, 2], 5),
        (
            "an offset of 2^32 - 1",
            Codec::Snappy,
            vec![2, 0, 7, 3, 255, 255, 255, 255],
            2,
        ),
        ("offset 0, short", Codec::Lz4Raw, vec![0x10, 7, 0, 0, 0], 5),
        (
            "offset 0, long",
            Codec::Lz4Raw,
            vec![0x1f, 7, 0, 0, 255, 255, 10, 0],
            540,
        ),
        (
            "a long offset before the page",
            Codec::Lz4Raw,
            vec![0x1f, 7, 2, 0, 255, 255, 10, 0],
            540,
        ),
        (
            "half an offset",
            Codec::Lz4Raw,
            with(&[0xf0, 182], &noise[..197], &[1]),
            201,
        ),
        (
            "a match that lacks its length",
            Codec::Lz4Raw,
            with(&[0xff, 185], &noise, &[1, 0]),
            219,
        ),
        ("lengths to the end", Codec::Lz4Raw, vec![255; 90], 30_000),
        (
            "more than is asked for",
            Codec::Lz4Raw,
            with(&[0xf0, 185], &noise, &[]),
            199,
        ),
        (
            "less than is asked for",
            Codec::Lz4Raw,
            with(&[0xf0, 185], &noise, &[]),
            201,
        ),
    ];
    for large_bytes in LARGE {
        let sim = Sim::open(1, large_bytes);
        for (name, codec, packed, plain_bytes) in &cases {
            assert_eq!(reference(*codec, packed, *plain_bytes), None, "{name}");
            assert_eq!(sim.run(*codec, packed, *plain_bytes), None, "{name}");
        }
        let whole = with(&[0xf0, 185], &noise, &[]);
        assert_eq!(sim.run(Codec::Lz4Raw, &whole, 200), Some(noise.clone()));
    }
}

#[test]
fn without_a_library_batched_codecs_are_refused() {
    let device = Device::open(&DeviceOptions::sim()).expect("the emulation opens");
    assert!(
        device.unpacker().is_none(),
        "sim does not stand for nvCOMP by itself"
    );
    let (stream, reservation) = (
        device.stream().expect("stream"),
        device.reserve(1 << 20).expect("reserved"),
    );
    let packed = pack(Codec::Zstd, &[7; 50]);
    let source = stream.upload_values(&reservation, &packed).expect("uploaded");
    let target = stream.allocate_zeroed(&reservation, 50).expect("target");
    let blob = Blob {
        source: source.address(),
        target: target.address(),
        source_bytes: packed.len() as u32,
        target_bytes: 50,
        codec: Codec::Zstd as u32,
        item: 0,
    };
    let error = ErrorWord::new(&stream, &reservation).expect("word");
    let decompressor = Decompressor::new(&device).expect("kernels");
    let refused = decompressor
        .decompress(&stream, &reservation, &[blob], &[&source, &target], &error)
        .expect_err("nothing decompresses it");
    assert!(
        refused.to_string().contains("nothing that decompresses Zstd"),
        "{refused}"
    );
    assert_eq!(error.read_sync(&stream).expect("read"), None);
}

/// Scratch is asked for as it is drawn, in one round and in many.
#[test]
fn scratch_is_what_the_unpacker_says() {
    let sim = Sim::open(3, u32::MAX);
    let unpacker = sim.stream.device().unpacker().expect("it stands for nvCOMP");
    let random = &mut Random::new(3);
    for scratch_bytes_max in [0, 100_000, 1 << 30] {
        let decompressor = sim.decompressor.clone().with_scratch_bytes_max(scratch_bytes_max);
        let pages: Vec<(Codec, Vec<u8>)> = (0..40)
            .map(|_| {
                let len = random.below(20_000) as usize;
                (
                    [Codec::Zstd, Codec::Gzip][random.below(2) as usize],
                    contents(random, 5, len),
                )
            })
            .collect();
        let sizes: Vec<(Codec, u32)> = pages
            .iter()
            .map(|(codec, page)| (*codec, page.len() as u32))
            .collect();
        let in_one_round = unpacker.scratch_bytes(&sizes).expect("host's own");
        let (mut packed, mut plain, mut blobs) = (Vec::new(), Vec::new(), Vec::new());
        for (item, (codec, page)) in pages.iter().enumerate() {
            let piece = pack(*codec, page);
            blobs.push((packed.len(), plain.len(), piece.len(), page.len(), *codec, item));
            packed.extend(piece);
            plain.extend(page);
        }
        packed.extend([0; SLACK_BYTES]);
        let stream = &sim.stream;
        let source = stream.upload_values(&sim.reservation, &packed).expect("uploaded");
        let target = stream.allocate(&sim.reservation, plain.len()).expect("target");
        let blobs = blobs
            .into_iter()
            .map(|(from, to, packed, plain, codec, item)| Blob {
                source: source.address() + from as u64,
                target: target.address() + to as u64,
                source_bytes: packed as u32,
                target_bytes: plain as u32,
                codec: codec as u32,
                item: item as u32,
            });
        let blobs: Vec<Blob> = blobs.collect();
        let error = ErrorWord::new(stream, &sim.reservation).expect("word");
        // No more than is said for one round, which needs the most.
        let own = stream.device().reserve(in_one_round).expect("reserved");
        decompressor
            .decompress(stream, &own, &blobs, &[&source, &target], &error)
            .expect("the scratch is enough");
        assert_eq!(error.read_sync(stream).expect("no fault"), None);
        assert!(stream.read_sync::<u8>(target.view()).expect("written") == plain);
        if scratch_bytes_max == 1 << 30 {
            let less = stream.device().reserve(in_one_round - 256).expect("reserved");
            let refused = decompressor.decompress(stream, &less, &blobs, &[&source, &target], &error);
            assert!(refused.expect_err("256 bytes less").is_out_of_memory());
        }
    }
}
