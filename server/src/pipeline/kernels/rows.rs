//! Rows kept by a filter, and columns computed of rows.

use super::super::expr::{ColumnShape, Expr};
use super::{BLOCK_THREADS, Generated, ROW_ARGUMENTS, code, generated, keep_active, kept, over_rows};
use crate::batch::Repr;

/// Name of the kernel of [`mask`].
pub const MASK: &str = "mask_rows";
/// Name of the kernel of [`project`].
pub const PROJECT: &str = "project_rows";

/// Writes a bitmap of the rows for which all `filters` are true. Arguments after the common ones: `u32* mask`.
pub fn mask(columns: &[ColumnShape], filters: &[Expr]) -> Result<Generated, String> {
    let mut code = code(columns);
    keep_active(&mut code, filters)?;
    let body = format!(
        "{}u32 word = __ballot_sync(WF_ALL_LANES, active);\n\
         if (wf_lane_id() == 0 && row < rows) mask[row >> 5] = word;\n",
        code.take_text()
    );
    let text = over_rows(MASK, ", u32* mask", "", &body, "");
    Ok(generated(MASK, text, &code))
}

/// Computes `outputs` of rows: of all, or of those that a list of row numbers names. Arguments after the common ones,
/// in which `rows` is the number of rows written: `const u32* selection` or null, `const WfColumn* outputs`.
pub fn project(columns: &[ColumnShape], outputs: &[Expr]) -> Result<Generated, String> {
    let mut code = code(columns);
    for (index, output) in outputs.iter().enumerate() {
        let value = code.value(output)?;
        let repr = Repr::of(&output.data_type)
            .ok_or_else(|| format!("values of type {} are not held on the GPU", output.data_type))?;
        let mut lines = String::new();
        if output.nullable {
            let valid = value.valid.clone().unwrap_or_else(|| "true".into());
            lines.push_str(&format!(
                "{{ u32 word = __ballot_sync(WF_ALL_LANES, active && {valid});\n\
                 if (wf_lane_id() == 0 && active) ((u32*)outputs[{index}].validity)[at >> 5] = word; }}\n"
            ));
        }
        let present = match &value.valid {
            Some(valid) => format!("{valid} ? {} : {}", value.text, zero(repr)),
            None => value.text.clone(),
        };
        lines.push_str(&match repr {
            Repr::Bool => format!(
                "{{ u32 word = __ballot_sync(WF_ALL_LANES, active && {});\n\
                 if (wf_lane_id() == 0 && active) ((u32*)outputs[{index}].values)[at >> 5] = word; }}\n",
                kept(&value)
            ),
            _ => format!(
                "if (active) (({}*)outputs[{index}].values)[at] = {present};\n",
                repr.c_type()
            ),
        });
        code.write(&lines);
    }
    let text = format!(
        "WF_KERNEL({BLOCK_THREADS}) {PROJECT}({ROW_ARGUMENTS}, const u32* selection, const WfColumn* outputs) {{\n\
         for (u64 start = (u64)blockIdx.x * blockDim.x; start < rows; start += wf_grid_threads()) {{\n\
         u64 at = start + threadIdx.x;\nbool active = at < rows;\n\
         u64 row = !active ? 0 : selection != 0 ? selection[at] : at;\n{}}}\n}}\n",
        code.take_text()
    );
    Ok(generated(PROJECT, text, &code))
}

/// What a null row holds.
pub(super) fn zero(repr: Repr) -> String {
    match repr {
        Repr::Str => "WfStringRef{0, 0, 0}".into(),
        _ => format!("({})0", repr.c_type()),
    }
}
