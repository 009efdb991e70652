//! Group keys as words of 64 bits.

use super::super::expr::{Code, Expr, Value};
use crate::batch::Repr;

/// Where the words of each key lie.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyLayout {
    /// Whether the first word has a bit for each key that is null.
    pub null_word: bool,
    /// The first word of each key, and its form.
    pub keys: Vec<(usize, Repr)>,
    /// Words in all.
    pub words: usize,
    /// The words that are strings, in order.
    pub texts: Vec<usize>,
}

/// The layout of a list of keys.
pub fn key_layout(keys: &[Expr]) -> Result<KeyLayout, String> {
    if keys.len() > 64 {
        return Err(format!("{} group keys, the GPU takes 64", keys.len()));
    }
    let null_word = keys.iter().any(|key| key.nullable);
    let mut layout = KeyLayout {
        null_word,
        keys: Vec::with_capacity(keys.len()),
        words: usize::from(null_word),
        texts: Vec::new(),
    };
    for key in keys {
        let repr = Repr::of(&key.data_type)
            .ok_or_else(|| format!("group key {key} of type {} is not held on the GPU", key.data_type))?;
        if repr == Repr::Str {
            layout.texts.push(layout.words);
        }
        layout.keys.push((layout.words, repr));
        layout.words += if repr == Repr::I128 { 2 } else { 1 };
    }
    Ok(layout)
}

/// Statements that fill `words` and `texts` of one row; it is to be active.
pub(super) fn write_keys(code: &mut Code, layout: &KeyLayout, keys: &[Expr]) -> Result<(), String> {
    let values = keys
        .iter()
        .map(|key| code.value(key))
        .collect::<Result<Vec<Value>, String>>()?;
    let mut lines = format!(
        "u64 words[{}];\nWfStringRef texts[{}];\nconst u32 text_words[{}] = {{{}}};\n",
        layout.words.max(1),
        layout.texts.len().max(1),
        layout.texts.len().max(1),
        match layout.texts.is_empty() {
            true => "0u".to_owned(),
            false => layout
                .texts
                .iter()
                .map(|word| format!("{word}u"))
                .collect::<Vec<_>>()
                .join(", "),
        }
    );
    if layout.null_word {
        let bits = values.iter().enumerate().filter_map(|(index, value)| {
            let valid = value.valid.as_ref()?;
            Some(format!("({valid} ? 0ull : 1ull << {index})"))
        });
        let bits: Vec<String> = bits.collect();
        let bits = if bits.is_empty() {
            "0ull".into()
        } else {
            bits.join(" | ")
        };
        lines.push_str(&format!("words[0] = {bits};\n"));
    }
    let mut text = 0;
    for (value, &(word, repr)) in values.iter().zip(&layout.keys) {
        let valid = value.valid.as_deref().unwrap_or("true");
        let v = &value.text;
        lines.push_str(&match repr {
            Repr::Str => {
                let line = format!(
                    "texts[{text}] = {valid} ? {v} : WfStringRef{{(u64)literals, 0, 0}};\n\
                     words[{word}] = active ? wf_string_key(texts[{text}]) : 0ull;\n"
                );
                text += 1;
                line
            }
            Repr::I128 => format!(
                "words[{word}] = {valid} ? (u64)({v}) : 0ull;\n\
                 words[{}] = {valid} ? (u64)((u128)({v}) >> 64) : 0ull;\n",
                word + 1
            ),
            _ => format!("words[{word}] = {valid} ? {} : 0ull;\n", as_word(repr, v)),
        });
    }
    code.write(&lines);
    Ok(())
}

/// A value of up to 64 bits as a word that stands for it alone; zero is one value, whatever its sign.
pub(super) fn as_word(repr: Repr, value: &str) -> String {
    match repr {
        Repr::Bool => format!("({value} ? 1ull : 0ull)"),
        Repr::F32 => format!("(u64)__float_as_uint({value} == 0.0f ? 0.0f : {value})"),
        Repr::F64 => format!("(u64)__double_as_longlong({value} == 0.0 ? 0.0 : {value})"),
        Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64 => format!("(u64)({value})"),
        _ => format!("(u64)(i64)({value})"),
    }
}

/// The value of a word, back.
pub(super) fn from_word(repr: Repr, word: &str, next: &str) -> String {
    match repr {
        Repr::Bool => format!("({word} != 0)"),
        Repr::F32 => format!("__uint_as_float((u32)({word}))"),
        Repr::F64 => format!("__longlong_as_double((i64)({word}))"),
        Repr::I128 => format!("(i128)((u128)({next}) << 64 | ({word}))"),
        _ => format!("({})({word})", repr.c_type()),
    }
}
