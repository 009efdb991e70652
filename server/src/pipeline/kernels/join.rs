//! Keys looked up in the tables of joins, and the entries of a table's own rows.

use datafusion::common::JoinType;

use super::super::expr::{Code, ColumnShape, Expr};
use super::keys::{KeyLayout, as_word, write_keys};
use super::{Generated, code, generated, keep_active, over_rows};
use crate::batch::Repr;

/// Name of the kernel of [`key_range`].
pub const KEY_RANGE: &str = "key_range";
/// Name of the kernel of [`dense_entries`].
pub const DENSE_ENTRIES: &str = "dense_entries";
/// Name of the kernel of [`look_up`].
pub const LOOK_UP: &str = "look_up";
/// Name of the kernel of [`find_entries`].
pub const FIND_ENTRIES: &str = "find_entries";
/// Name of the kernel of [`count_matches`].
pub const COUNT_MATCHES: &str = "count_matches";

/// How the entry of a key is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// There is one entry for all rows, or none.
    Single,
    /// The key is a number, and its distance from the smallest one the entry.
    Dense,
    /// The key is in a table of groups, and its number the entry.
    Groups(KeyLayout),
    /// The key is the entry, found before.
    Found,
}

/// What a kernel must know of a table, and of the rows that look their keys up in it.
#[derive(Debug, Clone)]
pub struct Probe<'a> {
    /// Rows for which one of these is not true are dropped first.
    pub filters: &'a [Expr],
    /// Over the columns before the join.
    pub keys: &'a [Expr],
    /// How their entry is found.
    pub lookup: &'a Lookup,
    /// Whether an entry has one row at most; else it has a list.
    pub unique: bool,
    /// Whether a null equals a null.
    pub null_keys: bool,
}

/// One of several joins that a kernel does in a row.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// The table and the keys.
    pub probe: Probe<'a>,
    /// What becomes of the rows.
    pub finding: Finding,
}

/// What a row does with the entry that it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The entry's row is written to a list of row numbers, if columns are read through one. Rows without a match are
    /// dropped, or not.
    Row {
        /// The list.
        list: Option<usize>,
        /// Whether rows without a match stay.
        keeps: bool,
    },
    /// Rows with a match stay, or those without.
    Presence {
        /// Which.
        wanted: bool,
    },
    /// Whether there is a match goes to a column of booleans.
    Mark {
        /// Its index.
        column: usize,
    },
    /// The entry is marked as seen; no row stays. Two bytes behind those of the entries say that some key was null, and
    /// that there was a row.
    Seen,
}

/// Whether keys of this form can be dense.
pub fn may_be_dense(repr: Repr) -> bool {
    !matches!(repr, Repr::F32 | Repr::F64 | Repr::I128 | Repr::Str | Repr::Bool)
}

/// Whether the words of this form sort as unsigned numbers.
pub fn is_unsigned(repr: Repr) -> bool {
    matches!(repr, Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64)
}

/// The smallest and the largest key as words that sort as keys do, and how many are not null. Arguments after the common
/// ones: `u64* range`, these three, all ones, zero and zero before.
pub fn key_range(columns: &[ColumnShape], key: &Expr) -> Result<Generated, String> {
    let mut code = code(columns);
    let value = code.value(key)?;
    let valid = value.valid.clone().unwrap_or_else(|| "true".into());
    let word = match is_unsigned(value.repr) {
        true => format!("(u64)({})", value.text),
        false => format!("wf_order_key((i64)({}))", value.text),
    };
    code.write(&format!(
        "if (active && {valid}) {{ u64 key = {word}; least = wf_min(least, key); most = wf_max(most, key); count++; }}\n"
    ));
    let body = code.take_text();
    let text = over_rows(
        KEY_RANGE,
        ", u64* range",
        "u64 least = ~0ull, most = 0, count = 0;\n",
        &body,
        "least = wf_warp_reduce<WfMin, u64>(least);\nmost = wf_warp_reduce<WfMax, u64>(most);\n\
         count = wf_warp_reduce<WfSum, u64>(count);\n\
         if (wf_lane_id() == 0 && count != 0) {\natomicMin(range, least);\natomicMax(range + 1, most);\n\
         atomicAdd(range + 2, count);\n}\n",
    );
    Ok(generated(KEY_RANGE, text, &code))
}

