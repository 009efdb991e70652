//! Regular expressions. A constant pattern becomes tables in the block of literals, so that the text does not depend on
//! it; of a match, one table finds the end and another, backwards from there, the start.

mod automaton;

use self::automaton::{Purpose, automaton};
use super::literal::constant_text;
use super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Function};

/// What stands for the whole match in a replacement, as in the prelude.
const WHOLE: u8 = 0xff;

/// A pattern with its flags, as DataFusion writes them into it.
fn flagged(pattern: &str, flags: &str) -> String {
    format!("(?{flags}){pattern}")
}

/// The bytes of a replacement, in which groups are named as DataFusion takes them: `\1`, `\\1`, `$1`, `${1}`; `None` if
/// it has other groups than the whole match.
fn replacement(text: &str) -> Option<Vec<u8>> {
    // Digits of other scripts would name groups, too.
    if text.chars().any(|char| char.is_numeric() && !char.is_ascii()) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '$']) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let slashes = rest.len() - rest.trim_start_matches('\\').len();
        let behind = rest.as_bytes().get(slashes);
        if slashes == 0 {
            // Another dollar is one; what else may follow is a group, or the dollar is itself.
            let next = rest.as_bytes().get(1);
            let is_name = |byte: &u8| *byte == b'{' || *byte == b'_' || byte.is_ascii_alphanumeric();
            if next.is_some_and(is_name) {
                return None;
            }
            bytes.push(b'$');
            rest = &rest[if next == Some(&b'$') { 2 } else { 1 }..];
        } else if behind.is_some_and(u8::is_ascii_digit) {
            let (number, after) = rest[slashes..].split_at(
                rest[slashes..]
                    .find(|char: char| !char.is_ascii_digit())
                    .unwrap_or(rest.len() - slashes),
            );
            // Two slashes at most belong to the number.
            bytes.resize(bytes.len() + slashes.saturating_sub(2), b'\\');
            if number.parse() != Ok(0) {
                return None;
            }
            bytes.push(WHOLE);
            rest = after;
        } else {
            bytes.resize(bytes.len() + slashes, b'\\');
            rest = &rest[slashes..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

impl Code {
    /// The operators `~`, `~*`, `!~` and `!~*`.
    pub(super) fn regex_match(
        &mut self,
        value: &Expr,
        pattern: &Expr,
        negated: bool,
        fold: bool,
    ) -> Result<Value, String> {
        let refused = || {
            format!(
                "a regular expression of type {} over {} that is not constant is not run on the GPU",
                pattern.data_type, value.data_type
            )
        };
        let pattern = constant_text(pattern).ok_or_else(refused)?;
        let pattern = if fold {
            flagged(pattern, "i")
        } else {
            pattern.to_owned()
        };
        self.regex_test(value, &pattern, negated)
    }

    pub(super) fn regex_test(&mut self, value: &Expr, pattern: &str, negated: bool) -> Result<Value, String> {
        let (table, gives_up) = self.table(pattern, Purpose::Test)?;
        let text = self.regex_text(value)?;
        let call = format!("wf_regex_test({table}, {})", text.text);
        let found = self.regex_result("u32", &call, "0u", &text);
        if gives_up {
            self.raise("FALLBACK", &text.valid, format_args!("{found} == 2u"));
        }
        let wanted = u32::from(!negated);
        Ok(self.bind_value(Repr::Bool, format_args!("{found} == {wanted}u"), text.valid))
    }

    pub(super) fn regex_call(&mut self, function: Function, args: &[Expr]) -> Result<Value, String> {
        let refused = || {
            let reason = Self::refused_call(function, args);
            format!("{reason} with such arguments")
        };
        let constant = |at: usize| {
            args.get(at)
                .map(|arg| constant_text(arg).ok_or_else(refused))
                .transpose()
        };
        let number = |at: usize| {
            args.get(at)
                .map(|arg| Self::constant_integer(arg).ok_or_else(refused))
                .transpose()
        };
        let (Some(value), Some(pattern)) = (args.first(), constant(1)?) else {
            return Err(refused());
        };
        match function {
            Function::RegexpLike => match constant(2)? {
                None => self.regex_test(value, pattern, false),
                Some(flags) if flags.contains('g') => Err(refused()),
                Some(flags) => self.regex_test(value, &flagged(pattern, flags), false),
            },
            Function::RegexpReplace => {
                let by = constant(2)?.and_then(replacement).ok_or_else(refused)?;
                let (pattern, all) = match constant(3)? {
                    None => (pattern.to_owned(), false),
                    Some("g") => (pattern.to_owned(), true),
                    Some(flags) => (flagged(pattern, &flags.replace('g', "")), flags.contains('g')),
                };
                self.regex_replace(value, &pattern, &by, all)
            }
            _ => {
                let nth = function == Function::RegexpInstr;
                let flags = constant(if nth { 4 } else { 3 })?.unwrap_or_default();
                // Other groups than the whole match are not known, nor is where another start is.
                let group = if nth { number(5)?.unwrap_or(0) } else { 0 };
                let which = if nth { number(3)?.unwrap_or(1) } else { 1 };
                if number(2)?.unwrap_or(1) != 1 || which < 1 || group > 0 || flags.contains('g') {
                    return Err(refused());
                }
                let pattern = match flags {
                    "" => pattern.to_owned(),
                    flags => flagged(pattern, flags),
                };
                self.regex_number(value, &pattern, nth.then_some(which))
            }
        }
    }

    /// How many matches there are, or where the `which` of them starts.
    fn regex_number(&mut self, value: &Expr, pattern: &str, which: Option<i64>) -> Result<Value, String> {
        let (tables, gives_up) = self.tables(pattern)?;
        let text = self.regex_text(value)?;
        let call = match which {
            None => format!("wf_regex_count({tables}, {})", text.text),
            Some(which) => format!("wf_regex_position({tables}, {}, {which}ll)", text.text),
        };
        let number = self.regex_result("i64", &call, "0ll", &text);
        if gives_up {
            self.raise(
                "FALLBACK",
                &text.valid,
                format_args!("{number} == WF_REGEX_GIVEN_UP"),
            );
        }
        Ok(self.bind_value(Repr::I64, number, text.valid))
    }

    fn regex_replace(&mut self, value: &Expr, pattern: &str, by: &[u8], all: bool) -> Result<Value, String> {
        let (tables, gives_up) = self.tables(pattern)?;
        let text = self.regex_text(value)?;
        let by = self.literals.bytes_of(by, by.len());
        let call = format!(
            "wf_regex_replace(heap, {tables}, {}, wf_literal_string(literals, {by}u), {all})",
            text.text
        );
        let replaced = self.made(text.valid, &call);
        if gives_up {
            let condition = format!("{}.reserved != 0u", replaced.text);
            self.raise("FALLBACK", &replaced.valid, condition);
        }
        Ok(replaced)
    }

    /// What `call` finds in the texts that need it.
    fn regex_result(&mut self, c_type: &str, call: &str, otherwise: &str, text: &Value) -> String {
        self.bind(
            c_type,
            format_args!("{} ? {call} : {otherwise}", Self::needed(&text.valid)),
        )
    }

    fn regex_text(&mut self, value: &Expr) -> Result<Value, String> {
        if !value.data_type.is_string() {
            return Err(format!(
                "a regular expression over {} is not run on the GPU",
                value.data_type
            ));
        }
        self.effects += 1;
        self.narrow_value(value)
    }

    /// The tables that find a match's end and its start, and whether they may give up.
    fn tables(&mut self, pattern: &str) -> Result<(String, bool), String> {
        let (ends, gives_up) = self.table(pattern, Purpose::End)?;
        let (starts, _) = self.table(pattern, Purpose::Start)?;
        Ok((format!("{ends}, {starts}"), gives_up))
    }

    fn table(&mut self, pattern: &str, purpose: Purpose) -> Result<(String, bool), String> {
        let made = automaton(pattern, purpose)?;
        let slot = self.literals.bytes_of(&made.bytes, made.bytes.len());
        Ok((format!("wf_automaton(literals, {slot}u)"), made.gives_up))
    }
}

#[cfg(test)]
mod tests {
    use super::{WHOLE, replacement};

    #[test]
    fn replacements_are_read_as_datafusion_reads_them() {
        for text in ["", "abc", r"a\b", r"\\", "a$", "$ 1", "é$-", r"\n"] {
            assert_eq!(replacement(text).as_deref(), Some(text.as_bytes()), "{text}");
        }
        let becomes =
            |text: &str, bytes: &[u8]| assert_eq!(replacement(text).as_deref(), Some(bytes), "{text}");
        becomes("$$", b"$");
        becomes("a$$$", b"a$$");
        becomes(r"<\0>", &[b'<', WHOLE, b'>']);
        becomes(r"\\0", &[WHOLE]);
        becomes(r"\\\0", &[b'\\', WHOLE]);
        for text in [r"\1", r"\\2x", "$1", "${1}", "$a", "$_", r"\01"] {
            assert_eq!(replacement(text), None, "{text}");
        }
    }
}
