//! What functions say of each row: frames first, then the accumulators over them, then a column a function.

use super::super::aggregate::Combine;
use super::super::expr::{Code, ColumnShape, Expr};
use super::super::window::{Bound, Place, WindowFunction, WindowSpec, WindowValue};
use super::finish::{made, store};
use super::rows::zero;
use super::window::{column_of, join_of};
use super::window_frames::write_frame;
use super::{Generated, code, generated, over_rows};
use crate::batch::Repr;

/// Name of the kernel of [`window_values`].
pub const WINDOW_VALUES: &str = "window_values";
/// Addresses that an accumulator has in the kernel's `sources`: its values joined up to each row, its values by row, the
/// levels of the tree over those, and row numbers: in the order of its argument, or of the rows that have one.
pub const SOURCE_WORDS: usize = 4;

/// What stands before functions: the row, its partition and its peers. Rows that are not active take row 0.
const HERE: &str = "\
const u64 at = row, here = active ? row : 0;\n\
const u64 partition = partition_ids[here];\n\
const u64 first = partition_firsts[partition], end = partition_firsts[partition + 1u];\n\
const u64 peer = peer_ids[here], first_peer = peer_ids[first], last_peer = peer_ids[end - 1u];\n\
const u64 peers_from = peer_firsts[peer], peers_to = peer_firsts[peer + 1u];\n";

/// Writes a column a function of sorted rows. Arguments after the common ones: `const u32* partition_ids,
/// const u32* partition_firsts, const u32* peer_ids, const u32* peer_firsts` (segments), `const u64* sources`
/// ([`SOURCE_WORDS`] an accumulator), `const WfColumn* outputs`.
pub fn window_values(columns: &[ColumnShape], spec: &WindowSpec) -> Result<Generated, String> {
    let mut code = code(columns);
    code.write(HERE);
    for (index, frame) in spec.frames.iter().enumerate() {
        write_frame(&mut code, index, frame, &spec.order)?;
    }
    let mut writer = Writer {
        columns,
        spec,
        joined: Vec::new(),
    };
    for (index, function) in spec.functions.iter().enumerate() {
        writer.write(&mut code, index, function)?;
    }
    let body = code.take_text();
    let arguments = ", const u32* partition_ids, const u32* partition_firsts, const u32* peer_ids, \
                     const u32* peer_firsts, const u64* sources, const WfColumn* outputs";
    let text = over_rows(WINDOW_VALUES, arguments, "", &body, "");
    Ok(generated(WINDOW_VALUES, text, &code))
}

struct Writer<'a> {
    columns: &'a [ColumnShape],
    spec: &'a WindowSpec,
    /// Frames and accumulators whose words are there.
    joined: Vec<(usize, usize)>,
}

