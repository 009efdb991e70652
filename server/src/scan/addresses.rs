//! What the kernels of a decode are told: where each page lies, and where its values go.
//!
//! In: where the layout put a page, and where the buffers are. Out: entries of the kernels' tables. It queues nothing.

use kernels::compress::{Blob, Codec};
use kernels::parquet::{Conversion, Page};

use super::layout::{Placed, Region, Role};
use super::pages::Body;
use crate::batch::Repr;

/// Where the buffers of a decode are.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) packed: u64,
    pub(super) plain: u64,
    pub(super) text: u64,
    pub(super) dictionaries: u64,
    /// Values or codes, and validity of each column, 0 for none.
    pub(super) columns: Vec<(u64, u64)>,
    /// What the codes of each column name, 0 for columns without.
    pub(super) coded: Vec<u64>,
    /// For each column, the entry of each run.
    pub(super) entries: Vec<Vec<u64>>,
    pub(super) reprs: Vec<Repr>,
}

/// Pieces to decompress or copy for a page.
pub(super) fn blob_count(placed: &Placed<'_>) -> usize {
    if placed.is_again {
        return 0;
    }
    match (&placed.page.body, placed.region) {
        (Body::Host(_), _) | (Body::Plain { .. }, Region::Packed) => 0,
        (Body::Plain { .. }, _) => 1,
        (Body::Packed { plain_bytes, .. }, _) => 1 + usize::from(*plain_bytes > 0),
    }
}

/// How the compressed piece of a page is packed, and its plain bytes.
pub(super) fn packed(placed: &Placed<'_>) -> Option<(Codec, u32)> {
    match placed.page.body {
        Body::Packed {
            unpacked_bytes,
            codec,
            ..
        } if !placed.is_again => Some((codec, unpacked_bytes)),
        _ => None,
    }
}

impl Addresses {
    fn of_region(&self, region: Region) -> u64 {
        match region {
            Region::Packed => self.packed,
            Region::Plain => self.plain,
            Region::Text => self.text,
        }
    }

    /// What the decoder is told of a page.
    pub(super) fn page(&self, placed: &Placed<'_>) -> Page {
        let (values, validity) = self.columns.get(placed.column).copied().unwrap_or_default();
        let (at, count) = placed.dictionary;
        let dictionary = match placed.role {
            Role::Run(run) => self.entries.get(placed.column).map_or(0, |entries| entries[run]),
            _ if count == 0 => 0,
            _ if placed.is_coded => self.coded.get(placed.column).copied().unwrap_or_default() + at as u64,
            _ => self.dictionaries + at as u64,
        };
        let is_code = placed.is_coded && placed.role == Role::Data;
        let (conversion, source_bytes, output_bytes) = match placed.form {
            Some(_) if is_code => (
                Conversion::Code,
                Repr::U32.width() as u32,
                Repr::U32.width() as u32,
            ),
            Some(form) => (form.conversion, form.source_bytes, form.output_bytes),
            None => match self.reprs.get(placed.column) {
                Some(Repr::Bool) => (Conversion::Boolean, 1, 0),
                Some(Repr::Str) => (Conversion::String, 0, 16),
                other => {
                    let width = other.map_or(0, |repr| repr.width()) as u32;
                    (Conversion::Same, width, width)
                }
            },
        };
        let is_dictionary = placed.role == Role::Dictionary;
        Page {
            section: self.of_region(placed.region) + placed.at as u64,
            output: if is_dictionary { dictionary } else { values },
            validity: if is_dictionary { 0 } else { validity },
            dictionary: if is_dictionary { 0 } else { dictionary },
            scratch: 0,
            first_row: placed.first_row as u64,
            section_bytes: placed.page.body.len() as u32,
            rows: placed.page.rows,
            level_bytes: placed.page.level_bytes,
            max_level: placed.page.max_level,
            dictionary_count: if is_dictionary { 0 } else { count },
            first_tile: 0,
            encoding: placed.page.encoding as u32,
            conversion: conversion as u32,
            source_bytes,
            output_bytes,
            item: placed.item,
            code_base: match is_code {
                true => (at / Repr::Str.width()) as u32,
                false => 0,
            },
            skip: placed.kept.start,
            kept: placed.kept.len() as u32,
            filled: [0; 5],
        }
    }

    /// Adds the pieces of a page.
    pub(super) fn add_blobs(&self, placed: &Placed<'_>, blobs: &mut Vec<Blob>) {
        if placed.is_again {
            return;
        }
        let source = self.packed + placed.source as u64;
        let target = self.of_region(placed.region) + placed.at as u64;
        let blob = |skipped: u32, source_bytes: u32, target_bytes: u32, codec: Codec| Blob {
            source: source + u64::from(skipped),
            target: target + u64::from(skipped),
            source_bytes,
            target_bytes,
            codec: codec as u32,
            item: placed.item,
        };
        match placed.page.body {
            Body::Plain { bytes, .. } if placed.region != Region::Packed => {
                blobs.push(blob(0, bytes, bytes, Codec::None));
            }
            Body::Packed {
                plain_bytes,
                packed_bytes,
                unpacked_bytes,
                codec,
                ..
            } => {
                if plain_bytes > 0 {
                    blobs.push(blob(0, plain_bytes, plain_bytes, Codec::None));
                }
                blobs.push(blob(plain_bytes, packed_bytes, unpacked_bytes, codec));
            }
            Body::Plain { .. } | Body::Host(_) => {}
        }
    }
}
