//! The structure of a Zstandard frame (RFC 8878): header, blocks, and within these the headers of literals and
//! sequences. Comes in: a piece and the size that its page's header says. Goes out: whether it is one frame of that
//! size, without a dictionary and a checksum, as far as its lengths tell.

use super::frame::Piece;

const MAGIC: u64 = 0xfd2f_b528;
/// The most bytes that come out of a block, whatever the window.
const BLOCK_BYTES_MAX: u64 = 128 << 10;
/// A sequence copies so many bytes at least.
const MATCH_BYTES_MIN: u64 = 3;

pub(super) fn check(piece: &Piece<'_>, plain_bytes: u64) -> Result<(), String> {
    let magic = piece.number(0, 4)?;
    if magic != MAGIC {
        return Err(format!(
            "it starts with {magic:#010x}, a zstd frame with {MAGIC:#010x}"
        ));
    }
    let header = Header::read(piece)?;
    match header.content {
        Some(says) if says == plain_bytes => {}
        Some(says) => {
            return Err(format!(
                "its frame says {says} bytes, the page's header {plain_bytes}"
            ));
        }
        // More than the room is what nvCOMP 6.0 meets with a fault of the device (seen on an H100, 2026-11-23).
        None => return Err("its frame does not say its size".to_owned()),
    }
    let block_max = BLOCK_BYTES_MAX.min(header.window.unwrap_or(plain_bytes));
    let mut blocks = Blocks {
        piece,
        block_max,
        at: header.bytes,
        least: 0,
        most: 0,
        tables: Tables::default(),
    };
    while blocks.next()? {}
    let Blocks { at, least, most, .. } = blocks;
    if at != piece.bytes {
        return Err(format!(
            "its frame ends after {at} bytes, the page after {}",
            piece.bytes
        ));
    }
    if plain_bytes < least || plain_bytes > most {
        return Err(format!(
            "its blocks hold {least} to {most} bytes, the page's header says {plain_bytes}"
        ));
    }
    Ok(())
}

struct Header {
    bytes: usize,
    /// `None` if it is the content's size.
    window: Option<u64>,
    content: Option<u64>,
}

impl Header {
    fn read(piece: &Piece<'_>) -> Result<Self, String> {
        let flags = piece.byte(4)?;
        if flags & 0x08 != 0 {
            return Err("a reserved flag of its frame is set".to_owned());
        }
        // The library does not promise to compare it. No writer of Parquet is known that adds one.
        if flags & 0x04 != 0 {
            return Err("its frame has a checksum".to_owned());
        }
        let is_single = flags & 0x20 != 0;
        let mut at = 5;
        let mut window = None;
        if !is_single {
            let byte = u64::from(piece.byte(at)?);
            let base = 1u64 << (10 + (byte >> 3));
            window = Some(base + base / 8 * (byte & 7));
            at += 1;
        }
        let dictionary = [0, 1, 2, 4][usize::from(flags & 3)];
        if piece.number(at, dictionary)? != 0 {
            return Err("its frame wants a dictionary".to_owned());
        }
        at += dictionary;
        let size_bytes = match flags >> 6 {
            0 => usize::from(is_single),
            flag => 1 << flag,
        };
        let size = piece.number(at, size_bytes)?;
        let content = match size_bytes {
            0 => None,
            // Up to 255 it would have taken a byte.
            2 => Some(size + 256),
            _ => Some(size),
        };
        Ok(Self {
            bytes: at + size_bytes,
            window,
            content,
        })
    }
}

/// Tables that a block may take over from those before it.
#[derive(Default)]
struct Tables {
    literals: bool,
    sequences: bool,
}

struct Blocks<'a> {
    piece: &'a Piece<'a>,
    block_max: u64,
    /// Where the next one starts.
    at: usize,
    /// Bounds of the bytes that those before it hold.
    least: u64,
    most: u64,
    tables: Tables,
}

