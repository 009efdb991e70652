//! Rows that are looked for before all columns of them are read.
//!
//! In: which columns say what is wanted, and then ranges of the rows that are. Out: a scan of those columns alone,
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

    /// What is read of a partition for the rows `wanted` of it, ascending ranges and at least one: a scan of one partition, with
    /// the row groups and pages left out that it leaves out. `None` if that is nothing.
    ///
    /// # Errors
    /// As [`Self::of_columns`].
    pub fn of_rows(&self, partition: usize, wanted: &[Range<usize>]) -> Result<Option<Sought>> {
        let partition = &self.partitions[partition];
        let mut groups = Vec::new();
        let (mut first, mut done) = (0, 0);
        for group in &self.groups[partition.groups.clone()] {
            let end = first + group.rows;
            done += wanted[done..].partition_point(|range| range.end <= first);
            let here = wanted[done..].iter().take_while(|range| range.start < end);
            let here = here.map(|range| range.start.max(first) - first..range.end.min(end) - first);
            let here: Vec<Range<usize>> = here.collect();
            if !here.is_empty() {
                groups.push(narrowed(group, &here));
            }
            first = end;
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
fn narrowed(group: &Group, wanted: &[Range<usize>]) -> Group {
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
fn ranges(kept: &[Range<usize>], wanted: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut of, mut before) = (0, 0);
    for range in wanted {
        let mut row = range.start;
        while let Some(rows) = kept.get(of).filter(|_| row < range.end) {
            let end = before + rows.len();
            if row < end {
                let start = rows.start + row - before;
                row = range.end.min(end);
                let place = start..rows.start + row - before;
                match found.last_mut() {
                    Some(last) if last.end == place.start => last.end = place.end,
                    _ => found.push(place),
                }
            }
            if row >= end {
                (of, before) = (of + 1, end);
            }
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]
#[expect(clippy::print_stdout, reason = "random tests print their seed")]
mod tests {
    use kernels::selftest::Random;

    use super::*;

    #[test]
    fn numbers_of_kept_rows_are_places_in_the_row_group() {
        assert_eq!(ranges(&[0..100], &[3..4, 4..6, 99..100]), [3..6, 99..100]);
        let kept = [10..20, 50..52, 90..100];
        assert_eq!(
            ranges(&kept, &[0..1, 9..13, 21..22]),
            [10..11, 19..20, 50..52, 90..91, 99..100]
        );
        assert_eq!(ranges(&kept, &[5..22]), [15..20, 50..52, 90..100]);
        assert_eq!(ranges(&kept, &[10..11, 12..13]), [50..51, 90..91]);
        assert!(ranges(&kept, &[]).is_empty());
    }

    #[test]
    fn each_wanted_row_keeps_its_place() {
        for seed in 0..200 {
            println!("seed {seed}");
            let mut random = Random::new(seed);
            // Ranges with gaps between them.
            let mut drawn = |count: u64, gap_min: u64| -> Vec<Range<usize>> {
                let mut end = 0;
                let one = |_| {
                    let start = end + gap_min + random.below(5);
                    end = start + 1 + random.below(6);
                    start as usize..end as usize
                };
                (0..count).map(one).collect()
            };
            let (kept, mut wanted) = (drawn(20, 1), drawn(10, 0));
            let rows: Vec<usize> = kept.iter().cloned().flatten().collect();
            wanted.retain(|range| range.end <= rows.len());
            let expected: Vec<usize> = wanted.iter().cloned().flatten().map(|row| rows[row]).collect();
            let found = ranges(&kept, &wanted);
            assert_eq!(found.iter().cloned().flatten().collect::<Vec<_>>(), expected);
            assert!(found.is_sorted_by(|one, next| one.end < next.start), "{found:?}");
        }
    }
}
