//! How fast pages are decompressed: many of them, and one alone.

use std::io::Write;

use warpflight_kernels::compress::{Blob, Codec, Decompressor};
use warpflight_kernels::parquet::SLACK_BYTES;
use warpflight_kernels::selftest::Random;

use super::{Bench, Outcome, PAGE_ROWS};

impl Bench {
    /// The codecs that the device decompresses.
    fn all_codecs(&self) -> Vec<Codec> {
        let all = [Codec::Snappy, Codec::Lz4Raw, Codec::Zstd, Codec::Gzip];
        let unpacks = self.device.unpacker().is_some();
        all.into_iter()
            .filter(|codec| unpacks || !codec.is_batched())
            .collect()
    }

    /// Decompresses `count` pages that repeat the distinct ones given, by all codecs. Each page is packed and lies in
    /// memory on its own: the cache must not help more than it would. From `large_bytes` on a page has a block.
    fn decompress(&self, name: &str, pages: &[Vec<u8>], count: usize, large_bytes: Option<u32>) -> Outcome {
        let mut decompressor = Decompressor::new(&self.device)?;
        if let Some(large_bytes) = large_bytes {
            decompressor = decompressor.with_large_bytes(large_bytes);
        }
        let plain_bytes: usize = pages.iter().cycle().take(count).map(Vec::len).sum();
        let target = self.stream.allocate(&self.reservation, plain_bytes)?;
        // By which of ours a page is done is nothing to others.
        let codecs = self.all_codecs().into_iter();
        for codec in codecs.filter(|codec| large_bytes.is_none() || !codec.is_batched()) {
            let packed: Vec<Vec<u8>> = pages.iter().map(|page| pack(codec, page)).collect();
            let (mut bytes, mut blobs, mut written) = (Vec::new(), Vec::new(), 0);
            for (item, (page, packed)) in pages.iter().zip(&packed).cycle().take(count).enumerate() {
                blobs.push(Blob {
                    source: bytes.len() as u64,
                    target: target.address() + written as u64,
                    source_bytes: packed.len() as u32,
                    target_bytes: page.len() as u32,
                    codec: codec as u32,
                    item: item as u32,
                });
                bytes.extend(packed);
                written += page.len();
            }
            let ratio = plain_bytes as f64 / bytes.len() as f64;
            bytes.extend([0; SLACK_BYTES]);
            let source = self.upload(&bytes)?;
            blobs.iter_mut().for_each(|blob| blob.source += source.address());
            self.time(&format!("{codec:?} {name}, {ratio:.1}:1"), plain_bytes, |error| {
                let uses = [&source, &target];
                decompressor.decompress(&self.stream, &self.reservation, &blobs, &uses, error)
            })?;
            // The last page tells whether the others can be right.
            let last = (count - 1) % pages.len();
            let start = plain_bytes - pages[last].len();
            let found: Vec<u8> = self.stream.read_sync(target.slice(start..plain_bytes)?)?;
            assert!(found == pages[last], "{codec:?} {name}: the last page differs");
        }
        Ok(())
    }

