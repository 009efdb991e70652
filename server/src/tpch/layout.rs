//! How a table is cut: files, and row groups in them. In: the options. Out: numbers that depend on
//! nothing else, so that the same options always give the same bytes.

use super::{Table, TpchOptions};

/// The parts of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// Which.
    pub table: Table,
    /// Its rows; an estimate for `lineitem`.
    pub rows: u64,
    /// Its files.
    pub files: usize,
    /// Row groups in each file.
    pub row_groups: usize,
    /// Whether the files stand in a folder of their own.
    folder: bool,
}

impl TablePlan {
    /// Cuts `table` as `options` ask.
    pub fn new(table: Table, options: &TpchOptions) -> Self {
        let rows = table.rows(options.scale);
        let splittable = table.splittable_rows(options.scale).clamp(1, i32::MAX as u64);
        let files = (options.files as u64).min(splittable);
        let file_bytes = rows * table.encoded_bytes_per_row() / files;
        let row_groups = file_bytes
            .div_ceil(options.row_group_bytes as u64)
            .clamp(1, (splittable / files).max(1));
        Self {
            table,
            rows,
            files: files as usize,
            row_groups: row_groups as usize,
            folder: options.files > 1,
        }
    }

    /// The generator's part number (from 1) of a row group, and how many parts there are.
    pub(super) fn part(&self, file: usize, row_group: usize) -> (i32, i32) {
        let parts = self.files * self.row_groups;
        ((file * self.row_groups + row_group + 1) as i32, parts as i32)
    }

    /// Where file number `file` (from 0) stands, relative to the output folder.
    pub(super) fn file_name(&self, file: usize) -> String {
        let table = self.table;
        if self.folder {
            format!("{table}/{table}.{}.parquet", file + 1)
        } else {
            format!("{table}.parquet")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(table: Table, scale: f64, files: usize, row_group_bytes: usize) -> TablePlan {
        TablePlan::new(
            table,
            &TpchOptions {
                files,
                row_group_bytes,
                ..TpchOptions::new(scale, "x")
            },
        )
    }

    #[test]
    fn parts_cover_files_and_row_groups_in_order() {
        let plan = plan(Table::Lineitem, 1.0, 3, 16 << 20);
        assert_eq!(plan.files, 3);
        assert!(plan.row_groups > 1, "{plan:?}");
        let mut expected = 1;
        for file in 0..plan.files {
            for group in 0..plan.row_groups {
                assert_eq!(
                    plan.part(file, group),
                    (expected, (plan.files * plan.row_groups) as i32)
                );
                expected += 1;
            }
        }
        assert_eq!(plan.file_name(2), "lineitem/lineitem.3.parquet");
    }

    #[test]
    fn no_more_parts_than_rows() {
        let supplier = plan(Table::Supplier, 0.001, 100, 4096);
        assert_eq!((supplier.files, supplier.row_groups), (10, 1));
        let nation = plan(Table::Nation, 1.0, 8, 4096);
        assert_eq!((nation.files, nation.row_groups), (1, 1));
        assert_eq!(nation.file_name(0), "nation/nation.1.parquet");
        let tiny = plan(Table::Orders, 0.001, 2, 4096);
        assert!(tiny.files * tiny.row_groups <= 1500);
    }

    #[test]
    fn the_largest_scale_stays_in_range() {
        let plan = plan(Table::Lineitem, super::super::SCALE_MAX, 100_000, 4096);
        assert!(plan.files * plan.row_groups <= i32::MAX as usize, "{plan:?}");
        assert_eq!(plan.part(0, 0).0, 1);
    }
}
