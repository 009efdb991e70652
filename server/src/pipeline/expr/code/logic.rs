//! Three-valued logic. Where the right side of AND or OR may raise, take room or takes long, it is computed only for
//! rows that the left side does not decide.

use super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::Expr;

impl Code {
    /// A boolean operand.
    fn boolean(&mut self, expr: &Expr) -> Result<Value, String> {
        let value = self.narrow_value(expr)?;
        if value.repr == Repr::Bool {
            Ok(value)
        } else {
            Err(format!("{expr} is of type {}, not a boolean", expr.data_type))
        }
    }

    pub(super) fn not(&mut self, value: &Expr) -> Result<Value, String> {
        let value = self.boolean(value)?;
        Ok(self.bind_value(Repr::Bool, format_args!("!{}", value.text), value.valid))
    }

    pub(super) fn is_null(&mut self, value: &Expr, null: bool) -> Result<Value, String> {
        let value = self.narrow_value(value)?;
        let text = match (value.valid, null) {
            (None, null) => (!null).to_string(),
            (Some(valid), true) => format!("!{valid}"),
            (Some(valid), false) => valid,
        };
        Ok(self.bind_value(Repr::Bool, text, None))
    }

    /// AND, or OR by its mirror image.
    pub(super) fn and_or(&mut self, left: &Expr, right: &Expr, is_and: bool) -> Result<Value, String> {
        let left = self.boolean(left)?;
        let piece = self.aside(|code| code.boolean(right))?;
        let right = if piece.has_effects {
            let open = {
                let undecided = if is_and { "" } else { "!" };
                match &left.valid {
                    None => format!("{undecided}{}", left.text),
                    Some(valid) => format!("!{valid} || {undecided}{}", left.text),
                }
            };
            let (name, inner) = (self.name(), &piece.result);
            // Rows that the left side decides do not look at it.
            self.line(format_args!("bool {name} = {is_and};"));
            let valid = inner.valid.as_ref().map(|inner| (self.name(), inner.clone()));
            if let Some((valid, _)) = &valid {
                self.line(format_args!("bool {valid} = true;"));
            }
            self.line(format_args!("if (active && ({open})) {{"));
            self.text.push_str(&piece.text);
            self.line(format_args!("{name} = {};", inner.text));
            if let Some((valid, inner)) = &valid {
                self.line(format_args!("{valid} = {inner};"));
            }
            self.line("}");
            Value {
                text: name,
                valid: valid.map(|(valid, _)| valid),
                repr: Repr::Bool,
                most: None,
            }
        } else {
            self.splice(piece)
        };
        // A null operand counts as the one that does not decide; it makes the result null if nothing decides.
        let neutral = |value: &Value| match &value.valid {
            None => value.text.clone(),
            Some(valid) if is_and => format!("({} || !{valid})", value.text),
            Some(valid) => format!("({} && {valid})", value.text),
        };
        let operator = if is_and { "&&" } else { "||" };
        let text = self.bind_bool(format_args!("{} {operator} {}", neutral(&left), neutral(&right)));
        let decided = if is_and { format!("!{text}") } else { text.clone() };
        let valid = self
            .both(&left.valid, &right.valid)
            .map(|both| self.bind_bool(format_args!("{both} || {decided}")));
        Ok(Value {
            text,
            valid,
            repr: Repr::Bool,
            most: None,
        })
    }
}
