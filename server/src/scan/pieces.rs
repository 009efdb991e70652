//! Bytes of a file in host memory, in pieces, with the way that parquet's own readers take to them.
//!
//! In: pieces, and which ranges of files they hold. Out: any part of them. It reads nothing itself.

use std::borrow::Cow;
use std::io::Read;
use std::ops::{Deref, Range};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use kernels::PinnedBytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes that were read: pinned, or ordinary memory where the pinned pool was used up.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Pinned(PinnedBytes),
    Ordinary(Bytes),
}

impl Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Pinned(bytes) => bytes,
            Self::Ordinary(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Ranges of files one after the other in memory, cut into pieces of one size but the last. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Image {
    step: usize,
    bytes: usize,
    pieces: Arc<[Piece]>,
}

impl Image {
    /// Pieces of `step` bytes each; the last may have less.
    pub(super) fn new(step: usize, pieces: Vec<Piece>) -> Self {
        Self {
            step: step.max(1),
            bytes: pieces.iter().map(|piece| piece.len()).sum(),
            pieces: pieces.into(),
        }
    }

    pub(super) fn len_bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The bytes of a range, copied only if they lie in more than one piece. The range must lie inside.
    fn read(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        let (first, offset) = (range.start / self.step, range.start % self.step);
        let length = range.len();
        if length == 0 {
            return Cow::Borrowed(&[]);
        }
        if offset + length <= self.step {
            return Cow::Borrowed(&self.pieces[first][offset..offset + length]);
        }
        let mut bytes = Vec::with_capacity(length);
        for (index, piece) in self.pieces.iter().enumerate().skip(first) {
            let start = range.start.saturating_sub(index * self.step);
            let end = piece.len().min(range.end - index * self.step);
            bytes.extend_from_slice(&piece[start..end]);
            if bytes.len() == length {
                break;
            }
        }
        Cow::Owned(bytes)
    }

    /// As [`Self::read`], sharing the memory.
    fn share(&self, range: Range<usize>) -> Bytes {
        let (first, offset) = (range.start / self.step, range.start % self.step);
        if range.is_empty() || offset + range.len() > self.step {
            return self.read(range).into_owned().into();
        }
        match &self.pieces[first] {
            Piece::Ordinary(bytes) => bytes.slice(offset..offset + range.len()),
            pinned => Bytes::from_owner(pinned.clone()).slice(offset..offset + range.len()),
        }
    }
}

/// A range of a file, and where its bytes are. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Span {
    /// Of the file.
    start: u64,
    bytes: usize,
    /// Of the image.
    at: usize,
    image: Image,
}

impl Span {
    /// The `bytes` of a file from `start` on, which lie at `at` of the image.
    pub(super) fn new(start: u64, bytes: usize, at: usize, image: Image) -> Self {
        Self {
            start,
            bytes,
            at,
            image,
        }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes as u64
    }

    /// Where byte `at` of the file lies in the image.
    fn place(&self, at: u64) -> usize {
        self.at + (at - self.start) as usize
    }

    fn range(&self, range: Range<u64>) -> Option<Range<usize>> {
        let is_here = self.start <= range.start && range.start <= range.end && range.end <= self.end();
        is_here.then(|| self.place(range.start)..self.place(range.end))
    }

    fn read(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        Some(self.image.read(self.range(range)?))
    }

    fn bytes(&self, range: Range<u64>) -> Option<Bytes> {
        Some(self.image.share(self.range(range)?))
    }
}

/// Ranges of one file that were read, ascending. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Spans(Arc<[Span]>);

impl Spans {
    pub(super) fn new(spans: &[Span]) -> Self {
        Self(spans.into())
    }

    /// The span that a byte of the file, or the end of what was read, belongs to.
    fn span(&self, at: u64) -> Option<&Span> {
        let after = self.0.partition_point(|span| span.start <= at);
        self.0[..after].last()
    }

    /// Where byte `at` of the file lies in the image, if it was read.
    pub(super) fn place(&self, at: u64) -> Option<usize> {
        let span = self.span(at).filter(|span| at <= span.end())?;
        Some(span.place(at))
    }

    /// The bytes of a range of the file, copied only if they lie in more than one piece; `None` if they are not all
    /// here.
    pub(super) fn read(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        self.span(range.start)?.read(range)
    }

    /// As [`Self::read`], sharing the memory.
    fn bytes(&self, range: Range<u64>) -> Option<Bytes> {
        self.span(range.start)?.bytes(range)
    }
}

/// A file of which only some spans are here.
#[derive(Debug, Clone)]
pub(super) struct PartOfFile {
    pub(super) file_bytes: u64,
    pub(super) spans: Spans,
}

impl PartOfFile {
    fn missing(&self, start: u64) -> ParquetError {
        ParquetError::EOF(format!("byte {start} is outside of the column chunk"))
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
        let span = self.spans.span(start).filter(|span| start < span.end());
        let span = span.ok_or_else(|| self.missing(start))?.clone();
        Ok(Box::new(SpanReader { span, at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start
            .checked_add(length as u64)
            .ok_or_else(|| self.missing(start))?;
        self.spans.bytes(start..end).ok_or_else(|| self.missing(end))
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
