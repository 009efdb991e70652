//! Sort keys as words of 64 bits that sort as unsigned numbers, the first word first.

use super::super::expr::{ColumnShape, Value};
use super::super::sort::{SortKey, SortSpec};
use super::{Generated, code, generated, over_rows};
use crate::batch::Repr;

/// Name of the kernel of [`sort_keys`].
pub const SORT_KEYS: &str = "sort_keys";
/// Name of the kernel of [`measure_texts`].
pub const MEASURE_TEXTS: &str = "measure_texts";

/// Finds the longest string of each string key. Arguments after the common ones: `u64* longest`, one a string key,
/// zero before.
pub fn measure_texts(columns: &[ColumnShape], spec: &SortSpec) -> Result<Generated, String> {
    let mut code = code(columns);
    let mut lines = String::new();
    let texts = spec.keys.iter().filter(|key| is_text(key));
    for (index, key) in texts.enumerate() {
        let value = code.value(&key.expr)?;
        let valid = value.valid.as_deref().unwrap_or("true");
        lines.push_str(&format!(
            "{{ u32 bytes = wf_warp_reduce<WfMax, u32>(active && {valid} ? {}.bytes : 0u);\n\
             if (wf_lane_id() == 0 && bytes > *(volatile u64*)(longest + {index})) atomicMax(longest + {index}, (u64)bytes); }}\n",
            value.text
        ));
    }
    code.write(&lines);
    let body = code.take_text();
    let text = over_rows(MEASURE_TEXTS, ", u64* longest", "", &body, "");
    Ok(generated(MEASURE_TEXTS, text, &code))
}

fn is_text(key: &SortKey) -> bool {
    Repr::of(&key.expr.data_type) == Some(Repr::Str)
}

/// Writes the key words of each row: word `w` of row `r` at `words[w * rows + r]`. `longest` has the bytes of the
/// longest string of each string key. Arguments after the common ones: `u64* words`. Returns how many words there are.
pub fn sort_keys(
    columns: &[ColumnShape],
    spec: &SortSpec,
    longest: &[u64],
) -> Result<(Generated, usize), String> {
    let mut code = code(columns);
    let (mut lines, mut word, mut text) = (String::new(), 0usize, 0usize);
    for key in &spec.keys {
        let value = code.value(&key.expr)?;
        let repr = Repr::of(&key.expr.data_type).ok_or_else(|| {
            format!(
                "sort key {} of type {} is not held on the GPU",
                key.expr, key.expr.data_type
            )
        })?;
        let valid = value.valid.as_deref().unwrap_or("true");
        let mut push = |value: String| {
            lines.push_str(&format!("if (active) words[{word}ull * rows + row] = {value};\n"));
            word += 1;
        };
        if value.valid.is_some() {
            let (null, some) = if key.nulls_first { (0, 1) } else { (1, 0) };
            push(format!("{valid} ? {some}ull : {null}ull"));
        }
        let not = if key.descending { "~" } else { "" };
        if repr == Repr::Str {
            let bytes = longest.get(text).copied().unwrap_or(0);
            text += 1;
            for place in 0..bytes.div_ceil(8) {
                push(format!(
                    "{valid} ? {not}wf_string_word({}, {place}) : 0ull",
                    value.text
                ));
            }
            // Strings that go on with zero bytes differ in length only.
            push(format!("{valid} ? {not}(u64){}.bytes : 0ull", value.text));
            continue;
        }
        for ordered in ordered_words(repr, &value) {
            push(format!("{valid} ? {not}{ordered} : 0ull"));
        }
    }
    code.write(&lines);
    let body = code.take_text();
    let text = over_rows(SORT_KEYS, ", u64* words", "", &body, "");
    Ok((generated(SORT_KEYS, text, &code), word))
}

/// A value as words that sort as it does.
fn ordered_words(repr: Repr, value: &Value) -> Vec<String> {
    let v = &value.text;
    match repr {
        Repr::Bool => vec![format!("({v} ? 1ull : 0ull)")],
        Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64 => vec![format!("(u64)({v})")],
        Repr::F32 => vec![format!("(u64)wf_order_key((f32)({v}))")],
        Repr::F64 => vec![format!("wf_order_key((f64)({v}))")],
        Repr::I128 => vec![
            format!("wf_order_key((i64)((u128)({v}) >> 64))"),
            format!("(u64)({v})"),
        ],
        _ => vec![format!("wf_order_key((i64)({v}))")],
    }
}
