//! Windows over sorted rows: where partitions and peers begin, and what accumulators take of each row. Every expression
//! of the specification is a column by now.

use kernels::window::Join;

use super::super::aggregate::Combine;
use super::super::expr::{ColumnShape, Expr, Node};
use super::super::window::WindowSpec;
use super::update::added;
use super::{Generated, code, generated, over_rows};
use crate::batch::Repr;

/// Name of the kernel of [`mark_window`].
pub const MARK_WINDOW: &str = "mark_window";
/// Name of the kernel of [`window_inputs`].
pub const WINDOW_INPUTS: &str = "window_inputs";

/// Writes bitmaps of the rows that begin a partition, and of those that begin peers. Arguments after the common ones:
/// `u32* partitions, u32* peers`.
pub fn mark_window(columns: &[ColumnShape], spec: &WindowSpec) -> Result<Generated, String> {
    let code = code(columns);
    let differs = |keys: &mut dyn Iterator<Item = &Expr>| {
        let tests = keys.map(row_differs).collect::<Result<Vec<_>, String>>()?;
        Ok::<_, String>(match tests.is_empty() {
            true => "false".to_owned(),
            false => tests.join(" || "),
        })
    };
    let partition = differs(&mut spec.partition.iter())?;
    let peers = differs(&mut spec.order.iter().map(|key| &key.expr))?;
    let body = format!(
        "bool begins = active && (row == 0 || {partition});\n\
         bool changes = begins || (active && ({peers}));\n\
         u32 beginning = __ballot_sync(WF_ALL_LANES, begins), changing = __ballot_sync(WF_ALL_LANES, changes);\n\
         if (wf_lane_id() == 0 && active) {{\n\
         partitions[row >> 5] = beginning;\npeers[row >> 5] = changing;\n}}\n"
    );
    let text = over_rows(MARK_WINDOW, ", u32* partitions, u32* peers", "", &body, "");
    Ok(generated(MARK_WINDOW, text, &code))
}

/// Whether `row` differs in a column from the row before it.
fn row_differs(expr: &Expr) -> Result<String, String> {
    let column = column_of(expr)?;
    Ok(match expr.repr()? {
        Repr::Bool => format!("wf_bit_differs(columns[{column}], row)"),
        Repr::Str => format!("wf_text_differs(columns[{column}], row)"),
        repr => {
            let bits = match repr.width() {
                1 => "u8",
                2 => "u16",
                4 => "u32",
                8 => "u64",
                _ => "u128",
            };
            format!("wf_row_differs<{bits}>(columns[{column}], row)")
        }
    })
}

/// The column that an expression is.
pub(super) fn column_of(expr: &Expr) -> Result<usize, String> {
    match expr.node {
        Node::Column(index, _) => Ok(index),
        _ => Err(format!("{expr} is not a column yet")),
    }
}

/// How the values of an accumulator are joined.
pub fn join_of(combine: Combine) -> Result<Join, String> {
    Ok(match combine {
        Combine::Count | Combine::SumInteger => Join::Add,
        Combine::SumDecimal => Join::AddWide,
        Combine::SumFloat => Join::AddFloat,
        Combine::Moments => Join::Moments,
        Combine::Min | Combine::MinWide | Combine::MinText => Join::Min,
        Combine::Max | Combine::MaxWide | Combine::MaxText => Join::Max,
        Combine::BitAnd => Join::And,
        Combine::BitOr => Join::Or,
        Combine::BitXor => Join::Xor,
        Combine::CountDistinct | Combine::CoMoments => {
            return Err(format!("{combine:?} over a frame is not run on the GPU"));
        }
    })
}

/// Writes what each accumulator takes of each row: a value of its join, and what joins without a trace where the row does
/// not count. Of an extreme that is kept apart it is the row's place in the order of the argument. Arguments after the
/// common ones: `const u64* targets`, an address an accumulator; `const u64* places`, for each the addresses of rows'
/// places, or 0.
pub fn window_inputs(columns: &[ColumnShape], spec: &WindowSpec) -> Result<Generated, String> {
    let mut code = code(columns);
    let mut lines = String::new();
    for (index, accumulator) in spec.accumulators.iter().enumerate() {
        let (condition, value) = added(&mut code, accumulator)?;
        let op = join_of(accumulator.combine)?.c_type();
        let value = match accumulator.combine {
            Combine::Moments => format!("WfMoments{{1.0, {value}, 0.0}}"),
            combine if combine.is_extreme() => format!("((const u32*)places[{index}])[row]"),
            _ => value,
        };
        lines.push_str(&format!(
            "if (active) (({op}::type*)targets[{index}])[row] = {condition} ? ({op}::type)({value}) : {op}::none();\n"
        ));
    }
    code.write(&lines);
    let body = code.take_text();
    let arguments = ", const u64* targets, const u64* places";
    let text = over_rows(WINDOW_INPUTS, arguments, "", &body, "");
    Ok(generated(WINDOW_INPUTS, text, &code))
}
