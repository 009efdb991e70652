//! A value of each group, taken of the group's rows in order.

use super::super::aggregate::Choice;
use super::super::expr::{Code, ColumnShape};
use super::rows::zero;
use super::{BLOCK_THREADS, Generated, ROW_ARGUMENTS, code, generated};
use crate::batch::Repr;

/// Name of the kernel of [`pick_ordered`].
pub const PICK_ORDERED: &str = "pick_ordered";

/// Writes what `choice` makes of each group's rows. Column 0 has the rows' groups, 32 bits each, which come one after the
/// other; column 1 their values, in order. Arguments after the common ones: `const u32* ids, const u32* firsts` (the
/// segments of the groups), `const WfColumn* output`, whose bits are zero before: groups without rows are null.
pub fn pick_ordered(columns: &[ColumnShape], choice: &Choice) -> Result<Generated, String> {
    let repr = columns.get(1).ok_or("no column of values")?.repr;
    let mut code = code(columns);
    let value = chosen(&mut code, choice, repr)?;
    let store = match repr {
        Repr::Bool => {
            "if (value) atomicOr((u32*)output->values + (group >> 5), 1u << (group & 31u));\n".to_owned()
        }
        _ => format!(
            "(({}*)output->values)[group] = valid ? value : {};\n",
            repr.c_type(),
            zero(repr)
        ),
    };
    let text = format!(
        "WF_KERNEL({BLOCK_THREADS}) {PICK_ORDERED}({ROW_ARGUMENTS}, const u32* ids, const u32* firsts, \
         const WfColumn* output) {{\n\
         const u64 segments = (u64)ids[rows - 1u] + 1u;\n\
         for (u64 segment = wf_grid_thread(); segment < segments; segment += wf_grid_threads()) {{\n\
         const u64 first = firsts[segment], end = firsts[segment + 1u], row = first;\nconst bool active = true;\n\
         const u32 group = ((const u32*)columns[0].values)[first];\n\
         auto is_valid = [&](u64 at) {{ return wf_bit((const u32*)columns[1].validity, at); }};\n\
         auto value_of = [&](u64 at) {{ return {}; }};\n\
         {value}\
         if (valid) atomicOr((u32*)output->validity + (group >> 5), 1u << (group & 31u));\n\
         {store}}}\n}}\n",
        match repr {
            Repr::Bool => "wf_bit((const u32*)columns[1].values, at)".to_owned(),
            repr => format!("((const {}*)columns[1].values)[at]", repr.c_type()),
        }
    );
    Ok(generated(PICK_ORDERED, text, &code))
}

/// Statements that define `valid` and `value`.
fn chosen(code: &mut Code, choice: &Choice, repr: Repr) -> Result<String, String> {
    let c_type = repr.c_type();
    let is_text = matches!(repr, Repr::Str | Repr::Bool);
    Ok(match choice {
        Choice::First => "const bool valid = is_valid(first);\nconst auto value = value_of(first);\n".into(),
        Choice::Last => {
            "const bool valid = is_valid(end - 1u);\nconst auto value = value_of(end - 1u);\n".into()
        }
        _ if is_text => return Err(format!("{choice:?} of {repr:?} values")),
        Choice::Median => {
            let halfway = match repr {
                Repr::F32 | Repr::F64 => format!("({c_type})((low + high) / ({c_type})2)"),
                // Halves, where the sum does not fit.
                Repr::I128 => "wf_halfway(low, high)".into(),
                _ => format!("({c_type})(((i128)low + (i128)high) / 2)"),
            };
            format!(
                "const bool valid = true;\n\
                 const {c_type} low = value_of(first + (end - first - 1u) / 2u), high = value_of(first + (end - first) / 2u);\n\
                 const {c_type} value = (end - first) % 2u == 1u ? high : {halfway};\n"
            )
        }
        Choice::Percentile(fraction) => {
            let fraction = code.value(fraction)?;
            let statements = code.take_text();
            // DataFusion's proportion is a multiple of a millionth.
            format!(
                "{statements}const bool valid = true;\n\
                 const f64 place = {} * (f64)(end - first - 1u), lower = floor(place);\n\
                 const {c_type} low = value_of(first + (u64)lower), high = value_of(first + (u64)ceil(place));\n\
                 const f64 part = (f64)(u64)((place - lower) * 1000000.0) / 1000000.0;\n\
                 const {c_type} value = ceil(place) == lower ? low : \
                 ({c_type})((f64)low + ((f64)high - (f64)low) * part);\n",
                fraction.text
            )
        }
    })
}
