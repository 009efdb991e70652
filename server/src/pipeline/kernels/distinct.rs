//! Different values of each group, as members of a set.

use super::super::aggregate::Accumulator;
use super::super::expr::{ColumnShape, Expr, Value};
use super::keys::{KeyLayout, KeyPlace, Place, WORD_BITS, key_bits, write_keys};
use super::update::{as_added, call, of_row};
use super::{BLOCK_THREADS, ENTER_ARGUMENTS, Generated, code, generated, keep_active, kept, over_rows};
use crate::batch::Repr;
use kernels::KernelSource;

/// Name of the kernel of [`fold_members`].
pub const FOLD_MEMBERS: &str = "fold_members";
/// Name of the kernel of [`insert_distinct`].
pub const INSERT_DISTINCT: &str = "insert_distinct";

/// Bits of the number of a group, the first of each member's.
const GROUP_BITS: usize = 32;

/// Where the value of a member lies: beside the number of its group if there is room, else in words of its own.
fn member_value(repr: Repr) -> KeyPlace {
    let (word, bit) = match key_bits(repr) <= GROUP_BITS {
        true => (0, GROUP_BITS),
        false => (1, 0),
    };
    KeyPlace {
        repr,
        value: Place { word, bit },
        null: None,
    }
}

/// The layout of a set's keys: the value; room is left for the group.
pub fn member_layout(argument: &Expr) -> Result<KeyLayout, String> {
    let repr = argument.repr()?;
    let key = member_value(repr);
    let word = key.value.word;
    Ok(KeyLayout {
        keys: vec![key],
        words: word + key_bits(repr).div_ceil(WORD_BITS),
        texts: if repr == Repr::Str { vec![word] } else { Vec::new() },
    })
}

/// Enters the value of each row, with its group, into a set. It may run again over the same rows, and has to where the
/// set had no room. Arguments after the common ones: those of a kernel that enters rows into a table, the set; where
/// there is one group `groups` is null, and `filters` are applied here.
pub fn insert_distinct(
    columns: &[ColumnShape],
    filters: &[Expr],
    grouped: bool,
    argument: &Expr,
    filter: Option<&Expr>,
) -> Result<Generated, String> {
    let layout = member_layout(argument)?;
    let mut code = code(columns);
    if grouped {
        code.write("u32 group = active ? groups[row] : WF_NO_GROUP;\nactive = group != WF_NO_GROUP;\n");
    } else {
        keep_active(&mut code, filters)?;
        code.write("u32 group = 0;\n");
    }
    if let Some(filter) = filter {
        let keep = kept(&code.value(filter)?);
        code.write(&format!("active = active && {keep};\n"));
    }
    if let Some(valid) = code.value(argument)?.valid {
        code.write(&format!("active = active && {valid};\n"));
    }
    write_keys(&mut code, &layout, std::slice::from_ref(argument))?;
    code.write(&format!(
        "words[0] |= group;\nif (active) wf_find_group<{}, {}>(table, words, texts, text_words);\n",
        layout.words,
        layout.texts.len()
    ));
    let body = code.take_text();
    let text = over_rows(INSERT_DISTINCT, ENTER_ARGUMENTS, "", &body, "");
    Ok(generated(INSERT_DISTINCT, text, &code))
}

/// Adds the value of each member of a set to an accumulator of its group, whose first word is `start`. Arguments:
/// `const WfGroups* set`, `u64* state`, `u64 capacity`.
pub fn fold_members(accumulator: &Accumulator, start: usize) -> Result<Generated, String> {
    let argument = accumulator
        .argument
        .as_ref()
        .ok_or("different values of nothing")?;
    let repr = argument.repr()?;
    if repr == Repr::Str {
        return Err("strings are not added".into());
    }
    let word = |word: usize| format!("keys[{word}ull * set->capacity + member]");
    let value = Value {
        text: "value".into(),
        valid: None,
        repr,
        most: None,
    };
    let added = of_row(accumulator.combine, &as_added(accumulator.combine, &value)?);
    let place = |word: usize| format!("state[{}ull * capacity + group]", start + word);
    let text = format!(
        "WF_KERNEL({BLOCK_THREADS}) {FOLD_MEMBERS}(const WfGroups* set, u64* state, u64 capacity) {{\n\
         u64 member = wf_grid_thread();\nif (member >= set->count) return;\n\
         const u64* keys = (const u64*)set->keys;\nu64 group = (u32)keys[member];\n\
         {} value = {};\n{}\n}}\n",
        repr.c_type(),
        member_value(repr).value(&word),
        call("shared", accumulator.combine, place, &added)
    );
    Ok(Generated {
        source: KernelSource::generated(FOLD_MEMBERS, text, &[FOLD_MEMBERS]),
        literals: Vec::new(),
    })
}
