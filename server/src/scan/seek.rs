//! Rows that are looked for before all columns of them are read.
//!
//! In: which columns say what is wanted, and then the numbers of the rows that are. Out: a scan of those columns alone,
//! and of a partition the row groups and pages that hold those rows. It knows neither filters nor devices.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::chunk::Chunk;
use super::kept::worth_leaving_out;
use super::open::{Group, OpenFile};
use super::{Pruned, Scan, ScanSpec, pages_left_out, partition};
use crate::error::Result;

/// Some of the columns that a scan reads.
#[derive(Debug, Clone)]
pub struct SomeColumns {
    /// Ascending.
    places: Vec<usize>,
    spec: Arc<ScanSpec>,
}

impl Scan {
    /// Those of its columns that `places` names, ascending.
    pub fn some_columns(&self, places: Vec<usize>) -> SomeColumns {
        SomeColumns {
            spec: Arc::new(self.spec.of_columns(&places)),
            places,
        }
    }

    /// Bytes in files of those columns in all partitions.
    pub fn bytes_of(&self, places: &[usize]) -> usize {
        let chunks = self.partitions.iter().flat_map(|partition| &partition.chunks);
        let chunks = chunks.filter(|chunk| places.contains(&chunk.column));
        chunks.map(Chunk::read_bytes).sum()
    }

    /// A scan of some columns of a partition alone: of one partition with the same rows.
    ///
    /// # Errors
    /// `Data` for a file whose footer is damaged.
    pub fn of_columns(&self, partition: usize, columns: &SomeColumns) -> Result<Scan> {
        let mut files: HashMap<*const OpenFile, Arc<OpenFile>> = HashMap::new();
        let groups = &self.groups[self.partitions[partition].groups.clone()];
        let groups = groups.iter().map(|group| Group {
            file: Arc::clone(
                files
                    .entry(Arc::as_ptr(&group.file))
                    .or_insert_with(|| Arc::new(of_columns(&group.file, &columns.places))),
            ),
            ..group.clone()
        });
        let groups = groups.collect();
        self.of_groups(&columns.spec, groups)
    }

    /// What is read of a partition for the rows `wanted` of it, by their numbers, ascending and at least one: a scan of one
    /// partition, with the row groups and pages left out that it leaves out. `None` if that is nothing.
    ///
    /// # Errors
    /// As [`Self::of_columns`].
    pub fn of_rows(&self, partition: usize, wanted: &[u32]) -> Result<Option<Sought>> {
        let partition = &self.partitions[partition];
        let (mut groups, mut rest) = (Vec::new(), wanted);
        let mut first = 0;
        for group in &self.groups[partition.groups.clone()] {
            let end = first + group.rows;
            let (here, behind) = rest.split_at(rest.partition_point(|&row| (row as usize) < end));
            if !here.is_empty() {
                groups.push(narrowed(group, here.iter().map(|&row| row as usize - first)));
            }
            (first, rest) = (end, behind);
        }
        let row_groups = partition.groups.len() - groups.len();
        let rows: usize = groups.iter().map(|group: &Group| group.rows).sum();
        if row_groups == 0 && rows == partition.rows {
            return Ok(None);
        }
        let scan = self.of_groups(&self.spec, groups)?;
        let known = pages_left_out(std::slice::from_ref(partition));
        Ok(Some(Sought {
            row_groups,
            pages: scan.pages_pruned().saturating_sub(known),
            scan,
        }))
    }

    /// A scan of one partition: what was one, or a part of that.
    fn of_groups(&self, spec: &Arc<ScanSpec>, groups: Vec<Group>) -> Result<Scan> {
        let mut partitions = Vec::new();
        partition::cut(spec, &groups, usize::MAX, self.unpacker, &mut partitions)?;
        Ok(Scan {
            spec: Arc::clone(spec),
            groups,
            partitions,
            ..self.like()
        })
    }

    /// One without row groups.
    pub(super) fn like(&self) -> Scan {
        Scan {
            spec: Arc::clone(&self.spec),
            groups: Vec::new(),
            partitions: Vec::new(),
            pruned: Pruned::default(),
            target_partition_bytes: self.target_partition_bytes,
            unpacker: self.unpacker,
            early_in_use: self.early_in_use.clone(),
            store: Arc::clone(&self.store),
            runtime: self.runtime.clone(),
        }
    }
}

/// What is left to read of a partition.
#[derive(Debug)]
pub struct Sought {
    /// With one partition.
    pub scan: Scan,
    /// Row groups left out.
    pub row_groups: usize,
    /// Pages left out of the others.
    pub pages: usize,
}

fn of_columns(file: &OpenFile, columns: &[usize]) -> OpenFile {
    let in_file = columns.iter().filter_map(|&column| file.columns.get(column));
    OpenFile {
        name: Arc::clone(&file.name),
        meta: file.meta.clone(),
        metadata: Arc::clone(&file.metadata),
        schema: Arc::clone(&file.schema),
        columns: in_file.cloned().collect(),
        is_local: file.is_local,
        open: Mutex::default(),
    }
}

/// A row group of which at least the rows `wanted` are read, by their numbers among those that were.
fn narrowed(group: &Group, wanted: impl Iterator<Item = usize>) -> Group {
    let whole = std::iter::once(0..group.rows).collect::<Vec<_>>();
    let kept = group.kept.as_deref().unwrap_or(&whole);
    let wanted = ranges(kept, wanted);
    match worth_leaving_out(&group.file, group.index, &wanted) {
        // What was left out before may be more than that.
        Some(rows) if super::kept::count(&rows) < group.rows => Group {
            rows: super::kept::count(&rows),
            kept: Some(rows),
            ..group.clone()
        },
        _ => group.clone(),
    }
}

/// The rows `wanted`, ascending numbers among the rows of `kept`, as ranges of the row group's.
fn ranges(kept: &[Range<usize>], wanted: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut of, mut before) = (0, 0);
    for row in wanted {
        while kept.get(of).is_some_and(|range| row >= before + range.len()) {
            before += kept[of].len();
            of += 1;
        }
        let Some(range) = kept.get(of) else { break };
        let row = range.start + row - before;
        match found.last_mut() {
            Some(last) if last.end == row => last.end += 1,
            _ => found.push(row..row + 1),
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_kept_rows_are_places_in_the_row_group() {
        let of = |kept: &[Range<usize>], wanted: &[usize]| ranges(kept, wanted.iter().copied());
        assert_eq!(of(&[0..100], &[3, 4, 5, 99]), [3..6, 99..100]);
        let kept = [10..20, 50..52, 90..100];
        assert_eq!(
            of(&kept, &[0, 9, 10, 11, 12, 21]),
            [10..11, 19..20, 50..52, 90..91, 99..100]
        );
        assert!(of(&kept, &[]).is_empty());
    }
}
