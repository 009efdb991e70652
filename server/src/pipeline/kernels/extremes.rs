//! Extremes of strings and of numbers wider than a word, kept under versions in the table's state.

use super::super::aggregate::{AggregateSpec, Combine};
use super::super::expr::{ColumnShape, Expr};
use super::update::added;
use super::{ENTER_ARGUMENTS, Generated, code, generated, keep_active, over_rows};

/// Name of the kernel of [`update_extremes`].
pub const UPDATE_EXTREMES: &str = "update_extremes";

/// Adds rows to the extremes of their groups. It may run again over the same rows, and has to where the table says that
/// its heap was full. Arguments after the common ones: those of a kernel that enters rows into a table; without keys
/// `groups` is null, and `filters` are applied here.
pub fn update_extremes(
    columns: &[ColumnShape],
    filters: &[Expr],
    spec: &AggregateSpec,
) -> Result<Generated, String> {
    let mut code = code(columns);
    let (starts, _) = spec.layout();
    if spec.keys.is_empty() {
        keep_active(&mut code, filters)?;
        code.write("u32 group = 0;\n");
    } else {
        code.write("u32 group = active ? groups[row] : WF_NO_GROUP;\nactive = group != WF_NO_GROUP;\n");
    }
    let mut lines = String::new();
    let extremes = spec.accumulators.iter().zip(&starts);
    for (accumulator, start) in extremes.filter(|(accumulator, _)| accumulator.combine.is_extreme()) {
        let (condition, value) = added(&mut code, accumulator)?;
        let place = |word: usize| format!("state + {}ull * table->capacity + group", start + word);
        let extreme = format!("WfExtreme{{{}, {}, {}}}", place(0), place(1), place(2));
        let call = match accumulator.combine {
            Combine::MinWide => format!("wf_extreme_wide({extreme}, {value}, false)"),
            Combine::MaxWide => format!("wf_extreme_wide({extreme}, {value}, true)"),
            Combine::MinText => format!("wf_extreme_text({extreme}, table, {value}, false)"),
            _ => format!("wf_extreme_text({extreme}, table, {value}, true)"),
        };
        lines.push_str(&format!("if ({condition}) {call};\n"));
    }
    code.write(&lines);
    let body = code.take_text();
    let text = over_rows(UPDATE_EXTREMES, ENTER_ARGUMENTS, "", &body, "");
    Ok(generated(UPDATE_EXTREMES, text, &code))
}
