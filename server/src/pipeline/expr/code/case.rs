//! CASE. Branches that cannot raise, take no room and are short are computed for all rows and selected from; others
//! only for the rows that take them.

use super::{Code, Piece, Value, widened};
use crate::batch::Repr;
use crate::pipeline::expr::Expr;

/// A branch: the statements for its condition, the condition, and its result.
struct Branch {
    condition: Piece<String>,
    result: Piece<Value>,
}

impl Code {
    pub(super) fn case(
        &mut self,
        expr: &Expr,
        base: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<Value, String> {
        let wide = expr.repr()?;
        let base_value = base.map(|base| self.narrow_value(base)).transpose()?;
        // What a condition computed is seen by what comes after it: conditions nest.
        let mut open = Vec::with_capacity(branches.len());
        let mut failed = None;
        for (when, then) in branches {
            let condition = self.aside(|code| match (base, &base_value) {
                (Some(base), Some(value)) => code.case_equal(base, value, when),
                _ => {
                    let value = code.narrow_value(when)?;
                    if value.repr != Repr::Bool {
                        return Err(format!("{when} is of type {}, not a boolean", when.data_type));
                    }
                    Ok(both_true(value.valid, value.text))
                }
            });
            let mut condition = match condition {
                Ok(condition) => condition,
                Err(reason) => {
                    failed = Some(reason);
                    break;
                }
            };
            self.scopes.push(std::mem::take(&mut condition.scope));
            match self.aside(|code| code.narrow_value(then)) {
                Ok(result) => open.push(Branch { condition, result }),
                Err(reason) => {
                    self.scopes.pop();
                    failed = Some(reason);
                    break;
                }
            }
        }
        let last = self.aside(|code| otherwise.map(|expr| code.narrow_value(expr)).transpose());
        for _ in 0..open.len() {
            self.scopes.pop();
        }
        if let Some(reason) = failed {
            return Err(reason);
        }
        self.joined(wide, open, last?)
    }

    /// Whether `when` equals the base: never where one of them is null.
    fn case_equal(&mut self, base: &Expr, value: &Value, when: &Expr) -> Result<String, String> {
        let (_, other) = self.comparands("CASE", base, when)?;
        let equal = self.identical(value, &other);
        let valid = self.both(&value.valid, &other.valid);
        let text = both_true(valid, equal);
        Ok(self.bind_bool(text))
    }

    fn joined(
        &mut self,
        wide: Repr,
        branches: Vec<Branch>,
        last: Piece<Option<Value>>,
    ) -> Result<Value, String> {
        let results = || {
            branches
                .iter()
                .map(|branch| &branch.result.result)
                .chain(&last.result)
        };
        // Decimals that are narrow in all branches stay so.
        let narrow = results().all(|value| value.repr == Repr::I64);
        let repr = if wide == Repr::I128 && narrow {
            Repr::I64
        } else {
            wide
        };
        let most = results().map(|value| value.most).reduce(|a, b| Some(a?.max(b?)));
        let nullable = last.result.is_none() || results().any(|value| value.valid.is_some());
        let has_effects = last.has_effects
            || branches.iter().any(|branch| branch.result.has_effects)
            || branches.iter().skip(1).any(|branch| branch.condition.has_effects);
        let mut value = if has_effects {
            self.branching(repr, branches, last, nullable)
        } else {
            self.selecting(repr, branches, last, nullable)
        };
        value.most = most.flatten();
        Ok(value)
    }

    /// All branches computed, one selected.
    fn selecting(
        &mut self,
        repr: Repr,
        branches: Vec<Branch>,
        last: Piece<Option<Value>>,
        nullable: bool,
    ) -> Value {
        let mut chosen: Vec<(String, Value)> = Vec::with_capacity(branches.len());
        for branch in branches {
            let condition = self.splice(branch.condition);
            chosen.push((condition, self.splice(branch.result)));
        }
        let last = self.splice(last).unwrap_or_else(|| Self::null(repr));
        let mut text = widened(last.clone(), repr).text;
        let mut valid = last.valid.unwrap_or_else(|| "true".to_owned());
        for (condition, value) in chosen.into_iter().rev() {
            let inner = value.valid.clone().unwrap_or_else(|| "true".to_owned());
            valid = format!("({condition} ? {inner} : {valid})");
            text = format!("({condition} ? {} : {text})", widened(value, repr).text);
        }
        let valid = nullable.then(|| self.bind_bool(valid));
        self.bind_value(repr, text, valid)
    }

    /// One branch computed.
    fn branching(
        &mut self,
        repr: Repr,
        branches: Vec<Branch>,
        last: Piece<Option<Value>>,
        nullable: bool,
    ) -> Value {
        self.effects += 1;
        let (name, valid) = (self.name(), nullable.then(|| self.name()));
        let null = Self::null(repr).text;
        self.line(format_args!("{} {name} = {null};", repr.c_type()));
        if let Some(valid) = &valid {
            self.line(format_args!("bool {valid} = false;"));
        }
        let assign = |code: &mut Self, value: Value| {
            if let Some(valid) = &valid {
                let inner = value.valid.clone().unwrap_or_else(|| "true".to_owned());
                code.line(format_args!("{valid} = {inner};"));
            }
            code.line(format_args!("{name} = {};", widened(value, repr).text));
        };
        let depth = branches.len();
        self.line("{");
        for branch in branches {
            self.text.push_str(&branch.condition.text);
            self.line(format_args!("if (active && {}) {{", branch.condition.result));
            self.text.push_str(&branch.result.text);
            assign(self, branch.result.result);
            self.line("} else if (active) {");
        }
        self.text.push_str(&last.text);
        if let Some(value) = last.result {
            assign(self, value);
        }
        for _ in 0..=depth {
            self.line("}");
        }
        Value {
            text: name,
            valid,
            repr,
            most: None,
        }
    }
}

fn both_true(valid: Option<String>, text: String) -> String {
    match valid {
        None => format!("({text})"),
        Some(valid) => format!("({valid} && {text})"),
    }
}