    /// Pages as a scan meets them. `output_bytes` decides how many; with 512 MiB they are the numbers named.
    pub(super) fn codecs(&mut self, output_bytes: usize) -> Outcome {
        const DISTINCT: usize = 16;
        let random = &mut self.random;
        let words: Vec<Vec<u8>> = (0..200).map(|_| random.bytes(7)).collect();
        let mut from_words = |len: usize| {
            let mut page = Vec::new();
            while page.len() < len {
                page.extend(&words[random.below(200) as usize]);
            }
            page.truncate(len);
            page
        };
        let large: Vec<_> = (0..DISTINCT).map(|_| from_words(1 << 20)).collect();
        let small: Vec<_> = (0..DISTINCT).map(|_| from_words(128 << 10)).collect();
        let mut indexes = Vec::new();
        for at in 0..DISTINCT {
            let width = if at % 2 == 0 { 4 } else { 12 };
            let mut page = vec![width as u8];
            page.extend(random.bytes(PAGE_ROWS * width / 8));
            indexes.push(page);
        }
        let prices: Vec<Vec<u8>> = (0..DISTINCT)
            .map(|_| {
                (0..PAGE_ROWS)
                    .flat_map(|_| random.below(1 << 24).to_le_bytes())
                    .collect()
            })
            .collect();
        let comments: Vec<_> = (0..DISTINCT).map(|_| comments(random)).collect();
        let count = |bytes: usize| (output_bytes / bytes).max(1);
        let cases = [
            ("words of 7, 1 MiB", &large, count(1 << 20)),
            ("words of 7, 128 KiB", &small, count(128 << 10)),
            ("indexes, 10 and 30 KB", &indexes, count(32 << 10)),
            ("int64 below 2^24, 160 KB", &prices, count(128 << 10)),
            ("comments, 600 KB", &comments, count(512 << 10)),
        ];
        // One page alone: its time is what a scan of a small table waits for.
        let numbers: Vec<u8> = (0..1 << 17)
            .flat_map(|_| random.below(1 << 24).to_le_bytes())
            .collect();
        let alone = [
            ("int64 below 2^24, 1 MiB, alone", vec![numbers]),
            ("comments, 600 KB, alone", comments[..1].to_vec()),
            ("words of 7, 1 MiB, alone", large[..1].to_vec()),
            ("words of 7, 128 KiB, alone", small[..1].to_vec()),
            ("int64 below 2^24, 160 KB, alone", prices[..1].to_vec()),
            ("noise, 1 MiB, alone", vec![random.bytes(1 << 20)]),
        ];
        for (name, pages) in &alone {
            self.decompress(name, pages, 1, None)?;
        }
        for (name, pages, count) in cases {
            self.decompress(&format!("{name} x {count}"), pages, count, None)?;
        }
        // From which size on a block is worth it.
        for bytes in [4 << 10, 8 << 10, 16 << 10, 32 << 10] {
            let sized = |pages: &[Vec<u8>]| pages.iter().map(|page| page[..bytes].to_vec()).collect();
            let sized: [(&str, Vec<Vec<u8>>); 2] = [("words of 7", sized(&small)), ("int64", sized(&prices))];
            for (what, pages) in &sized {
                for (by, large_bytes) in [("warps", u32::MAX), ("blocks", 0)] {
                    let count = count(bytes);
                    let name = format!("{what}, {} KiB x {count} by {by}", bytes >> 10);
                    self.decompress(&name, pages, count, Some(large_bytes))?;
                }
            }
        }
        Ok(())
    }
}

fn pack(codec: Codec, plain: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Snappy => snap::raw::Encoder::new().compress_vec(plain).unwrap_or_default(),
        Codec::Lz4Raw => lz4_flex::block::compress(plain),
        Codec::Zstd => zstd::bulk::compress(plain, 3).unwrap_or_default(),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            let written = encoder.write_all(plain).and_then(|()| encoder.finish());
            written.unwrap_or_default()
        }
        Codec::None => plain.to_vec(),
    }
}

/// A page of strings such as TPC-H's comments: 10 to 43 bytes cut from a stream of words, each after its length.
fn comments(random: &mut Random) -> Vec<u8> {
    let words: Vec<&str> = "foxes ideas theodolites pinto beans instructions dependencies excuses platelets asymptotes \
        courts dolphins multipliers sauternes warthogs frets dinos attainments somas braids hockey players frays \
        warhorses dugouts notornis epitaphs pearls tithes waters orbits gifts sheaves depths sentiments decoys \
        realms pains grouches escapades sleep wake are cajole haggle nag use boost affix detect integrate maintain \
        nod was lose sublate solve thrash promise engage hinder print doze run dazzle snooze doubt unwind kindle \
        play hang believe furious sly careful blithe quick fluffy slow quiet ruthless thin close dogged daring \
        brave stealthy permanent enticing idle busy regular final ironic even bold silent special pending express \
        unusual sometimes always never furiously slyly carefully blithely quickly fluffily slowly quietly the \
        about above according to across after against along among around at atop before behind beneath"
        .split_whitespace()
        .collect();
    let mut text = String::new();
    while text.len() < 1 << 20 {
        text.push_str(words[random.below(words.len() as u64) as usize]);
        text.push_str(if random.chance(10) { ". " } else { " " });
    }
    let (mut page, mut at) = (Vec::new(), 0);
    for _ in 0..PAGE_ROWS {
        let length = 10 + random.below(34) as usize;
        page.extend((length as u32).to_le_bytes());
        page.extend(&text.as_bytes()[at..at + length]);
        at += length;
    }
    page
}
