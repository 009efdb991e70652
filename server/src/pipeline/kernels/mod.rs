//! The text of pipeline kernels: a loop over rows around what expressions compute, ending in one sink.
//!
//! Every kernel is generated from a specification and the shapes of its input columns, and depends on nothing else:
//! literals are parameters, so that queries which differ only in them share a kernel.

mod distinct;
mod extremes;
mod finish;
mod groups;
mod join;
mod keys;
mod ordered;
mod rows;
mod sorting;
mod update;
mod window;
mod window_frames;
mod window_values;

pub use distinct::{FOLD_MEMBERS, INSERT_DISTINCT, fold_members, insert_distinct, member_layout};
pub use extremes::{UPDATE_EXTREMES, update_extremes};
pub use finish::{FINISH, finish};
pub use groups::{FIND_GROUPS, find_groups};
pub use join::{
    COUNT_MATCHES, DENSE_ENTRIES, FIND_ENTRIES, Finding, KEY_RANGE, LOOK_UP, Lookup, Probe, Step,
    count_matches, dense_entries, find_entries, finding, is_unsigned, key_range, look_up, may_be_dense,
};
pub use keys::{KeyLayout, KeyPlace, Place, key_layout};
pub use ordered::{PICK_ORDERED, pick_ordered};
pub use rows::{MASK, PROJECT, mask, project};
pub use sorting::{MEASURE_TEXTS, SORT_KEYS, measure_texts, sort_keys};
pub use update::{Strategy, UPDATE, update};
pub use window::{MARK_WINDOW, WINDOW_INPUTS, join_of, mark_window, window_inputs};
pub use window_values::{SOURCE_WORDS, WINDOW_VALUES, window_values};

use kernels::KernelSource;

use super::expr::{Code, ColumnShape, Expr};

/// A kernel's text, and the block of literals that it reads.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The text.
    pub source: KernelSource,
    /// What its `literals` argument points to.
    pub literals: Vec<u8>,
}

/// Threads of a block of every generated kernel.
pub const BLOCK_THREADS: u32 = 256;

/// The part of an argument list that all kernels over rows begin with.
const ROW_ARGUMENTS: &str =
    "const WfColumn* columns, u64 rows, const u8* literals, WfHeap* heap, WfError* error";

/// What follows in the kernels that enter rows into a table of groups, and run again with more room until each found
/// some: the group of each row, which [`find_groups`] writes and the others read; the table; its state.
const ENTER_ARGUMENTS: &str = ", u32* groups, WfGroups* table, u64* state";

/// A loop over rows in whole blocks, so that all lanes of a warp come round together. The body finds `row` and
/// `active` in scope.
fn over_rows(name: &str, arguments: &str, before: &str, body: &str, after: &str) -> String {
    format!(
        "WF_KERNEL({BLOCK_THREADS}) {name}({ROW_ARGUMENTS}{arguments}) {{\n{before}\
         for (u64 start = (u64)blockIdx.x * blockDim.x; start < rows; start += wf_grid_threads()) {{\n\
         u64 row = start + threadIdx.x;\nbool active = row < rows;\n{body}}}\n{after}}}\n"
    )
}

fn generated(name: &str, text: String, code: &Code) -> Generated {
    Generated {
        source: KernelSource::generated(name, text, &[name]),
        literals: code.literals(),
    }
}

/// `value` where it is valid.
fn kept(value: &super::expr::Value) -> String {
    match &value.valid {
        Some(valid) => format!("({valid} && {})", value.text),
        None => value.text.clone(),
    }
}

/// Statements after which `active` rows are those that all filters keep.
fn keep_active(code: &mut Code, filters: &[Expr]) -> Result<(), String> {
    for filter in filters {
        let keep = kept(&code.value(filter)?);
        code.write(&format!("active = active && {keep};\n"));
    }
    Ok(())
}

fn code(columns: &[ColumnShape]) -> Code {
    Code::new(columns.to_vec())
}