impl Writer<'_> {
    fn write(&mut self, code: &mut Code, index: usize, function: &WindowFunction) -> Result<(), String> {
        let repr = Repr::of(&function.data_type)
            .ok_or_else(|| format!("{function} of type {} is not held on the GPU", function.data_type))?;
        let plain = |text: &str| ("true".to_owned(), text.to_owned());
        let (valid, value) = match &function.value {
            WindowValue::RowNumber => plain("here - first + 1u"),
            WindowValue::Rank => plain("peers_from - first + 1u"),
            WindowValue::DenseRank => plain("peer - first_peer + 1u"),
            WindowValue::PercentRank => {
                plain("(end - first > 1u ? (f64)(peers_from - first) / (f64)(end - first - 1u) : 0.0)")
            }
            WindowValue::CumeDist => plain("(f64)(peers_to - first) / (f64)(end - first)"),
            WindowValue::Ntile(buckets) => {
                let buckets = code.value(buckets)?.text;
                plain(&format!("wf_ntile(here - first, end - first, {buckets})"))
            }
            WindowValue::Shift {
                argument,
                by,
                back,
                default,
                valued,
            } => {
                let by = code.value(by)?.text;
                let default = code.value(default)?;
                let row = self.shifted(code, argument, &by, *back, *valued)?;
                let valid = default.valid.as_deref().unwrap_or("true");
                self.picked(argument, &row, repr, valid, &default.text)?
            }
            WindowValue::Pick {
                argument,
                frame,
                place,
                valued,
            } => {
                let row = self.placed(code, argument, *frame, place, *valued)?;
                self.picked(argument, &row, repr, "false", &zero(repr))?
            }
            WindowValue::Aggregate { frame, finish } => {
                for accumulator in finish.accumulators() {
                    self.join(code, *frame, accumulator)?;
                }
                let word = |accumulator: usize, word: usize| format!("a{frame}_{accumulator}_{word}");
                let (before, valid, value) = made(&self.spec.accumulators, finish, repr, index, &word);
                code.write(&before);
                (valid, value)
            }
        };
        let stored = match repr {
            Repr::Bool | Repr::Str => value,
            _ => format!("({})({value})", repr.c_type()),
        };
        code.write(&format!(
            "{{ bool valid = active && {valid};\n{}}}\n",
            store(index, repr, &stored, function.nullable)
        ));
        Ok(())
    }

    /// Address of what an accumulator has, as a C++ expression of type `c_type`.
    fn source(accumulator: usize, place: usize, c_type: &str) -> String {
        format!(
            "((const {c_type}*)sources[{}])",
            accumulator * SOURCE_WORDS + place
        )
    }

    /// The words of an accumulator over a frame, once.
    fn join(&mut self, code: &mut Code, frame: usize, accumulator: usize) -> Result<(), String> {
        if self.joined.contains(&(frame, accumulator)) {
            return Ok(());
        }
        self.joined.push((frame, accumulator));
        let added = &self.spec.accumulators[accumulator];
        let combine = added.combine;
        let op = join_of(combine)?.c_type();
        let value = format!("{op}::type");
        let scanned = Self::source(accumulator, 0, &value);
        let name = format!("j{frame}_{accumulator}");
        let (low, high) = (format!("low{frame}"), format!("high{frame}"));
        let joined = if combine.can_be_taken_away() {
            let minus = if combine == Combine::BitXor { "^" } else { "-" };
            format!("{scanned}[{high} - 1u] {minus} ({low} > 0 ? {scanned}[{low} - 1u] : {op}::none())")
        } else if self.spec.frames[frame].start == Bound::Unbounded {
            format!("{scanned}[{high} - 1u]")
        } else {
            let (leaves, levels) = (
                Self::source(accumulator, 1, &value),
                Self::source(accumulator, 2, &value),
            );
            format!("wf_tree_join<{op}>({leaves}, {levels}, rows, {low}, {high})")
        };
        code.write(&format!(
            "const {value} {name} = {high} > {low} ? {joined} : {op}::none();\n"
        ));
        let words: Vec<(usize, String)> = match combine {
            Combine::SumDecimal => vec![(0, format!("(u64){name}")), (1, format!("(u64)({name} >> 64)"))],
            Combine::SumFloat => vec![(0, format!("(u64)__double_as_longlong({name})"))],
            Combine::Moments => [(1, "count"), (2, "mean"), (3, "squares")]
                .map(|(word, part)| (word, format!("(u64)__double_as_longlong({name}.{part})")))
                .to_vec(),
            combine if combine.is_extreme() => {
                let argument = added.argument.as_ref().ok_or("an extreme of nothing")?;
                let (column, repr) = (column_of(argument)?, argument.repr()?);
                let order = Self::source(accumulator, 3, "u32");
                code.write(&format!(
                    "const {} v{name} = (({0}*)columns[{column}].values)[{name} < rows ? {order}[{name}] : 0u];\n",
                    repr.c_type()
                ));
                match repr {
                    Repr::Str => vec![
                        (1, format!("v{name}.address")),
                        (2, format!("(u64)v{name}.bytes")),
                    ],
                    _ => vec![
                        (1, format!("(u64)v{name}")),
                        (2, format!("(u64)((u128)v{name} >> 64)")),
                    ],
                }
            }
            _ => vec![(0, name.clone())],
        };
        for (word, text) in words {
            code.write(&format!("const u64 a{frame}_{accumulator}_{word} = {text};\n"));
        }
        if combine.is_extreme() || combine == Combine::Moments {
            code.write(&format!("const u64 a{frame}_{accumulator}_0 = 0;\n"));
        }
        Ok(())
    }

    /// The count of rows up to each, and the numbers of those rows, that have the argument, if others are left out.
    fn valued(&self, argument: &Expr, valued: Option<usize>) -> Result<Option<(String, String)>, String> {
        let Some(count) = valued else { return Ok(None) };
        let shape = self.columns.get(column_of(argument)?);
        Ok(match shape.is_some_and(|shape| shape.nullable) {
            true => Some((Self::source(count, 0, "u64"), Self::source(count, 3, "u32"))),
            false => None,
        })
    }

    /// The row that is `by` rows away: whether there is one, and its number.
    fn shifted(
        &self,
        code: &mut Code,
        argument: &Expr,
        by: &str,
        back: bool,
        valued: Option<usize>,
    ) -> Result<Row, String> {
        let Some((counts, numbers)) = self.valued(argument, valued)? else {
            return Ok(match back {
                true => Row::new(format!("here - first >= {by}"), format!("here - {by}")),
                false => Row::new(format!("{by} < end - here"), format!("here + {by}")),
            });
        };
        let name = code.name();
        Ok(if back {
            code.write(&format!(
                "const u64 before_{name} = here > 0 ? {counts}[here - 1u] : 0;\n\
                 const u64 start_{name} = first > 0 ? {counts}[first - 1u] : 0;\n"
            ));
            Row::new(
                format!("before_{name} - start_{name} >= {by}"),
                format!("({by} == 0 ? here : (u64){numbers}[before_{name} - {by}])"),
            )
        } else {
            code.write(&format!(
                "const u64 upto_{name} = {counts}[here], all_{name} = {counts}[end - 1u];\n"
            ));
            Row::new(
                format!("all_{name} - upto_{name} >= {by}"),
                format!("({by} == 0 ? here : (u64){numbers}[upto_{name} + {by} - 1u])"),
            )
        })
    }

    /// The row at a place of a frame.
    fn placed(
        &self,
        code: &mut Code,
        argument: &Expr,
        frame: usize,
        place: &Place,
        valued: Option<usize>,
    ) -> Result<Row, String> {
        let (by, from_first) = match place {
            Place::FromFirst(by) => (code.value(by)?.text, true),
            Place::BeforeEnd(by) => (code.value(by)?.text, false),
            Place::Nowhere => return Ok(Row::new("false".into(), "0".into())),
        };
        let Some((counts, numbers)) = self.valued(argument, valued)? else {
            return Ok(match from_first {
                true => Row::new(
                    format!("high{frame} - low{frame} > {by}"),
                    format!("low{frame} + {by}"),
                ),
                false => Row::new(
                    format!("high{frame} - low{frame} >= {by}"),
                    format!("high{frame} - {by}"),
                ),
            });
        };
        let name = code.name();
        code.write(&format!(
            "const u64 from_{name} = low{frame} > 0 ? {counts}[low{frame} - 1u] : 0;\n\
             const u64 to_{name} = high{frame} > low{frame} ? {counts}[high{frame} - 1u] : from_{name};\n"
        ));
        Ok(match from_first {
            true => Row::new(
                format!("to_{name} - from_{name} > {by}"),
                format!("{numbers}[from_{name} + {by}]"),
            ),
            false => Row::new(
                format!("to_{name} - from_{name} >= {by}"),
                format!("{numbers}[to_{name} - {by}]"),
            ),
        })
    }

    /// The argument's value at a row, or what stands for it where there is none.
    fn picked(
        &self,
        argument: &Expr,
        row: &Row,
        repr: Repr,
        otherwise_valid: &str,
        otherwise: &str,
    ) -> Result<(String, String), String> {
        let column = column_of(argument)?;
        let Row { found, number } = row;
        let valid = format!(
            "({found} ? wf_bit((const u32*)columns[{column}].validity, {number}) : {otherwise_valid})"
        );
        let value = match repr {
            Repr::Bool => {
                format!("({found} ? wf_bit((const u32*)columns[{column}].values, {number}) : {otherwise})")
            }
            _ => format!(
                "({found} ? ((const {}*)columns[{column}].values)[{number}] : {otherwise})",
                repr.c_type()
            ),
        };
        Ok((valid, value))
    }
}

/// A row that may not be there.
struct Row {
    found: String,
    number: String,
}

impl Row {
    fn new(found: String, number: String) -> Self {
        Self { found, number }
    }
}
