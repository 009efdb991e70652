//! Parquet's encodings, written plainly, for pages whose contents are known. Comes in: values and a source of random
//! choices. Goes out: bytes as a writer might make them, also in ways that no writer does but the format allows.

use super::Random;

/// Bits packed from the least significant one.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    bits: usize,
}

impl BitWriter {
    pub(super) fn push(&mut self, value: u64, width: u32) {
        for bit in 0..width {
            if self.bits.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if value >> bit & 1 == 1 {
                self.bytes[self.bits / 8] |= 1 << (self.bits % 8);
            }
            self.bits += 1;
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 127 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint((value << 1 ^ value >> 63).cast_unsigned(), out);
}

/// Run-length and bit-packed runs, mixed at random: repeats as short as one, packed runs cut anywhere.
pub(super) fn hybrid(values: &[u32], width: u32, random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < values.len() {
        let left = values.len() - at;
        let repeats = values[at..]
            .iter()
            .take_while(|&&value| value == values[at])
            .count();
        if repeats >= 8 && random.chance(80) || random.chance(20) {
            let count = 1 + random.below(repeats as u64) as usize;
            varint((count as u64) << 1, &mut out);
            out.extend(&values[at].to_le_bytes()[..width.div_ceil(8) as usize]);
            at += count;
        } else {
            // Only the last run may hold fewer values than its groups of eight.
            let groups = if left < 8 {
                1
            } else {
                1 + random.below((left / 8).min(70) as u64) as usize
            };
            let count = (groups * 8).min(left);
            let mut bits = BitWriter::default();
            for i in 0..groups * 8 {
                bits.push(u64::from(values.get(at + i).copied().unwrap_or(0)), width);
            }
            varint((groups as u64) << 1 | 1, &mut out);
            out.extend(bits.finish());
            at += count;
        }
    }
    out
}

/// Differences in blocks of random shape.
pub(super) fn delta(values: &[i64], random: &mut Random) -> Vec<u8> {
    let miniblock = 32 * (1 + random.below(2) as usize);
    let miniblocks = 1 << random.below(3);
    let block = miniblock * miniblocks;
    let mut out = Vec::new();
    varint(block as u64, &mut out);
    varint(miniblocks as u64, &mut out);
    varint(values.len() as u64, &mut out);
    zigzag(values.first().copied().unwrap_or(0), &mut out);
    let differences: Vec<i64> = values
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    for piece in differences.chunks(block) {
        let least = piece.iter().copied().min().unwrap_or(0);
        zigzag(least, &mut out);
        let widths: Vec<u32> = piece
            .chunks(miniblock)
            .map(|mini| {
                mini.iter()
                    .map(|d| 64 - d.wrapping_sub(least).leading_zeros())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        // The widths of miniblocks without values may be anything.
        out.extend((0..miniblocks).map(|m| widths.get(m).map_or(random.bits() as u8, |&width| width as u8)));
        for (mini, &width) in piece.chunks(miniblock).zip(&widths) {
            let mut bits = BitWriter::default();
            for i in 0..miniblock {
                bits.push(
                    mini.get(i).map_or(0, |d| d.wrapping_sub(least).cast_unsigned()),
                    width,
                );
            }
            out.extend(bits.finish());
        }
    }
    out
}

/// Byte arrays, each with its length in front.
pub(super) fn plain_strings(values: &[Vec<u8>]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| [&(value.len() as u32).to_le_bytes()[..], value].concat())
        .collect()
}

/// Lengths as differences, then all bytes.
pub(super) fn delta_strings(values: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let lengths: Vec<i64> = values.iter().map(|value| value.len() as i64).collect();
    [delta(&lengths, random), values.concat()].concat()
}

/// The first bytes of all values, then the second bytes, and so on.
pub(super) fn byte_stream_split(values: &[Vec<u8>], width: usize) -> Vec<u8> {
    (0..width)
        .flat_map(|byte| values.iter().map(move |value| value[byte]))
        .collect()
}

/// Lengths of what each value shares with the one before as differences, then the rests. As much is shared as is, or
/// less.
pub(super) fn delta_byte_arrays(values: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let (mut shared, mut rests) = (Vec::new(), Vec::new());
    let mut last: &[u8] = &[];
    for value in values {
        let most = last.iter().zip(value).take_while(|(a, b)| a == b).count();
        let prefix = if random.chance(10) {
            random.below(most as u64 + 1) as usize
        } else {
            most
        };
        shared.push(prefix as i64);
        rests.push(value[prefix..].to_vec());
        last = value;
    }
    [delta(&shared, random), delta_strings(&rests, random)].concat()
}
