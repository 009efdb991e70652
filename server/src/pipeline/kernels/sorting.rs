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

/// Writes the key words of each row: word `w` of row `r` at `words[w * rows + r]`. Arguments after the common ones:
/// `u64* words`, `const u32* text_words`: for each string key, words of the bytes of the longest string. Returns how many
/// words there are beside those.
pub fn sort_keys(columns: &[ColumnShape], spec: &SortSpec) -> Result<(Generated, usize), String> {
    let mut code = code(columns);
    let (mut lines, mut fixed, mut text) = (String::from("u64 word = 0;\n"), 0usize, 0usize);
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
            lines.push_str(&format!(
                "if (active) words[word * rows + row] = {value};\nword++;\n"
            ));
            fixed += 1;
        };
        if value.valid.is_some() {
            let (null, some) = if key.nulls_first { (0, 1) } else { (1, 0) };
            push(format!("{valid} ? {some}ull : {null}ull"));
        }
        let not = if key.descending { "~" } else { "" };
        if repr == Repr::Str {
            // Strings that go on with zero bytes differ in length only.
            let length = format!("{valid} ? {not}(u64){}.bytes : 0ull", value.text);
            lines.push_str(&format!(
                "WF_ROLLED for (u32 place = 0; place < text_words[{text}]; place++, word++)\n\
                 if (active) words[word * rows + row] = {valid} ? {not}wf_string_word({}, place) : 0ull;\n\
                 if (active) words[word * rows + row] = {length};\nword++;\n",
                value.text
            ));
            fixed += 1;
            text += 1;
            continue;
        }
        for ordered in ordered_words(repr, &value) {
            push(format!("{valid} ? {not}{ordered} : 0ull"));
        }
    }
    code.write(&lines);
    let body = code.take_text();
    let text = over_rows(SORT_KEYS, ", u64* words, const u32* text_words", "", &body, "");
    Ok((generated(SORT_KEYS, text, &code), fixed))
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
