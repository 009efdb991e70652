//! Rows added to the accumulators of their groups.

use super::super::aggregate::{Accumulator, AggregateSpec, Combine};
use super::super::expr::{Code, ColumnShape, Expr, Value};
use super::{BLOCK_THREADS, Generated, code, generated, keep_active, kept, over_rows};
use crate::batch::Repr;

/// Name of the kernel of [`update`].
pub const UPDATE: &str = "update_groups";

/// Where rows are added up before they reach the table's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// One group: in registers.
    Registers,
    /// A few groups: each thread has its own words of each group in shared memory. It takes
    /// `groups * words * BLOCK_THREADS * 8` bytes of it.
    Private,
    /// Up to some thousand groups: a block has words of each group in shared memory, added to by atomics. It takes
    /// `groups * words * 8` bytes of it.
    Shared,
    /// Any number of groups: in the state itself, by atomics.
    Global,
}

/// Adds rows to the state of their groups. Arguments after the common ones: `const u32* groups` (one a row; null for
/// [`Strategy::Registers`], which applies `filters` itself), `u64* state`, `u64 capacity`, `u32 group_count`.
pub fn update(
    columns: &[ColumnShape],
    filters: &[Expr],
    spec: &AggregateSpec,
    strategy: Strategy,
) -> Result<Generated, String> {
    let mut code = code(columns);
    let (starts, words) = spec.layout();
    if strategy == Strategy::Registers {
        keep_active(&mut code, filters)?;
    } else {
        code.write("u32 group = active ? groups[row] : WF_NO_GROUP;\nactive = group != WF_NO_GROUP;\n");
    }
    let mut lines = String::new();
    for (accumulator, &start) in added_to(spec, &starts) {
        let (condition, value) = added(&mut code, accumulator)?;
        let value = of_row(accumulator.combine, &value);
        let line = operation(strategy, accumulator.combine, start, &value);
        lines.push_str(&format!("if ({condition}) {{ {line} }}\n"));
    }
    code.write(&lines);
    let body = code.take_text();
    let text = over_rows(
        UPDATE,
        ", const u32* groups, u64* state, u64 capacity, u32 group_count",
        &before(spec, strategy, words),
        &body,
        &after(spec, strategy, &starts, words),
    );
    Ok(generated(UPDATE, text, &code))
}

/// The accumulators that rows are added to by this kernel, and their first words.
fn added_to<'a>(
    spec: &'a AggregateSpec,
    starts: &'a [usize],
) -> impl Iterator<Item = (&'a Accumulator, &'a usize)> {
    let all = spec.accumulators.iter().zip(starts);
    all.filter(|(accumulator, _)| accumulator.is_plain())
}

/// When a row counts, and what is added of it.
pub(super) fn added(code: &mut Code, accumulator: &Accumulator) -> Result<(String, String), String> {
    let mut condition = "active".to_owned();
    if let Some(filter) = &accumulator.filter {
        let keep = kept(&code.value(filter)?);
        condition = format!("{condition} && {keep}");
    }
    let Some(argument) = &accumulator.argument else {
        return Ok((condition, "1ull".into()));
    };
    // A decimal that fits into 64 bits need not be widened before it is added.
    let value = match accumulator.combine {
        Combine::SumDecimal => code.narrow_value(argument)?,
        _ => code.value(argument)?,
    };
    if let Some(valid) = &value.valid {
        condition = format!("{condition} && {valid}");
    }
    let mut text = as_added(accumulator.combine, &value)?;
    if let Some(second) = &accumulator.second {
        let second = code.value(second)?;
        if let Some(valid) = &second.valid {
            condition = format!("{condition} && {valid}");
        }
        text = format!("{text}, {}", as_added(accumulator.combine, &second)?);
    }
    Ok((condition, text))
}

/// A value in the form in which its accumulator takes it.
pub(super) fn as_added(combine: Combine, value: &Value) -> Result<String, String> {
    let text = &value.text;
    Ok(match combine {
        Combine::Count | Combine::CountDistinct => "1ull".into(),
        Combine::SumInteger => format!("(u64)({text})"),
        Combine::SumDecimal => format!("(i128)({text})"),
        Combine::SumFloat | Combine::Moments | Combine::CoMoments => format!("(f64)({text})"),
        Combine::MinWide | Combine::MaxWide => format!("(i128)({text})"),
        Combine::MinText | Combine::MaxText => text.clone(),
        Combine::Min | Combine::Max => match value.repr {
            Repr::Bool => format!("({text} ? 1ull : 0ull)"),
            Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64 => format!("(u64)({text})"),
            Repr::F32 | Repr::F64 => format!("wf_order_key((f64)({text}))"),
            Repr::I8 | Repr::I16 | Repr::I32 | Repr::I64 => format!("wf_order_key((i64)({text}))"),
            Repr::I128 | Repr::Str => return Err(format!("min and max of {:?} values", value.repr)),
        },
        Combine::BitAnd | Combine::BitOr | Combine::BitXor => match value.repr {
            Repr::Bool => format!("({text} ? 1ull : 0ull)"),
            _ => format!("(u64)(i64)({text})"),
        },
    })
}

