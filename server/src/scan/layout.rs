//! Where everything of a decode lies in device memory.
//!
//! In: a partition in host memory. Out: for each page, which buffer it goes to and where; how large the buffers are.
//! Plain bytes that strings refer to lie apart from those that are free again after the decode. It allocates nothing.

use std::ops::Range;

use kernels::compress::{Codec, Decompressor, Unpacker};
use kernels::parquet::{Encoding, Page, PageDecoder, SLACK_BYTES};
use kernels::{ErrorWord, Reservation};

use super::fetched::{Fetched, FetchedColumn, GroupPages};
use super::form::Form;
use super::names::{ChunkName, PageNames};
use super::pages::{Body, HostPage};
use super::partition::repr_of;
use crate::batch::{Repr, bitmap_bytes, upload_bytes};
use crate::error::Result;
use crate::error_device::on_device;

/// A buffer that page bodies lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// Bytes as they are in files.
    Packed,
    /// Plain bytes that the decode alone reads.
    Plain,
    /// Plain bytes that strings refer to.
    Text,
}

/// What a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Its entries go to this place of the dictionaries.
    Dictionary,
    Data,
    /// A run of a partition value.
    Run(usize),
}

/// A page, and where it goes.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) page: &'a HostPage,
    pub(super) column: usize,
    /// `None` for partition values.
    pub(super) form: Option<Form>,
    pub(super) role: Role,
    /// The part of it that is decoded here.
    pub(super) kept: Range<u32>,
    /// Whether another part stands before, which brought the body.
    pub(super) is_again: bool,
    pub(super) first_row: usize,
    /// Where the packed bytes are, of a body that lies in the file.
    pub(super) source: usize,
    /// Where the plain body is.
    pub(super) region: Region,
    pub(super) at: usize,
    /// Place and number of entries of the chunk's dictionary.
    pub(super) dictionary: (usize, u32),
    /// Whether the column becomes codes: then the place is one among the entries of its own.
    pub(super) is_coded: bool,
    pub(super) item: u32,
}

/// Where a page comes from and where its values go.
struct Place {
    first_row: usize,
    source: usize,
    dictionary: (usize, u32),
    is_coded: bool,
}

/// All pages, and the sizes of the buffers.
#[derive(Debug, Default)]
pub(super) struct Layout<'a> {
    pub(super) pages: Vec<Placed<'a>>,
    pub(super) names: PageNames,
    pub(super) packed_bytes: usize,
    pub(super) plain_bytes: usize,
    pub(super) text_bytes: usize,
    pub(super) dictionary_bytes: usize,
    /// Of each column that becomes codes, the entries of its dictionaries.
    pub(super) entries: Vec<Option<usize>>,
}

/// Dictionaries start at multiples of this. Bodies lie without gaps, so that every byte of their buffers is written:
/// kernels read whole words.
const ALIGNMENT: usize = 16;

impl<'a> Layout<'a> {
    pub(super) fn of(fetched: &'a Fetched) -> Self {
        let mut layout = Self {
            packed_bytes: fetched.image.len_bytes(),
            ..Self::default()
        };
        for (column, of_column) in fetched.columns.iter().enumerate() {
            // Bytes of the column's entries so far, if it becomes codes.
            let mut entry_bytes = of_column.is_coded().then_some(0);
            match of_column {
                FetchedColumn::Array(_) => {}
                FetchedColumn::Pages(groups) => {
                    for group in groups {
                        layout.names.start(group.name.clone());
                        layout.add_chunk(column, group, entry_bytes.as_mut());
                    }
                }
                FetchedColumn::Constant(runs) => {
                    layout.names.start(ChunkName {
                        file: "partition values".into(),
                        column: fetched.spec.column_name(column).into(),
                        row_group: 0,
                    });
                    for (run, page) in runs.pages.iter().enumerate() {
                        if let Some(page) = page {
                            let place = Place {
                                first_row: runs.rows[run].0,
                                source: 0,
                                dictionary: (0, 1),
                                is_coded: false,
                            };
                            layout.add(None, column, Role::Run(run), page, place);
                        }
                    }
                }
            }
            let entries = entry_bytes.map(|bytes| bytes / Repr::Str.width());
            layout.entries.push(entries);
        }
        layout
    }

