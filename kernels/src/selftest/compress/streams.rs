//! Compressed streams whose contents are known, spelt in ways that no compressor may choose but the formats allow.

use super::{Random, encode};
use crate::compress::Codec;

/// What a compressed stream is made of.
enum Piece {
    Literal(Vec<u8>),
    Match { offset: usize, len: usize },
}

/// Pieces, and the bytes that they stand for.
#[derive(Default)]
pub(super) struct Stream {
    pieces: Vec<Piece>,
    pub(super) bytes: Vec<u8>,
}

impl Stream {
    fn literal(&mut self, bytes: Vec<u8>) {
        self.bytes.extend(&bytes);
        self.pieces.push(Piece::Literal(bytes));
    }

    fn matched(&mut self, offset: usize, len: usize) {
        (0..len).for_each(|_| self.bytes.push(self.bytes[self.bytes.len() - offset]));
        self.pieces.push(Piece::Match { offset, len });
    }

    /// Repeats of a byte, matches up to `reach_max` back, some long literals.
    pub(super) fn random(random: &mut Random, len: usize, reach_max: usize) -> Self {
        let mut stream = Self::default();
        while stream.bytes.len() < len {
            let (done, left) = (stream.bytes.len(), len - stream.bytes.len());
            if done == 0 || left < 4 || random.chance(45) {
                let most = if random.chance(10) { 700 } else { 40 };
                let count = (1 + random.below(most) as usize).min(left);
                stream.literal(random.bytes(count));
            } else {
                let reach = if random.chance(50) { 8 } else { reach_max };
                let offset = 1 + random.below(done.min(reach) as u64) as usize;
                let most = if random.chance(5) { 2000 } else { 40 };
                stream.matched(offset, (4 + random.below(most) as usize).min(left));
            }
        }
        stream
    }

    /// Matches of one offset, which overlap themselves if they are longer, with and without literals between them.
    pub(super) fn overlaps(random: &mut Random, offset: usize) -> Self {
        let mut stream = Self::default();
        stream.literal(random.bytes(offset));
        let start = random.below(6) as usize;
        let many = [
            127,
            128,
            129,
            272,
            273,
            274,
            275,
            400 + random.below(3000) as usize,
        ];
        for len in (4 + start..80).step_by(5).chain(many) {
            stream.matched(offset, len);
            if random.chance(40) {
                let count = 1 + random.below(20) as usize;
                stream.literal(random.bytes(count));
            }
        }
        stream
    }

    /// Literals of every class of length, with a match after each.
    pub(super) fn literals(random: &mut Random) -> Self {
        let mut stream = Self::default();
        let classes = [
            1, 2, 14, 15, 16, 31, 32, 33, 59, 60, 61, 62, 63, 64, 65, 127, 128, 129, 130, 143, 144, 145, 254,
            255, 256, 257, 269, 270, 271, 511, 512, 513, 1023, 1024, 1025, 1537, 2050, 65_535, 65_536,
            65_537,
        ];
        for count in classes {
            stream.literal(random.bytes(count));
            let len = 4 + random.below(8) as usize;
            stream.matched(1 + random.below(count as u64) as usize, len);
        }
        stream
    }

    /// Numbers of 8 bytes of which 3 are random: the zeros of one are copied from the one before.
    pub(super) fn numbers(random: &mut Random, count: usize) -> Self {
        let mut stream = Self::default();
        stream.literal(vec![0; 8]);
        for _ in 0..count {
            stream.literal(random.bytes(3));
            stream.matched(8, 5);
        }
        stream
    }

    /// Matches that begin at the page's first byte, near and far, which overlap themselves or do not.
    pub(super) fn to_start(random: &mut Random, len: usize) -> Self {
        let mut stream = Self::default();
        stream.literal(random.bytes(len));
        while stream.bytes.len() < 20 * len + 500 && stream.bytes.len() < 60_000 {
            let most = if random.chance(10) { 3000 } else { 70 };
            let count = 4 + random.below(most) as usize;
            stream.matched(stream.bytes.len(), count);
            if random.chance(30) {
                let count = 1 + random.below(260) as usize;
                stream.literal(random.bytes(count));
            }
        }
        stream
    }

    /// The shortest tokens that there are, one after the other.
    pub(super) fn dense(random: &mut Random, count: usize) -> Self {
        let mut stream = Self::default();
        stream.literal(random.bytes(4));
        for _ in 0..count {
            let offset = 1 + random.below(stream.bytes.len().min(2047) as u64) as usize;
            stream.matched(offset, 4 + random.below(8) as usize);
        }
        stream
    }

    /// One byte again and again.
    pub(super) fn zeros(len: usize) -> Self {
        let mut stream = Self::default();
        stream.literal(vec![0]);
        stream.matched(1, len - 1);
        stream
    }

    /// Nothing that repeats.
    pub(super) fn noise(random: &mut Random, len: usize) -> Self {
        let mut stream = Self::default();
        stream.literal(random.bytes(len));
        stream
    }

    /// As a codec writes it.
    pub(super) fn pack(&self, codec: Codec, random: &mut Random) -> Vec<u8> {
        match codec {
            // What libraries decompress, libraries compress.
            Codec::None | Codec::Zstd | Codec::Gzip => self.bytes.clone(),
            Codec::Snappy => snappy(&self.pieces, self.bytes.len(), random),
            Codec::Lz4Raw => lz4(&self.pieces),
        }
    }
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
            &Piece::Match { offset, len } => snappy_match(offset, len, random, &mut out),
        }
    }
    out
}

fn snappy_match(offset: usize, mut len: usize, random: &mut Random, out: &mut Vec<u8>) {
    while len > 0 {
        let count = len.min(64);
        // More bytes for the offset than it takes are allowed too.
        let wide = random.chance(5);
        if (4..12).contains(&count) && offset < 2048 && !wide {
            out.extend([((offset >> 8) << 5 | (count - 4) << 2 | 1) as u8, offset as u8]);
        } else if offset < 65536 && !wide {
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