/// The entry of each row of a table whose keys are dense. Arguments after the common ones: `u64 base`, `u32* entries`.
pub fn dense_entries(columns: &[ColumnShape], key: &Expr) -> Result<Generated, String> {
    let mut code = code(columns);
    let value = code.value(key)?;
    let valid = value.valid.clone().unwrap_or_else(|| "true".into());
    code.write(&format!(
        "if (active) entries[row] = {valid} ? (u32)({} - base) : WF_NO_ROW;\n",
        as_word(value.repr, &value.text)
    ));
    let body = code.take_text();
    let text = over_rows(DENSE_ENTRIES, ", u64 base, u32* entries", "", &body, "");
    Ok(generated(DENSE_ENTRIES, text, &code))
}

/// The entry of each row's keys in a table, or WF_NO_ROW. Arguments after the common ones: `const WfJoin* joins`,
/// `u32* entries`.
pub fn find_entries(columns: &[ColumnShape], probe: &Probe<'_>) -> Result<Generated, String> {
    let mut code = code(columns);
    let entry = entry(&mut code, probe, 0)?.entry;
    code.write(&format!("if (row < rows) entries[row] = {entry};\n"));
    let body = code.take_text();
    let text = over_rows(FIND_ENTRIES, ", const WfJoin* joins, u32* entries", "", &body, "");
    Ok(generated(FIND_ENTRIES, text, &code))
}

