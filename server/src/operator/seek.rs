//! The rows that filters and the tables of joins keep, for the host: which of them are worth reading the rest of.
//!
//! In: a batch of the columns that these ask for. Out: ranges of row numbers. It does not know where the rows were read.

use std::ops::Range;

use kernels::{Buffer, ErrorWord, Stream};

use super::join::TableKeys;
use super::program::{More, Programs};
use super::{Gpu, KernelTimes, Result, Rows};
use crate::batch::{DeviceBatch, Space, bitmap_bytes};
use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::{Step, look_up};

/// Of so many words of a bitmap of rows this many may have a row that is kept, for the pages of these to be few.
const WORDS: usize = 4;
const WORDS_KEPT_MAX: usize = 3;

/// Finds rows by filters, and by the keys of tables.
#[derive(Debug)]
pub struct Seek {
    rows: Rows,
    tables: Vec<TableKeys>,
    look_ups: Programs<()>,
    /// Where tables are asked: one for all batches, as tables remember whose work is to be waited for.
    stream: Option<Stream>,
}

impl Seek {
    /// Finds the rows for which all `filters` are true and that have a match in all `tables`. With tables, the filters
    /// make no strings.
    pub fn new(filters: Vec<Expr>, tables: Vec<TableKeys>) -> Self {
        Self {
            rows: Rows::new(filters, Vec::new()),
            tables,
            look_ups: Programs::default(),
            stream: None,
        }
    }

    /// Rows of `batch` that hold all that are kept, ascending, few more than these; `None` if they are too many for their
    /// pages to be few, or cannot be told. Waits for the device.
    pub fn find_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
    ) -> Result<Option<Vec<Range<usize>>>> {
        let space = match self.tables.is_empty() {
            true => space.clone(),
            false => space.clone().on(self.stream_of(gpu)?),
        };
        let error = space.error_word_sync()?;
        let mask = match self.tables.is_empty() {
            true => self.rows.mask_sync(gpu, times, batch, &space, &error)?,
            false => self.matched_sync(gpu, times, batch, &space, &error)?,
        };
        if error.read_sync(&space.stream)?.is_some() {
            // The pipeline computes the same of all rows that come to it, and says what is wrong.
            return Ok(None);
        }
        let words: Vec<u32> = space.stream.read_sync(mask.slice(0..bitmap_bytes(batch.rows))?)?;
        Ok(ranges(&words))
    }

    fn stream_of(&mut self, gpu: &Gpu) -> Result<&Stream> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => gpu.device.stream()?,
        };
        Ok(self.stream.insert(stream))
    }

    /// A bitmap of the rows that filters and tables keep.
    fn matched_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        space: &Space,
        error: &ErrorWord,
    ) -> Result<Buffer> {
        let (tables, filters) = (&self.tables, &self.rows.filters);
        let program = self.look_ups.of(gpu, times, batch, (), |columns| {
            let filters = |place: usize| if place == 0 { filters.as_slice() } else { &[] };
            let steps: Vec<Step<'_>> = tables
                .iter()
                .enumerate()
                .map(|(place, table)| table.step(filters(place)))
                .collect();
            look_up(columns, &steps)
        })?;
        let headers: Vec<_> = tables.iter().map(TableKeys::header).collect();
        let headers = space.upload_sync(&headers)?;
        let mask = space.take_sync(bitmap_bytes(batch.rows))?;
        let mut more = vec![More::View(headers.view()), More::View(mask.view())];
        more.extend(tables.iter().flat_map(TableKeys::uses).map(More::Uses));
        program.run(space, times, batch, error, &more)?;
        Ok(mask)
    }
}

/// Ranges of the rows whose bits are set, one a word at most; `None` if most words have some.
fn ranges(words: &[u32]) -> Option<Vec<Range<usize>>> {
    let kept = words.iter().filter(|&&word| word != 0).count();
    if kept * WORDS > words.len() * WORDS_KEPT_MAX {
        return None;
    }
    let mut found: Vec<Range<usize>> = Vec::new();
    for (place, &word) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
        let start = place * 32 + word.trailing_zeros() as usize;
        let end = place * 32 + 32 - word.leading_zeros() as usize;
        match found.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => found.push(start..end),
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_begin_and_end_at_rows_that_are_kept() {
        assert_eq!(ranges(&[0, 0, 0]), Some(Vec::new()));
        let words = [0, 1 << 31, u32::MAX, 0b1, 0, 0b1010_0000, 0, 0];
        assert_eq!(ranges(&words), Some(vec![63..97, 165..168]));
        assert_eq!(ranges(&[1, 1, 1, 1, 0]), None, "most words");
    }
}
