//! Groups to columns: their keys, and what is made of their state.

use super::super::aggregate::{Accumulator, AggregateSpec, Combine, Finish, Pairs};
use super::keys::KeyLayout;
use super::rows::zero;
use super::{BLOCK_THREADS, Generated};
use crate::batch::Repr;
use kernels::KernelSource;

/// Name of the kernel of [`finish`].
pub const FINISH: &str = "finish_groups";

/// Writes a row a group: its keys (but for strings, which are references made elsewhere), then the outcomes.
/// Arguments: `const u64* keys`, `const u64* state`, `u64 capacity`, `u64 rows`, `const WfColumn* outputs`,
/// `WfError* error`. Every output has room for validity that its type calls for.
pub fn finish(spec: &AggregateSpec, layout: &KeyLayout) -> Result<Generated, String> {
    let (starts, words) = spec.layout();
    // Each word is read once, before anything is written that it might be.
    let mut body: String = (0..words)
        .map(|word| format!("const u64 s{word} = active ? state[{word}ull * capacity + at] : 0ull;\n"))
        .collect();
    let read = (0..layout.words).filter(|word| !layout.texts.contains(word));
    body.extend(
        read.map(|word| format!("const u64 k{word} = active ? keys[{word}ull * capacity + at] : 0ull;\n")),
    );
    let word = |word: usize| format!("k{word}");
    for (index, key) in layout.keys.iter().enumerate() {
        let nullable = key.null.is_some();
        let valid = key.valid(&word).unwrap_or_else(|| "true".into());
        body.push_str(&format!("{{ bool valid = active && {valid};\n"));
        body.push_str(&match key.repr {
            Repr::Str => validity(index, nullable),
            repr => store(index, repr, &key.value(&word), nullable),
        });
        body.push_str("}\n");
    }
    for (place, outcome) in spec.outcomes.iter().enumerate() {
        let index = spec.keys.len() + place;
        if matches!(outcome.finish, Finish::Ordered(_)) {
            continue;
        }
        let repr = Repr::of(&outcome.data_type)
            .ok_or_else(|| format!("{outcome} of type {} is not held on the GPU", outcome.data_type))?;
        let word = |accumulator: usize, word: usize| format!("s{}", starts[accumulator] + word);
        let (before, valid, value) = made(&spec.accumulators, &outcome.finish, repr, index, &word);
        body.push_str(&before);
        body.push_str(&format!("{{ bool valid = active && {valid};\n"));
        body.push_str(&store(index, repr, &value, outcome.may_be_null()));
        body.push_str("}\n");
    }
    let text = format!(
        "WF_KERNEL({BLOCK_THREADS}) {FINISH}(const u64* keys, const u64* state, u64 capacity, u64 rows, \
         const WfColumn* outputs, WfError* error) {{\n\
         for (u64 start = (u64)blockIdx.x * blockDim.x; start < rows; start += wf_grid_threads()) {{\n\
         u64 at = start + threadIdx.x;\nbool active = at < rows;\n{body}}}\n}}\n"
    );
    Ok(Generated {
        source: KernelSource::generated(FINISH, text, &[FINISH]),
        literals: Vec::new(),
    })
}

/// Ten to the power of `digits`, at most 38, as a constant.
fn power_of_ten(digits: u32) -> String {
    let (less, more) = (digits.min(19), digits.saturating_sub(19));
    format!(
        "((i128){}ull * (i128){}ull)",
        10u64.pow(less),
        10u64.pow(more.min(19))
    )
}

/// What computes a result of accumulators: statements, whether it is not null, and its value. `word` is the text of a word
/// of an accumulator, safe to read where `active` is false; `at` is what an error names.
pub(super) fn made(
    accumulators: &[Accumulator],
    finish: &Finish,
    repr: Repr,
    index: usize,
    word: &dyn Fn(usize, usize) -> String,
) -> (String, String, String) {
    let mut before = String::new();
    let (valid, value) = match finish {
        Finish::Value { accumulator, count } => {
            let valid = match count {
                Some(count) => format!("{} != 0", word(*count, 0)),
                None => "true".into(),
            };
            let combine = accumulators[*accumulator].combine;
            let words = [0, 1, 2].map(|place| match place < combine.words() {
                true => word(*accumulator, place),
                false => "0ull".into(),
            });
            (valid, whole(combine, repr, &words))
        }
        Finish::AverageFloat { sum, count } => (
            format!("{} != 0", word(*count, 0)),
            format!(
                "(f64)(__longlong_as_double((i64){}) / (f64){})",
                word(*sum, 0),
                word(*count, 0)
            ),
        ),
        Finish::Variance {
            moments,
            of_sample,
            deviation,
            one_is_zero,
        } => {
            let float = |place: usize| format!("__longlong_as_double((i64){})", word(*moments, place));
            let (less, root) = (u8::from(*of_sample), if *deviation { "sqrt" } else { "" });
            let mut spread = format!("{root}({} / ({} - {less}.0))", float(3), float(1));
            if *one_is_zero {
                spread = format!("({} == 1.0 ? 0.0 : {spread})", float(1));
            }
            (format!("{} > {less}.0", float(1)), spread)
        }
        Finish::Pairs { moments, statistic } => {
            let float = |place: usize| format!("__longlong_as_double((i64){})", word(*moments, place));
            pairs(*statistic, &[1, 2, 3, 4, 5, 6].map(float))
        }
        // Another kernel's.
        Finish::Ordered(_) => ("false".into(), zero(repr)),
        Finish::AverageDecimal {
            sum,
            count,
            scale_digits,
            precision,
        } => {
            before = format!(
                "bool overflow{index} = false;\n\
                 const i128 average{index} = wf_average((i128)((u128){} << 64 | {}), {}, {}, {}, &overflow{index});\n\
                 if (active && overflow{index}) wf_raise(error, WF_OVERFLOW, at);\n",
                word(*sum, 1),
                word(*sum, 0),
                word(*count, 0),
                power_of_ten(*scale_digits),
                power_of_ten(u32::from(*precision)),
            );
            (
                format!("{} != 0", word(*count, 0)),
                format!("({})average{index}", repr.c_type()),
            )
        }
    };
    (before, valid, value)
}

