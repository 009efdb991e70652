//! Which page an item of the error word is.
//!
//! In: a number that a kernel raised. Out: an error that names file, column, page and row group. It launches nothing.

use std::sync::Arc;

use kernels::{ErrorWord, Raised, Stream};

use crate::error::{Error, Result};
use crate::error_device::on_device;

/// A column chunk, by the names that a person knows.
#[derive(Debug, Clone)]
pub(super) struct ChunkName {
    pub(super) file: Arc<str>,
    pub(super) column: Arc<str>,
    pub(super) row_group: usize,
}

impl ChunkName {
    /// An error about one of its pages, counted from 0, the dictionary's page among them.
    pub(super) fn page_error(&self, page: usize, what: impl std::fmt::Display) -> Error {
        Error::data(format!(
            "{}, column {}, page {page} (row group {}): {what}",
            self.file, self.column, self.row_group
        ))
    }

    /// An error about all of it.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::data(format!(
            "{}, column {} (row group {}): {what}",
            self.file, self.column, self.row_group
        ))
    }
}

/// The pages of a decode, by the numbers that its error word reports.
#[derive(Debug, Default)]
pub struct PageNames {
    chunks: Vec<ChunkName>,
    /// For each item its chunk and its number there.
    pages: Vec<(u32, u32)>,
}

impl PageNames {
    /// Pages noted from now on belong to this chunk.
    pub(super) fn start(&mut self, chunk: ChunkName) {
        self.chunks.push(chunk);
    }

    /// The item of a page of the last chunk.
    pub(super) fn item(&mut self, page: usize) -> u32 {
        self.pages
            .push((self.chunks.len().saturating_sub(1) as u32, page as u32));
        (self.pages.len() - 1) as u32
    }

    /// What was raised, as an error of the data.
    pub fn error(&self, raised: &Raised) -> Error {
        let named = usize::try_from(raised.first_item)
            .ok()
            .and_then(|item| self.pages.get(item))
            .and_then(|&(chunk, page)| Some((self.chunks.get(chunk as usize)?, page)));
        match named {
            Some((chunk, page)) => {
                chunk.page_error(page as usize, format_args!("malformed, {}", raised.flags))
            }
            None => Error::data(format!("a malformed Parquet page: {}", raised.flags)),
        }
    }
}

/// What a decode found wrong, to be asked once its work is over.
#[derive(Debug)]
pub struct PageCheck {
    pub(super) word: ErrorWord,
    pub(super) names: PageNames,
}

impl PageCheck {
    /// Waits for the decode, and fails if a page of it was malformed: its batch must not be used then.
    ///
    /// # Errors
    /// `Data`, naming file, column and page.
    pub fn check_sync(&self, stream: &Stream) -> Result<()> {
        match self.word.read_sync(stream).map_err(on_device)? {
            None => Ok(()),
            Some(raised) => Err(self.names.error(&raised)),
        }
    }

    /// The word and the names, for a caller that reads the word with its own.
    pub fn parts(&self) -> (&ErrorWord, &PageNames) {
        (&self.word, &self.names)
    }
}
