//! The group of each row.

use super::super::expr::{ColumnShape, Expr};
use super::keys::{KeyLayout, write_keys};
use super::{ENTER_ARGUMENTS, Generated, code, generated, keep_active, over_rows};

/// Name of the kernel of [`find_groups`].
pub const FIND_GROUPS: &str = "find_groups";

/// Writes the group number of each row for which all `filters` are true, and WF_NO_GROUP for others. Arguments after the
/// common ones: those of a kernel that enters rows into a table.
pub fn find_groups(
    columns: &[ColumnShape],
    filters: &[Expr],
    keys: &[Expr],
    layout: &KeyLayout,
) -> Result<Generated, String> {
    let mut code = code(columns);
    keep_active(&mut code, filters)?;
    write_keys(&mut code, layout, keys)?;
    let (words, texts) = (layout.words.max(1), layout.texts.len());
    code.write(&format!(
        "u32 group = active ? wf_find_group<{words}, {texts}>(table, words, texts, text_words) : WF_NO_GROUP;\n\
         if (row < rows) groups[row] = group;\n"
    ));
    let body = code.take_text();
    let text = over_rows(FIND_GROUPS, ENTER_ARGUMENTS, "", &body, "");
    Ok(generated(FIND_GROUPS, text, &code))
}