/// Does `steps` one after the other, each on the rows that the ones before left, and writes a bitmap of those that all
/// left. Tables' columns are columns of the input, read through lists that this kernel writes. Arguments after the
/// common ones: `const WfJoin* joins`, one a step; `u32* mask`.
pub fn look_up(columns: &[ColumnShape], steps: &[Step<'_>]) -> Result<Generated, String> {
    let mut code = code(columns);
    for (place, step) in steps.iter().enumerate() {
        keep_active(&mut code, step.probe.filters)?;
        let found = entry(&mut code, &step.probe, place)?;
        let (entry, has_key) = (&found.entry, &found.has_key);
        match step.finding {
            Finding::Row { list, keeps } => {
                let number = code.name();
                code.write(&format!(
                    "u32 {number} = {entry} != WF_NO_ROW ? ((const u32*)joins[{place}].rows)[{entry}] : WF_NO_ROW;\n"
                ));
                if !keeps {
                    code.write(&format!("active = active && {number} != WF_NO_ROW;\n"));
                }
                if let Some(list) = list {
                    let at = columns.len() + list;
                    code.write(&format!(
                        "if (row < rows) ((u32*)columns[{at}].values)[row] = {number};\n"
                    ));
                    code.bind_number(list, number);
                }
            }
            Finding::Presence { wanted } => {
                let not = if wanted { "" } else { "!" };
                let is = present(&step.probe, entry, place);
                code.write(&format!("active = active && {not}({is});\n"));
            }
            Finding::Mark { column } => {
                let is = present(&step.probe, entry, place);
                code.write(&format!(
                    "{{ u32 word = __ballot_sync(WF_ALL_LANES, active && {is});\n\
                     if (wf_lane_id() == 0 && row < rows) ((u32*)columns[{column}].values)[row >> 5] = word; }}\n"
                ));
            }
            Finding::Seen => code.write(&format!(
                "{{ u8* seen = (u8*)joins[{place}].seen;\nu64 entries = joins[{place}].entries;\n\
                 if ({entry} != WF_NO_ROW) seen[{entry}] = 1;\n\
                 if (active && !({has_key})) seen[entries] = 1;\nif (active) seen[entries + 1] = 1; }}\n\
                 active = false;\n"
            )),
        }
    }
    code.write(
        "u32 word = __ballot_sync(WF_ALL_LANES, active);\nif (wf_lane_id() == 0 && row < rows) mask[row >> 5] = word;\n",
    );
    let body = code.take_text();
    let text = over_rows(LOOK_UP, ", const WfJoin* joins, u32* mask", "", &body, "");
    Ok(generated(LOOK_UP, text, &code))
}

/// How many rows of the table each row matches: one where it `keeps` rows that match none. Arguments after the common
/// ones: `const WfJoin* joins`; `u32* mask`, a bitmap of the rows that the filters left; `u32* counts`; `u32* matches`,
/// where the list starts, or without lists the row itself.
pub fn count_matches(columns: &[ColumnShape], probe: &Probe<'_>, keeps: bool) -> Result<Generated, String> {
    let mut code = code(columns);
    keep_active(&mut code, probe.filters)?;
    let entry = entry(&mut code, probe, 0)?.entry;
    let find = match probe.unique {
        true => format!("match = ((const u32*)joins->rows)[{entry}];\ncount = match != WF_NO_ROW;\n"),
        false => format!(
            "match = ((const u32*)joins->lists)[{entry}];\ncount = ((const u32*)joins->lists)[{entry} + 1] - match;\n"
        ),
    };
    let alone = if keeps {
        "if (active && count == 0) count = 1;\n"
    } else {
        ""
    };
    code.write(&format!(
        "u32 count = 0, match = WF_NO_ROW;\nif ({entry} != WF_NO_ROW) {{\n{find}if (count == 0) match = WF_NO_ROW;\n}}\n\
         {alone}if (row < rows) {{ counts[row] = count; matches[row] = match; }}\n\
         u32 word = __ballot_sync(WF_ALL_LANES, active);\nif (wf_lane_id() == 0 && row < rows) mask[row >> 5] = word;\n"
    ));
    let body = code.take_text();
    let arguments = ", const WfJoin* joins, u32* mask, u32* counts, u32* matches";
    let text = over_rows(COUNT_MATCHES, arguments, "", &body, "");
    Ok(generated(COUNT_MATCHES, text, &code))
}

/// Variables of a row: its entry, and whether no key of it is null.
struct Found {
    entry: String,
    has_key: String,
}

/// The entry of the present row's keys in table `place`: WF_NO_ROW for rows that are not active.
fn entry(code: &mut Code, probe: &Probe<'_>, place: usize) -> Result<Found, String> {
    let found = Found {
        entry: code.name(),
        has_key: code.name(),
    };
    let (entry, has_key) = (&found.entry, &found.has_key);
    code.write(&format!("u32 {entry} = WF_NO_ROW;\nbool {has_key} = true;\n"));
    let mut valid: Vec<String> = Vec::new();
    code.open("");
    for key in probe.keys {
        valid.extend(code.value(key)?.valid);
    }
    if !valid.is_empty() {
        code.write(&format!("{has_key} = {};\n", valid.join(" && ")));
    }
    let wanted = if probe.null_keys {
        "active".to_owned()
    } else {
        format!("active && {has_key}")
    };
    match probe.lookup {
        Lookup::Single => code.write(&format!(
            "if (active && joins[{place}].entries != 0) {entry} = 0;\n"
        )),
        Lookup::Dense => {
            let [key] = probe.keys else {
                return Err(format!("{} keys where there is one", probe.keys.len()));
            };
            let value = code.value(key)?;
            let word = as_word(value.repr, &value.text);
            code.write(&format!(
                "if ({wanted}) {entry} = wf_dense_entry(joins + {place}, {word});\n"
            ));
        }
        Lookup::Found => {
            let [key] = probe.keys else {
                return Err(format!("{} keys where there is one", probe.keys.len()));
            };
            let value = code.value(key)?;
            code.write(&format!("if ({wanted}) {entry} = (u32)({});\n", value.text));
        }
        Lookup::Groups(layout) => {
            let mut wanted = wanted;
            for (place, key) in layout.keys.iter().zip(probe.keys) {
                if let Some(fits) = place.fits(&code.value(key)?) {
                    wanted.push_str(&format!(" && {fits}"));
                }
            }
            write_keys(code, layout, probe.keys)?;
            let (words, texts) = (layout.words.max(1), layout.texts.len());
            code.write(&format!(
                "if ({wanted}) {entry} = wf_seek_group<{words}, {texts}>((const WfGroups*)joins[{place}].groups, words, \
                 texts, text_words);\n"
            ));
        }
    }
    code.close();
    Ok(found)
}

/// Whether an entry has a row.
fn present(probe: &Probe<'_>, entry: &str, place: usize) -> String {
    match (probe.lookup, probe.unique) {
        (Lookup::Dense, true) => {
            format!("{entry} != WF_NO_ROW && ((const u32*)joins[{place}].rows)[{entry}] != WF_NO_ROW")
        }
        (Lookup::Dense, false) => format!(
            "{entry} != WF_NO_ROW && ((const u32*)joins[{place}].lists)[{entry}] != ((const u32*)joins[{place}].lists)[{entry} + 1]"
        ),
        _ => format!("{entry} != WF_NO_ROW"),
    }
}

/// What a row does with the entry that it finds in a table, where that needs no list of pairs; `unique` says whether an
/// entry has one row at most.
pub fn finding(join_type: JoinType, has_residual: bool, unique: bool) -> Option<Finding> {
    let list = None;
    Some(match join_type {
        _ if has_residual => return None,
        JoinType::Inner if unique => Finding::Row { list, keeps: false },
        JoinType::Right if unique => Finding::Row { list, keeps: true },
        JoinType::RightSemi => Finding::Presence { wanted: true },
        JoinType::RightAnti => Finding::Presence { wanted: false },
        JoinType::RightMark => Finding::Mark { column: 0 },
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => Finding::Seen,
        _ => return None,
    })
}
