//! Order: rows are kept until all have come, or the first of them only, and leave in order.

use kernels::Buffer;
use kernels::sort::{Keys, Sorter};

use super::columns::keyed;
use super::concat::gather_sync;
use super::kept::Kept;
use super::numbered_rows::NumberedRows;
use super::program::{More, Program, shapes};
use super::{Failure, Gpu, KernelTimes, Result, Rows, unplanned};
use crate::batch::{DeviceBatch, Repr, Space};
use crate::pipeline::expr::Expr;
use crate::pipeline::kernels::{MEASURE_TEXTS, SORT_KEYS, measure_texts, sort_keys};
use crate::pipeline::{SortKey, SortSpec};

/// With a limit on rows, this many times as many are kept before all but the first are dropped.
const KEPT_TIMES: usize = 8;
/// At least so many.
const KEPT_MIN: usize = 1 << 16;

/// The state of one sort.
#[derive(Debug)]
pub struct Sort {
    pub(super) rows: Rows,
    /// Over the columns that `rows` computes.
    pub(super) spec: SortSpec,
    /// Columns that leave; keys that are none of them stand behind.
    width: usize,
    kept: Kept,
    /// In place of `rows`, where strings are kept as numbers: known when there were rows.
    numbered: Option<Box<NumberedRows>>,
    is_settled: bool,
}

impl Sort {
    /// A sort by `spec` of what `rows` would compute as `outputs`. Keys are over the source's columns.
    pub fn new(filters: Vec<Expr>, outputs: Vec<Expr>, spec: SortSpec) -> Self {
        let width = outputs.len();
        let exprs: Vec<Expr> = spec.keys.iter().map(|key| key.expr.clone()).collect();
        let (columns, exprs) = keyed(outputs, &exprs);
        let keys = spec.keys.into_iter().zip(exprs);
        let keys = keys.map(|(key, expr)| SortKey { expr, ..key }).collect();
        Self {
            rows: Rows::new(filters, columns),
            spec: SortSpec {
                keys,
                fetch: spec.fetch,
            },
            width,
            kept: Kept::default(),
            numbered: None,
            is_settled: false,
        }
    }

    /// Takes the rows of `batch`, which `space` holds.
    pub fn add_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: Space,
    ) -> Result<()> {
        if !self.is_settled {
            self.numbered =
                NumberedRows::of_sync(gpu, times, &self.rows, &self.spec, &batch, &space)?.map(Box::new);
            self.is_settled = true;
        }
        let mut batch = match &mut self.numbered {
            Some(numbered) => numbered.apply_sync(gpu, times, batch, &space)?,
            None => self.rows.apply_sync(gpu, times, batch, &space)?,
        };
        if batch.rows == 0 {
            return Ok(());
        }
        if let Some(fetch) = self.spec.fetch
            && batch.rows > fetch
        {
            batch = self.ordered_sync(gpu, times, batch, Some(fetch), &space)?;
        }
        self.kept.push(batch, space.clone());
        if let Some(fetch) = self.spec.fetch
            && self.kept.rows() > fetch.saturating_mul(KEPT_TIMES).max(KEPT_MIN)
            && let Some(all) = self.kept.take_sync(gpu, &space)?
        {
            let first = self.ordered_sync(gpu, times, all, Some(fetch), &space)?;
            self.kept.push(first, space);
        }
        Ok(())
    }

    /// All rows, or the first of them, in order.
    pub fn finish_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        space: &Space,
    ) -> Result<Option<DeviceBatch>> {
        let Some(all) = self.kept.take_sync(gpu, space)? else {
            return Ok(None);
        };
        let mut sorted = self.ordered_sync(gpu, times, all, self.spec.fetch, space)?;
        if let Some(numbered) = self.numbered.take() {
            sorted = numbered.strings_sync(gpu, sorted, space)?;
        }
        sorted.columns.truncate(self.width);
        Ok(Some(sorted))
    }

    fn ordered_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        fetch: Option<usize>,
        space: &Space,
    ) -> Result<DeviceBatch> {
        let (numbers, count) = self.order_sync(gpu, times, &batch, fetch, space)?;
        gather_sync(gpu, &batch, numbers.view(), count, space)
    }

    /// The numbers of all rows of `batch`, or of the first `fetch`, in order, and how many they are.
    pub(super) fn order_sync(
        &self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: &DeviceBatch,
        fetch: Option<usize>,
        space: &Space,
    ) -> Result<(Buffer, usize)> {
        let rows = batch.rows;
        if u32::try_from(rows).is_err() {
            return Err(Failure::Fallback(format!(
                "{rows} rows to sort at once, numbers have 32 bits"
            )));
        }
        let ranked = match &self.numbered {
            Some(numbered) => Some(numbered.ranked_sync(gpu, times, batch, &self.spec, space)?),
            None => None,
        };
        let (batch, spec) = match &ranked {
            Some((batch, spec)) => (batch, spec),
            None => (batch, &self.spec),
        };
        let longest = longest_sync(gpu, times, batch, spec, space)?;
        let text_words: Vec<u32> = longest.iter().map(|bytes| bytes.div_ceil(8) as u32).collect();
        let (generated, fixed) = sort_keys(&times.foreseen(shapes(batch)), spec).map_err(unplanned)?;
        let program = Program::compile(gpu, times, generated)?;
        let words = fixed + text_words.iter().sum::<u32>() as usize;
        let text_words = match text_words.is_empty() {
            true => None,
            false => Some(space.upload_sync(&text_words)?),
        };
        let keys = space.take_sync(words * rows * 8)?;
        let error = space.error_word_sync()?;
        let more = [More::View(keys.view()), More::optional(text_words.as_ref())];
        program.run(space, times, batch, &error, &more)?;
        let count = fetch.map_or(rows, |fetch| fetch.min(rows));
        let keys = Keys {
            view: keys.slice(0..words * rows * 8)?,
            rows,
            words,
        };
        let (stream, reservation) = (&space.stream, &space.reservation);
        let numbers = times.timed(space, || {
            Ok(if count < rows {
                space.room_sync(Sorter::first_bytes(rows, words, count))?;
                gpu.sorter.first(stream, reservation, keys, count)?
            } else {
                space.room_sync(Sorter::sort_bytes(rows, words))?;
                gpu.sorter.sort(stream, reservation, keys)?
            })
        })?;
        error.check_sync(stream, SORT_KEYS)?;
        Ok((numbers, count))
    }
}

/// Bytes of the longest string of each string key.
fn longest_sync(
    gpu: &Gpu,
    times: &KernelTimes,
    batch: &DeviceBatch,
    spec: &SortSpec,
    space: &Space,
) -> Result<Vec<u64>> {
    let is_text = |key: &&SortKey| Repr::of(&key.expr.data_type) == Some(Repr::Str);
    let texts = spec.keys.iter().filter(is_text).count();
    if texts == 0 {
        return Ok(Vec::new());
    }
    let generated = measure_texts(&times.foreseen(shapes(batch)), spec).map_err(unplanned)?;
    let program = Program::compile(gpu, times, generated)?;
    let longest = space.zeros_sync(texts * 8)?;
    let error = space.error_word_sync()?;
    program.run(space, times, batch, &error, &[More::View(longest.view())])?;
    error.check_sync(&space.stream, MEASURE_TEXTS)?;
    Ok(space.stream.read_sync(longest.slice(0..texts * 8)?)?)
}