/// The name of an operation on words.
fn verb(combine: Combine) -> &'static str {
    match combine {
        Combine::Count | Combine::CountDistinct | Combine::SumInteger => "add",
        Combine::SumDecimal => "add_wide",
        Combine::SumFloat => "add_f64",
        Combine::Moments => "moments",
        Combine::CoMoments => "co_moments",
        Combine::Min => "min",
        Combine::Max => "max",
        Combine::MinWide | Combine::MaxWide => "extreme_wide",
        Combine::MinText | Combine::MaxText => "extreme_text",
        Combine::BitAnd => "and",
        Combine::BitOr => "or",
        Combine::BitXor => "xor",
    }
}

/// The call that adds `value` to the words of an accumulator; `place` names a word.
pub(super) fn call(form: &str, combine: Combine, place: impl Fn(usize) -> String, value: &str) -> String {
    // Words of one thread's own need no latch.
    let first = usize::from(combine.is_latched() && form == "own");
    let places: Vec<String> = (first..combine.words())
        .map(|word| format!("&{}", place(word)))
        .collect();
    format!("wf_{form}_{}({}, {value});", verb(combine), places.join(", "))
}

/// What one row adds.
pub(super) fn of_row(combine: Combine, value: &str) -> String {
    match combine {
        Combine::Moments => format!("1.0, {value}, 0.0"),
        Combine::CoMoments => format!("1.0, {value}, 0.0, 0.0, 0.0"),
        _ => value.to_owned(),
    }
}

fn operation(strategy: Strategy, combine: Combine, start: usize, value: &str) -> String {
    match strategy {
        Strategy::Registers => call("own", combine, |word| format!("r{}", start + word), value),
        Strategy::Private => {
            let place = |word| {
                format!(
                    "slots[(group * WORDS + {}u) * {BLOCK_THREADS}u + threadIdx.x]",
                    start + word
                )
            };
            call("own", combine, place, value)
        }
        Strategy::Shared => {
            let place = |word| format!("slots[group * WORDS + {}u]", start + word);
            call("shared", combine, place, value)
        }
        Strategy::Global => {
            let place = |word| format!("state[{}ull * capacity + group]", start + word);
            call("shared", combine, place, value)
        }
    }
}

/// The initial value of each word, as text.
fn initial(spec: &AggregateSpec) -> Vec<&'static str> {
    let text = |byte: u8| if byte == 0 { "0ull" } else { "~0ull" };
    spec.initial_bytes().into_iter().map(text).collect()
}

fn before(spec: &AggregateSpec, strategy: Strategy, words: usize) -> String {
    let initial = initial(spec);
    let list = if initial.is_empty() {
        "0ull".into()
    } else {
        initial.join(", ")
    };
    match strategy {
        Strategy::Registers => {
            let declared = initial.iter().enumerate();
            declared
                .map(|(word, value)| format!("u64 r{word} = {value};\n"))
                .collect()
        }
        Strategy::Private => format!(
            "const u32 WORDS = {words}u;\nconst u64 initial[] = {{{list}}};\nWF_DYNAMIC_SHARED(u64, slots);\n\
             WF_ROLLED for (u32 i = 0; i < group_count * WORDS; i++) slots[i * {BLOCK_THREADS}u + threadIdx.x] = initial[i % WORDS];\n"
        ),
        Strategy::Shared => format!(
            "const u32 WORDS = {words}u;\nconst u64 initial[] = {{{list}}};\nWF_DYNAMIC_SHARED(u64, slots);\n\
             WF_ROLLED for (u32 i = threadIdx.x; i < group_count * WORDS; i += blockDim.x) slots[i] = initial[i % WORDS];\n\
             __syncthreads();  // every word has its initial value\n"
        ),
        Strategy::Global => String::new(),
    }
}