/// A statistic of pairs: whether it is not null, and its value.
fn pairs(
    statistic: Pairs,
    [n, first, second, of_first, of_second, products]: &[String; 6],
) -> (String, String) {
    let some = format!("{n} > 0.0");
    let sloped = format!("{n} > 1.0 && {of_second} != 0.0");
    let varied = format!("{sloped} && {of_first} != 0.0");
    match statistic {
        Pairs::CovariancePopulation => (some, format!("({products} / {n})")),
        Pairs::CovarianceSample => (format!("{n} > 1.0"), format!("({products} / ({n} - 1.0))")),
        // As DataFusion: of NaNs only if both are.
        Pairs::Correlation => (
            format!(
                "({first} != {first} ? {second} != {second} : {second} == {second} && {n} > 1.0 && {of_first} != 0.0 && \
                 {of_second} != 0.0)"
            ),
            format!("({products} / (sqrt({of_first}) * sqrt({of_second})))"),
        ),
        Pairs::Slope => (sloped, format!("({products} / {of_second})")),
        Pairs::Intercept => (sloped, format!("({first} - {products} / {of_second} * {second})")),
        Pairs::Determination => (
            varied,
            format!("({products} * {products} / ({of_first} * {of_second}))"),
        ),
        Pairs::MeanFirst => (some, first.clone()),
        Pairs::MeanSecond => (some, second.clone()),
        Pairs::SquaresFirst => (some, of_first.clone()),
        Pairs::SquaresSecond => (some, of_second.clone()),
        Pairs::Products => (some, products.clone()),
    }
}

/// An accumulator's value in the form of the result.
fn whole(combine: Combine, repr: Repr, words: &[String; 3]) -> String {
    let c_type = repr.c_type();
    let [low, high, last] = words;
    match combine {
        Combine::MinWide | Combine::MaxWide => format!("({c_type})(i128)((u128){last} << 64 | {high})"),
        Combine::MinText | Combine::MaxText => format!("WfStringRef{{{high}, (u32){last}, 0}}"),
        Combine::SumDecimal => format!("({c_type})(i128)((u128){high} << 64 | {low})"),
        Combine::SumFloat => format!("({c_type})__longlong_as_double((i64){low})"),
        Combine::Min | Combine::Max => match repr {
            Repr::Bool => format!("({low} == 1ull)"),
            Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64 => format!("({c_type}){low}"),
            Repr::F32 | Repr::F64 => format!("({c_type})wf_from_order_key((u64){low})"),
            _ => format!("({c_type})wf_integer_from_order_key({low})"),
        },
        _ if repr == Repr::Bool => format!("(({low} & 1ull) != 0)"),
        _ => format!("({c_type}){low}"),
    }
}

fn validity(index: usize, nullable: bool) -> String {
    match nullable {
        true => format!(
            "u32 word = __ballot_sync(WF_ALL_LANES, valid);\n\
             if (wf_lane_id() == 0 && active) ((u32*)outputs[{index}].validity)[at >> 5] = word;\n"
        ),
        false => String::new(),
    }
}

pub(super) fn store(index: usize, repr: Repr, value: &str, nullable: bool) -> String {
    let stored = match repr {
        Repr::Bool => format!(
            "u32 bits = __ballot_sync(WF_ALL_LANES, valid && {value});\n\
             if (wf_lane_id() == 0 && active) ((u32*)outputs[{index}].values)[at >> 5] = bits;\n"
        ),
        _ => format!(
            "if (active) (({}*)outputs[{index}].values)[at] = valid ? {value} : {};\n",
            repr.c_type(),
            zero(repr)
        ),
    };
    format!("{}{stored}", validity(index, nullable))
}

impl super::super::aggregate::Outcome {
    /// Whether it can be null: unless a group without a row cannot be, or it is a count.
    pub fn may_be_null(&self) -> bool {
        !matches!(self.finish, Finish::Value { count: None, .. })
    }
}
