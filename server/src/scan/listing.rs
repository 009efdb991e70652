//! Pages of a chunk as their headers are found, one after the other.
//!
//! In: headers, and how to make bodies. Out: descriptions for the device. What a header claims of rows, levels and
//! encodings is checked here, against the row group or the offset index. It reads no bytes.

use kernels::parquet::{Encoding, LEVELS_PREFIXED};

use super::chunk::ChosenPages;
use super::form::Form;
use super::kept::KeptPage;
use super::names::ChunkName;
use super::page_header::{PageHeader, PageKind};
use super::pages::{Body, ChunkPages, HostPage, NoPages};

/// Pages as they are found, and what is left to find.
pub(super) struct Listing<'a> {
    form: Form,
    pub(super) rows_left: usize,
    name: &'a ChunkName,
    pub(super) pages: ChunkPages,
}

impl<'a> Listing<'a> {
    pub(super) fn new(form: Form, rows: usize, name: &'a ChunkName) -> Self {
        Self {
            form,
            rows_left: rows,
            name,
            pages: ChunkPages::default(),
        }
    }

    pub(super) fn malformed(&self, number: usize, what: impl std::fmt::Display) -> NoPages {
        NoPages::Malformed(self.name.page_error(number, what))
    }

    /// Of those of its pages that are read.
    pub(super) fn of_chosen(form: Form, chosen: &ChosenPages, name: &'a ChunkName) -> Self {
        let rows = chosen.data.iter().map(|page| page.rows as usize).sum();
        Self::new(form, rows, name)
    }

    /// As [`Self::add`], for a page that must be what the offset index says it is: a data page with so many rows, or the
    /// dictionary.
    pub(super) fn add_chosen(
        &mut self,
        number: usize,
        header: &PageHeader,
        kept: Option<&KeptPage>,
        body: impl FnOnce(u32, Option<u32>) -> Result<Body, String>,
    ) -> Result<(), NoPages> {
        let is_data = matches!(header.kind, PageKind::Data { .. } | PageKind::DataV2 { .. });
        let Some(kept) = kept else {
            return match is_data {
                true => Err(self.malformed(number, "a data page before those of the offset index")),
                false => self.add(number, header, body),
            };
        };
        if !is_data || header.values != kept.rows {
            let what = format!(
                "{} values, the offset index has a data page of {} rows",
                header.values, kept.rows
            );
            return Err(self.malformed(number, what));
        }
        self.add(number, header, body)?;
        if let Some(page) = self.pages.data.last_mut() {
            page.kept.clone_from(&kept.kept);
        }
        Ok(())
    }

    /// Adds a page. `body` makes its body, given how many bytes to leave out in front, and how many after those are
    /// not compressed, `None` if nothing is.
    pub(super) fn add(
        &mut self,
        number: usize,
        header: &PageHeader,
        body: impl FnOnce(u32, Option<u32>) -> Result<Body, String>,
    ) -> Result<(), NoPages> {
        match header.kind {
            PageKind::Other => Ok(()),
            PageKind::Dictionary => self.add_dictionary(number, header, body),
            PageKind::Data { level_encoding } => {
                // 3 is RLE; what came before it is not written any more.
                if self.form.max_level > 0 && level_encoding != 3 {
                    return Err(NoPages::Unsupported(format!(
                        "levels in encoding {level_encoding}"
                    )));
                }
                let body = body(0, Some(0)).map_err(|what| self.malformed(number, what))?;
                self.add_data(number, header, body, LEVELS_PREFIXED)
            }
            PageKind::DataV2 {
                rows,
                definition_bytes,
                repetition_bytes,
                is_compressed,
            } => {
                let levels = u64::from(definition_bytes) + u64::from(repetition_bytes);
                if levels > u64::from(header.compressed_bytes) {
                    return Err(self.malformed(number, format!("{levels} bytes of levels, more than it has")));
                }
                if rows != header.values {
                    let what = format!(
                        "{rows} rows and {} values, which are one in a flat column",
                        header.values
                    );
                    return Err(self.malformed(number, what));
                }
                let (skipped, kept) = match self.form.max_level {
                    0 => (repetition_bytes + definition_bytes, 0),
                    _ => (repetition_bytes, definition_bytes),
                };
                // Nothing is compressed if no byte is left for values.
                let packed = is_compressed && levels < u64::from(header.compressed_bytes);
                let body =
                    body(skipped, packed.then_some(kept)).map_err(|what| self.malformed(number, what))?;
                self.add_data(number, header, body, kept)
            }
        }
    }

    fn add_dictionary(
        &mut self,
        number: usize,
        header: &PageHeader,
        body: impl FnOnce(u32, Option<u32>) -> Result<Body, String>,
    ) -> Result<(), NoPages> {
        if self.pages.dictionary.is_some() || !self.pages.data.is_empty() {
            return Err(self.malformed(number, "a dictionary after other pages"));
        }
        if !matches!(header.encoding, 0 | 2) || self.form.encoding(8).is_none() {
            return Err(NoPages::Unsupported(format!(
                "a dictionary in encoding {}",
                header.encoding
            )));
        }
        // So that a false number does not ask for memory: each entry takes bytes of the page.
        let smallest = if self.form.is_string() {
            4
        } else {
            u64::from(self.form.source_bytes)
        };
        if u64::from(header.values) * smallest > u64::from(header.uncompressed_bytes) {
            let what = format!(
                "{} entries of {smallest} bytes at least, in {} bytes",
                header.values, header.uncompressed_bytes
            );
            return Err(self.malformed(number, what));
        }
        let body = body(0, Some(0)).map_err(|what| self.malformed(number, what))?;
        self.pages.dictionary = Some(HostPage {
            number,
            body,
            rows: header.values,
            kept: Vec::new(),
            encoding: Encoding::Plain,
            level_bytes: 0,
            max_level: 0,
        });
        Ok(())
    }

    fn add_data(
        &mut self,
        number: usize,
        header: &PageHeader,
        body: Body,
        level_bytes: u32,
    ) -> Result<(), NoPages> {
        let Some(encoding) = self.form.encoding(header.encoding) else {
            return Err(NoPages::Unsupported(format!(
                "encoding {} of its pages",
                header.encoding
            )));
        };
        if encoding == Encoding::Dictionary && self.pages.dictionary.is_none() {
            return Err(self.malformed(number, "it refers to a dictionary, and there is none"));
        }
        let rows = header.values as usize;
        if rows > self.rows_left {
            let what = format!("{rows} rows, {} are left of the row group", self.rows_left);
            return Err(self.malformed(number, what));
        }
        self.rows_left -= rows;
        self.pages.data.push(HostPage {
            number,
            body,
            rows: header.values,
            kept: Vec::new(),
            encoding,
            level_bytes: if self.form.max_level == 0 { 0 } else { level_bytes },
            max_level: self.form.max_level,
        });
        Ok(())
    }
}