/// What carries a thread's or a block's words to the state, once.
fn after(spec: &AggregateSpec, strategy: Strategy, starts: &[usize], words: usize) -> String {
    let accumulators = || added_to(spec, starts);
    let joined = |combine: Combine| match combine {
        Combine::SumDecimal => "(i128)((u128)b1 << 64 | b0)",
        Combine::SumFloat => "__longlong_as_double((i64)b0)",
        Combine::Moments => {
            "__longlong_as_double((i64)b1), __longlong_as_double((i64)b2), __longlong_as_double((i64)b3)"
        }
        Combine::CoMoments => {
            "__longlong_as_double((i64)b1), __longlong_as_double((i64)b2), __longlong_as_double((i64)b3), \
             __longlong_as_double((i64)b4), __longlong_as_double((i64)b5), __longlong_as_double((i64)b6)"
        }
        _ => "b0",
    };
    match strategy {
        Strategy::Registers => {
            // All lanes of a warp first, then one atomic a warp.
            let mut text = String::new();
            for (accumulator, &start) in accumulators() {
                let combine = accumulator.combine;
                let fetch: String = (0..combine.words())
                    .map(|word| format!("u64 b{word} = wf_shfl_xor(r{}, lanes); ", start + word))
                    .collect();
                let own = call(
                    "own",
                    combine,
                    |word| format!("r{}", start + word),
                    joined(combine),
                );
                text.push_str(&format!(
                    "WF_ROLLED for (u32 lanes = 16; lanes > 0; lanes >>= 1) {{ {fetch}{own} }}\n"
                ));
                let give: String = (0..combine.words())
                    .map(|word| format!("u64 b{word} = r{}; ", start + word))
                    .collect();
                let place = |word| format!("state[{}ull * capacity]", start + word);
                let shared = call("shared", combine, place, joined(combine));
                text.push_str(&format!("if (wf_lane_id() == 0) {{ {give}{shared} }}\n"));
            }
            text
        }
        Strategy::Private => {
            // A warp a group: lanes join the words of their threads, then each other's.
            let mut text = format!(
                "__syncthreads();  // all threads have added their rows\n\
                 WF_ROLLED for (u32 group = wf_warp_id(); group < group_count; group += {}u) {{\n",
                BLOCK_THREADS / 32
            );
            for (combine, firsts) in alike(accumulators()) {
                let words = 0..combine.words();
                let slot =
                    |word: usize| format!("slots[(group * WORDS + first + {word}u) * {BLOCK_THREADS}u + ");
                let each = |write: &dyn Fn(usize) -> String| words.clone().map(write).collect::<String>();
                let load = each(&|word| format!("u64 a{word} = {}wf_lane_id()]; ", slot(word)));
                let next = each(&|word| format!("u64 b{word} = {}thread]; ", slot(word)));
                let fetch = each(&|word| format!("u64 b{word} = wf_shfl_xor(a{word}, lanes); "));
                let own = call("own", combine, |word| format!("a{word}"), joined(combine));
                let give = each(&|word| format!("u64 b{word} = a{word}; "));
                let shared = call("shared", combine, state_of_first, joined(combine));
                text.push_str(&format!(
                    "{}{load}\nWF_ROLLED for (u32 thread = wf_lane_id() + 32u; thread < {BLOCK_THREADS}u; thread += 32u) {{ {next}{own} }}\n\
                     WF_ROLLED for (u32 lanes = 16; lanes > 0; lanes >>= 1) {{ {fetch}{own} }}\n\
                     if (wf_lane_id() == 0) {{ {give}{shared} }} }} }}\n",
                    over_firsts(&firsts)
                ));
            }
            text.push_str("}\n");
            text
        }
        Strategy::Shared => {
            let mut text = String::from(
                "__syncthreads();  // all threads have added their rows\n\
                 WF_ROLLED for (u32 group = threadIdx.x; group < group_count; group += blockDim.x) {\n",
            );
            for (combine, firsts) in alike(accumulators()) {
                let give: String = (0..combine.words())
                    .map(|word| format!("u64 b{word} = slots[group * WORDS + first + {word}u]; "))
                    .collect();
                let shared = call("shared", combine, state_of_first, joined(combine));
                text.push_str(&format!("{}{give}{shared} }} }}\n", over_firsts(&firsts)));
            }
            text.push_str("}\n");
            text
        }
        Strategy::Global => {
            debug_assert!(words >= starts.len());
            String::new()
        }
    }
}

/// First words of the accumulators of each kind: what is done to them at the end is compiled once a kind.
fn alike<'a>(accumulators: impl Iterator<Item = (&'a Accumulator, &'a usize)>) -> Vec<(Combine, Vec<usize>)> {
    let mut kinds: Vec<(Combine, Vec<usize>)> = Vec::new();
    for (accumulator, &first) in accumulators {
        match kinds.iter_mut().find(|(kind, _)| *kind == accumulator.combine) {
            Some((_, firsts)) => firsts.push(first),
            None => kinds.push((accumulator.combine, vec![first])),
        }
    }
    kinds
}

/// The beginning of a loop in which `first` is each of these words; it is closed by two braces.
fn over_firsts(firsts: &[usize]) -> String {
    let list: Vec<String> = firsts.iter().map(|first| format!("{first}u")).collect();
    format!(
        "{{ const u32 firsts[] = {{{}}};\nWF_ROLLED for (u32 i = 0; i < {}u; i++) {{ const u32 first = firsts[i]; ",
        list.join(", "),
        firsts.len()
    )
}

/// Word `word` after `first` in the state of a group.
fn state_of_first(word: usize) -> String {
    format!("state[(first + {word}ull) * capacity + group]")
}
