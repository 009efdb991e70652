//! Bytes of a file in host memory, in pieces, with the way that parquet's own readers take to them.
//!
//! In: pieces that lie one after the other in a file. Out: any range of them. It reads nothing itself.

use std::io::Read;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};
use kernels::PinnedBytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes that were read: pinned, or ordinary memory where the pinned pool was used up.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Pinned { bytes: PinnedBytes, _held: Arc<Held> },
    Ordinary(Bytes),
}

/// Counts pinned bytes that wait to be decoded, of all scans.
#[derive(Debug)]
pub(super) struct Held(usize);

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);

impl Held {
    fn new(bytes: usize) -> Arc<Self> {
        HELD_BYTES.fetch_add(bytes, Ordering::Relaxed);
        Arc::new(Self(bytes))
    }

    /// All that are held now.
    pub(super) fn bytes() -> usize {
        HELD_BYTES.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD_BYTES.fetch_sub(self.0, Ordering::Relaxed);
    }
}

impl Piece {
    /// Pinned bytes, their whole slab counted until the last clone is gone.
    pub(super) fn pinned(bytes: PinnedBytes, slab_bytes: usize) -> Self {
        let _held = Held::new(slab_bytes);
        Self::Pinned { bytes, _held }
    }
}

impl Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Pinned { bytes, .. } => bytes,
            Self::Ordinary(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A range of a file, and its bytes. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) start: u64,
    /// Offset in the file after each piece.
    ends: Arc<[u64]>,
    pieces: Arc<[Piece]>,
}

impl Span {
    /// Pieces that lie one after the other from `start` on.
    pub(super) fn new(start: u64, pieces: Vec<Piece>) -> Self {
        let mut end = start;
        let ends = pieces
            .iter()
            .map(|piece| {
                end += piece.len() as u64;
                end
            })
            .collect();
        Self {
            start,
            ends,
            pieces: pieces.into(),
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.ends.last().copied().unwrap_or(self.start)
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The bytes of a range of the file, copied only if they lie in more than one piece; `None` if they are not all
    /// here.
    pub(super) fn bytes(&self, range: Range<u64>) -> Option<Bytes> {
        if range.start < self.start || range.end > self.end() || range.start > range.end {
            return None;
        }
        if range.is_empty() {
            return Some(Bytes::new());
        }
        let first = self.ends.partition_point(|&end| end <= range.start);
        let piece_start = |index: usize| match index {
            0 => self.start,
            index => self.ends[index - 1],
        };
        if range.end <= self.ends[first] {
            let offset = (range.start - piece_start(first)) as usize;
            let length = (range.end - range.start) as usize;
            return Some(match &self.pieces[first] {
                Piece::Ordinary(bytes) => bytes.slice(offset..offset + length),
                pinned => Bytes::from_owner(pinned.clone()).slice(offset..offset + length),
            });
        }
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        let mut index = first;
        while index < self.pieces.len() && piece_start(index) < range.end {
            let start = range.start.saturating_sub(piece_start(index)) as usize;
            let end = (range.end.min(self.ends[index]) - piece_start(index)) as usize;
            bytes.extend_from_slice(&self.pieces[index][start..end]);
            index += 1;
        }
        Some(bytes.into())
    }
}

/// A file of which only some spans are here.
#[derive(Debug, Clone)]
pub(super) struct PartOfFile {
    pub(super) file_bytes: u64,
    pub(super) spans: Vec<Span>,
}

impl PartOfFile {
    fn missing(&self, start: u64) -> ParquetError {
        ParquetError::EOF(format!("byte {start} is outside of the column chunk"))
    }

    fn span(&self, start: u64) -> Result<&Span, ParquetError> {
        self.spans
            .iter()
            .find(|span| (span.start..span.end()).contains(&start))
            .ok_or_else(|| self.missing(start))
    }
}

impl Length for PartOfFile {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for PartOfFile {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let span = self.span(start)?.clone();
        Ok(Box::new(SpanReader { span, at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start
            .checked_add(length as u64)
            .ok_or_else(|| self.missing(start))?;
        self.span(start)?
            .bytes(start..end)
            .ok_or_else(|| self.missing(end))
    }
}

struct SpanReader {
    span: Span,
    at: u64,
}

impl Read for SpanReader {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let end = self.span.end().min(self.at + target.len() as u64);
        let mut bytes = self.span.bytes(self.at..end).unwrap_or_default();
        let count = bytes.len();
        bytes.copy_to_slice(&mut target[..count]);
        self.at = end;
        Ok(count)
    }
}