impl Blocks<'_> {
    /// Passes over a block; whether another follows.
    fn next(&mut self) -> Result<bool, String> {
        let header = self.piece.number(self.at, 3)?;
        let (kind, size) = (header >> 1 & 3, header >> 3);
        if size > self.block_max {
            return Err(format!(
                "a block of {size} bytes, at most {} are allowed",
                self.block_max
            ));
        }
        self.at += 3;
        let (stored, least, most) = match kind {
            0 => (size, size, size),
            1 => (1, size, size),
            2 => (size, self.compressed(size as usize)?, self.block_max),
            _ => return Err("a block of no kind that zstd has".to_owned()),
        };
        self.at += stored as usize;
        self.least += least;
        self.most += most;
        if self.at > self.piece.bytes {
            return Err(format!(
                "a block ends after {} bytes, the page after {}",
                self.at, self.piece.bytes
            ));
        }
        Ok(header & 1 == 0)
    }

    /// The least bytes that come out of a compressed block.
    fn compressed(&mut self, size: usize) -> Result<u64, String> {
        let end = self.at + size;
        let (literals, section) = self.literals()?;
        let mut at = self.at + section;
        let sequences = match self.piece.byte(at)? {
            first @ 0..128 => u64::from(first),
            first @ 128..255 => u64::from(first - 128) << 8 | u64::from(self.piece.byte(at + 1)?),
            255 => self.piece.number(at + 1, 2)? + 0x7f00,
        };
        at += match self.piece.byte(at)? {
            0..128 => 1,
            128..255 => 2,
            255 => 3,
        };
        if sequences > 0 {
            let modes = self.piece.byte(at)?;
            at += 1;
            let takes_over = [modes >> 6, modes >> 4 & 3, modes >> 2 & 3].contains(&3);
            if modes & 3 != 0 || takes_over && !self.tables.sequences {
                return Err(format!("sequences of a block with modes {modes:#04x}"));
            }
            self.tables.sequences = true;
            // The bits are read from behind, where a set one tells their end.
            if at < end && self.piece.byte(end - 1)? == 0 {
                return Err("the sequences of a block have no end".to_owned());
            }
            at += 1;
        }
        if at > end || sequences == 0 && at != end {
            return Err(format!(
                "the parts of a block take {} of its {size} bytes",
                at - (end - size)
            ));
        }
        let least = literals + sequences * MATCH_BYTES_MIN;
        match least > self.block_max {
            true => Err(format!(
                "a block holds {least} bytes, at most {} are allowed",
                self.block_max
            )),
            false => Ok(least),
        }
    }

    /// How many literals a block has, and the bytes of their section.
    fn literals(&mut self) -> Result<(u64, usize), String> {
        let first = self.piece.byte(self.at)?;
        let (kind, format) = (first & 3, first >> 2 & 3);
        let (count, section) = if kind < 2 {
            let (header, shift) = match format {
                0 | 2 => (1, 3),
                1 => (2, 4),
                _ => (3, 4),
            };
            let count = self.piece.number(self.at, header)? >> shift;
            (count, header + if kind == 0 { count as usize } else { 1 })
        } else {
            let (header, bits) = match format {
                0 | 1 => (3, 10),
                2 => (4, 14),
                _ => (5, 18),
            };
            let sizes = self.piece.number(self.at, header)? >> 4;
            let mask = (1u64 << bits) - 1;
            let (count, packed) = (sizes & mask, (sizes >> bits & mask) as usize);
            // Four streams have a table of where they start, of 6 bytes.
            let least = if format == 0 { 1 } else { 10 };
            if packed < least || kind == 3 && !self.tables.literals {
                return Err(format!("literals of a block of kind {kind} in {packed} bytes"));
            }
            self.tables.literals = true;
            if self.piece.byte(self.at + header + packed - 1)? == 0 {
                return Err("the literals of a block have no end".to_owned());
            }
            (count, header + packed)
        };
        match count > self.block_max {
            true => Err(format!(
                "{count} literals of a block, at most {} are allowed",
                self.block_max
            )),
            false => Ok((count, section)),
        }
    }
}
