//! The files that a plan reads, to name them where a reader does not.
//!
//! In: a physical plan and an error of its run. Out: the error with the files. The readers of pages
//! and lines know bytes only: `unexpected end of data` says nothing to who has a hundred files.

use std::collections::BTreeSet;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

use super::location::readable;
use crate::error::{Error, Kind};

/// The error of a plan's run; if it is one of the data and names no file, with those that the plan reads.
pub fn with_files(error: Error, plan: &dyn ExecutionPlan) -> Error {
    if error.kind() != Kind::Data {
        return error;
    }
    let mut files = BTreeSet::new();
    collect(plan, &mut files);
    if files.iter().any(|file| error.message().contains(file.as_str())) {
        return error;
    }
    let files: Vec<String> = files.into_iter().collect();
    match files.as_slice() {
        [] => error,
        [file] => error.context(file),
        [first, second] => error.context(format_args!("{first} or {second}")),
        [first, .., last] => error.context(format_args!("one of {} files, {first} to {last}", files.len())),
    }
}

fn collect(plan: &dyn ExecutionPlan, files: &mut BTreeSet<String>) {
    let scan = plan
        .downcast_ref::<DataSourceExec>()
        .and_then(|source| source.data_source().downcast_ref::<FileScanConfig>());
    if let Some(scan) = scan {
        let groups = scan.file_groups.iter().flat_map(|group| group.iter());
        files.extend(groups.map(|file| readable(file.object_meta.location.as_ref())));
    }
    for child in plan.children() {
        collect(child.as_ref(), files);
    }
}
