//! LIKE. A constant pattern without `_` is a list of parts in order: its text depends on their number and on which
//! ends are anchored. Everything else is matched character by character.

use super::literal::constant_text;
use super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::Expr;

/// The parts of a pattern between its `%`, without escapes; `None` if it has a `_`.
fn parts(pattern: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let last = parts.last_mut()?;
        match char {
            '_' => return None,
            '%' => parts.push(String::new()),
            // A backslash at the end is itself.
            '\\' => last.push(chars.next().unwrap_or('\\')),
            other => last.push(other),
        }
    }
    Some(parts)
}

/// A pattern as the regular expression that arrow makes of it, whose letters are alike in both cases.
fn folding(pattern: &str) -> String {
    let mut regex = String::from("(?is)^");
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let literal = match char {
            '%' => {
                regex.push_str(".*");
                continue;
            }
            '_' => {
                regex.push('.');
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            other => other,
        };
        if r"\.+*?()|[]{}^$#&-~".contains(literal) {
            regex.push('\\');
        }
        regex.push(literal);
    }
    regex.push('$');
    regex
}

impl Code {
    pub(super) fn like(
        &mut self,
        value: &Expr,
        pattern: &Expr,
        negated: bool,
        fold: bool,
    ) -> Result<Value, String> {
        for side in [value, pattern] {
            if !side.data_type.is_string() {
                return Err(format!("LIKE over {} is not run on the GPU", side.data_type));
            }
        }
        let constant = constant_text(pattern);
        let not = if negated { "!" } else { "" };
        if fold {
            let constant =
                constant.ok_or("ILIKE with a pattern that is not constant is not run on the GPU")?;
            if !constant.is_ascii() {
                return self.regex_test(value, &folding(constant), negated);
            }
            let text = self.narrow_value(value)?;
            // Two letters outside of ASCII are the same as one inside but for their case.
            if constant.contains(['k', 'K', 's', 'S']) {
                self.raise(
                    "FALLBACK",
                    &text.valid,
                    format_args!("wf_has_folding({})", text.text),
                );
            }
        }
        let text = self.narrow_value(value)?;
        self.effects += 1;
        if let Some(parts) = constant.and_then(parts).filter(|_| !fold) {
            let found = self.parts_in_order(&text.text, &parts);
            return Ok(self.bind_value(Repr::Bool, format_args!("{not}{found}"), text.valid));
        }
        let pattern = self.narrow_value(pattern)?;
        let valid = self.both(&text.valid, &pattern.valid);
        let call = format!("{not}wf_like_refs({}, {}, {fold})", text.text, pattern.text);
        Ok(self.bind_value(Repr::Bool, call, valid))
    }

    /// Whether `text` is the parts with anything between them.
    fn parts_in_order(&mut self, text: &str, parts: &[String]) -> String {
        let string = |code: &mut Self, part: &str| {
            let offset = code.literals.bytes_of(part.as_bytes(), part.len());
            format!("wf_literal_string(literals, {offset}u)")
        };
        let [first, middle @ .., last] = parts else {
            let whole = string(self, &parts[0]);
            return self.bind_bool(format_args!("wf_equal({text}, {whole})"));
        };
        let found = self.name();
        self.line(format_args!("bool {found} = true;"));
        // What is left of the text is between the two anchors.
        let rest = self.name();
        self.line(format_args!("WfStringRef {rest} = {text};"));
        if !first.is_empty() {
            let part = string(self, first);
            self.line(format_args!("{found} = wf_cut_start(&{rest}, {part});"));
        }
        if !last.is_empty() {
            let part = string(self, last);
            self.line(format_args!("{found} = {found} && wf_cut_end(&{rest}, {part});"));
        }
        for part in middle.iter().filter(|part| !part.is_empty()) {
            let part = string(self, part);
            self.line(format_args!(
                "{found} = {found} && wf_cut_through(&{rest}, {part});"
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn patterns_become_regular_expressions() {
        assert_eq!(super::folding(r"ä_b%\%\"), r"(?is)^ä.b.*%\\$");
        assert_eq!(super::folding("1.5[é]"), r"(?is)^1\.5\[é\]$");
    }

    #[test]
    fn patterns_are_cut_at_their_wildcards() {
        let parts = |pattern| super::parts(pattern).map(|parts| parts.join("|"));
        assert_eq!(parts("a%b").as_deref(), Some("a|b"));
        assert_eq!(parts("%a%%b%").as_deref(), Some("|a||b|"));
        assert_eq!(parts(r"a\%\_\\\b\").as_deref(), Some(r"a%_\b\"));
        assert_eq!(parts("a_"), None);
    }
}
