//! Whether a piece of a batched codec may go to a library that promises nothing for damaged ones. Comes in: a page's
//! compressed bytes on the host, and the size that its header says. Goes out: yes, or what speaks against it.
//!
//! Read is what lies between the compressed bytes proper: headers, lengths, trailers. Pieces of another format, cut ones
//! and ones with false sizes are found so; what is wrong within a block's compressed bytes is not. A piece that is
//! refused need not be damaged: the host's readers know more kinds.

use super::Codec;
use super::zstd_frame;

/// Reads bytes of a piece from a place on, if they are all there.
pub(super) struct Piece<'a> {
    pub(super) bytes: usize,
    read: &'a dyn Fn(usize, &mut [u8]) -> bool,
}

impl Piece<'_> {
    pub(super) fn read<const N: usize>(&self, at: usize) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        let inside = at.checked_add(N).is_some_and(|end| end <= self.bytes);
        if inside && (self.read)(at, &mut bytes) {
            return Ok(bytes);
        }
        Err(format!(
            "{N} bytes from {at} on are not in a piece of {}",
            self.bytes
        ))
    }

    pub(super) fn byte(&self, at: usize) -> Result<u8, String> {
        Ok(self.read::<1>(at)?[0])
    }

    /// A number of up to 8 bytes, the lowest first.
    pub(super) fn number(&self, at: usize, bytes: usize) -> Result<u64, String> {
        (0..bytes).try_fold(0, |number, index| {
            Ok(number | u64::from(self.byte(at + index)?) << (8 * index))
        })
    }
}

/// Whether a piece of `bytes` compressed bytes is one frame of its format, of `plain_bytes` as far as it says. `read`
/// fills a slice with its bytes from a place on, or says that they are not there.
///
/// # Errors
/// What was found and what was expected.
pub fn check(
    codec: Codec,
    bytes: usize,
    plain_bytes: usize,
    read: &dyn Fn(usize, &mut [u8]) -> bool,
) -> Result<(), String> {
    let piece = Piece { bytes, read };
    match codec {
        Codec::Zstd => zstd_frame::check(&piece, plain_bytes as u64),
        Codec::Gzip => gzip(&piece, plain_bytes),
        Codec::None | Codec::Snappy | Codec::Lz4Raw => Ok(()),
    }
}

/// Bytes before and after the compressed ones of a member without a name and the like (RFC 1952).
const GZIP_HEADER_BYTES: usize = 10;
const GZIP_TRAILER_BYTES: usize = 8;
/// The most that one compressed byte stands for: 258 bytes for two bits of a match.
const DEFLATE_EXPANSION_MAX: usize = 1032;

/// Of several members only the last has its size where it is looked for: it would be the page's only if all others were
/// empty.
fn gzip(piece: &Piece<'_>, plain_bytes: usize) -> Result<(), String> {
    let around = GZIP_HEADER_BYTES + GZIP_TRAILER_BYTES;
    let Some(packed) = piece.bytes.checked_sub(around).filter(|&packed| packed >= 2) else {
        return Err(format!(
            "{} bytes, a gzip member has {} at least",
            piece.bytes,
            around + 2
        ));
    };
    let [first, second, method, flags] = piece.read(0)?;
    if (first, second, method) != (0x1f, 0x8b, 8) {
        return Err(format!(
            "it starts with {first:02x} {second:02x} {method:02x}, a gzip member with 1f 8b 08"
        ));
    }
    if flags != 0 {
        return Err(format!("a gzip header with flags {flags:#04x}"));
    }
    let says = piece.number(piece.bytes - 4, 4)?;
    if says != plain_bytes as u64 {
        return Err(format!(
            "its trailer says {says} bytes, the page's header {plain_bytes}"
        ));
    }
    if plain_bytes > packed.saturating_mul(DEFLATE_EXPANSION_MAX) {
        return Err(format!(
            "{plain_bytes} bytes cannot come out of {packed} compressed ones"
        ));
    }
    let block = piece.read::<2>(GZIP_HEADER_BYTES)?;
    match block[0] >> 1 & 3 {
        3 => Err("its first block is of no kind that deflate has".to_owned()),
        0 => stored(piece, plain_bytes),
        // One that ends at once.
        1 if block == [3, 0] && plain_bytes > 0 => Err("its first member is empty".to_owned()),
        _ => Ok(()),
    }
}

/// The first block is bytes as they are: their number comes twice, once inverted.
fn stored(piece: &Piece<'_>, plain_bytes: usize) -> Result<(), String> {
    let [flags, low, high, not_low, not_high] = piece.read(GZIP_HEADER_BYTES)?;
    let bytes = usize::from(u16::from_le_bytes([low, high]));
    if (not_low, not_high) != (!low, !high) {
        return Err("its first block has two lengths".to_owned());
    }
    let end = GZIP_HEADER_BYTES + 5 + bytes + GZIP_TRAILER_BYTES;
    if bytes > plain_bytes || end > piece.bytes {
        return Err(format!(
            "its first block has {bytes} bytes, the page {plain_bytes}"
        ));
    }
    if flags & 1 == 1 && bytes != plain_bytes {
        return Err(format!(
            "its first member has {bytes} bytes, the page {plain_bytes}"
        ));
    }
    Ok(())
}