    fn add_chunk(&mut self, column: usize, group: &'a GroupPages, entry_bytes: Option<&mut usize>) {
        let form = group.form;
        let mut dictionary = (0, 0);
        let is_coded = entry_bytes.is_some();
        // Pages were found in these spans.
        let place_of = |page: &HostPage| match (&page.body, &group.spans) {
            (Body::Plain { start, .. } | Body::Packed { start, .. }, Some(spans)) => {
                spans.place(*start).unwrap_or(0)
            }
            _ => 0,
        };
        if let Some(page) = &group.pages.dictionary {
            let bytes = page.rows as usize * form.output_bytes as usize;
            let end = entry_bytes.unwrap_or(&mut self.dictionary_bytes);
            dictionary = (*end, page.rows);
            *end += bytes.next_multiple_of(ALIGNMENT);
            let place = Place {
                first_row: 0,
                source: place_of(page),
                dictionary,
                is_coded,
            };
            self.add(Some(form), column, Role::Dictionary, page, place);
        }
        let mut first_row = group.first_row;
        for page in &group.pages.data {
            let place = Place {
                first_row,
                source: place_of(page),
                dictionary,
                is_coded,
            };
            self.add(Some(form), column, Role::Data, page, place);
            first_row += page.kept_rows();
        }
    }

    fn add(&mut self, form: Option<Form>, column: usize, role: Role, page: &'a HostPage, place: Place) {
        let refers = form.is_some_and(|form| form.is_string())
            && matches!(page.encoding, Encoding::Plain | Encoding::DeltaLengthByteArray);
        let (region, at) = match (&page.body, refers) {
            (Body::Plain { .. }, false) => (Region::Packed, place.source),
            (_, true) => {
                let at = self.text_bytes;
                self.text_bytes += page.body.len();
                (Region::Text, at)
            }
            (_, false) => {
                let at = self.plain_bytes;
                self.plain_bytes += page.body.len();
                (Region::Plain, at)
            }
        };
        let item = self.names.item(page.number);
        let (mut first_row, mut is_again) = (place.first_row, false);
        for kept in page.parts() {
            let rows = kept.len();
            self.pages.push(Placed {
                page,
                column,
                form,
                role,
                kept,
                is_again,
                first_row,
                source: place.source,
                region,
                at,
                dictionary: place.dictionary,
                is_coded: place.is_coded,
                item,
            });
            (first_row, is_again) = (first_row + rows, true);
        }
    }

    /// Device bytes that the decode takes, but for room that only [`PageDecoder::measure_sync`] knows.
    ///
    /// # Errors
    /// Of the device's library for codecs that its kernels do not know, if it does not say what it takes.
    pub(super) fn reservation_bytes(&self, fetched: &Fetched, unpacker: Option<Unpacker>) -> Result<usize> {
        let charged = Reservation::charged_bytes;
        let packed = match fetched.early {
            Some(_) => 0,
            None => charged(self.packed_bytes + SLACK_BYTES),
        };
        let mut bytes = ErrorWord::RESERVED_BYTES
            + packed
            + charged(self.plain_bytes + SLACK_BYTES)
            + charged(self.text_bytes + SLACK_BYTES)
            + charged(self.dictionary_bytes);
        for (column, of_column) in fetched.columns.iter().enumerate() {
            let repr = repr_of(&fetched.spec, column);
            let values = match self.entries[column] {
                Some(entries) => charged(repr.bytes(entries)) + charged(Repr::U32.bytes(fetched.rows)),
                None => charged(repr.bytes(fetched.rows)),
            };
            let output = values + charged(bitmap_bytes(fetched.rows));
            bytes += match of_column {
                FetchedColumn::Array(array) => upload_bytes(array),
                FetchedColumn::Pages(_) => output,
                FetchedColumn::Constant(runs) => {
                    let values = (0..runs.rows.len()).map(|run| upload_bytes(&runs.value(run)));
                    output + values.sum::<usize>()
                }
            };
        }
        let blobs = self
            .pages
            .iter()
            .map(|placed| super::addresses::blob_count(placed))
            .sum();
        bytes += Decompressor::scratch_bytes(blobs);
        if let Some(unpacker) = unpacker {
            let packed: Vec<(Codec, u32)> = self.pages.iter().filter_map(super::addresses::packed).collect();
            bytes += unpacker.scratch_bytes(&packed).map_err(on_device)?;
        }
        let addresses = super::addresses::Addresses::default();
        let of_role = |wanted: fn(Role) -> bool| -> Vec<Page> {
            let pages = self.pages.iter().filter(|placed| wanted(placed.role));
            pages.map(|placed| addresses.page(placed)).collect()
        };
        let dictionaries = of_role(|role| role == Role::Dictionary);
        let data = of_role(|role| role != Role::Dictionary);
        Ok(bytes
            + PageDecoder::scratch_bytes(&dictionaries)
            + PageDecoder::scratch_bytes(&data)
            // What measuring takes.
            + charged(size_of_val(data.as_slice()))
            + charged(data.len() * 8))
    }
}
