//! Calls of scalar functions.

use super::{Code, Value, widened};
use crate::pipeline::expr::{Expr, Function};

impl Code {
    pub(super) fn call(&mut self, expr: &Expr, function: Function, args: &[Expr]) -> Result<Value, String> {
        match (function, args) {
            (Function::NullIf, [value, other]) => self.null_if(expr, value, other),
            _ => Err(format!(
                "function {} with {} arguments is not run on the GPU",
                function.name(),
                args.len()
            )),
        }
    }

    fn null_if(&mut self, expr: &Expr, value: &Expr, other: &Expr) -> Result<Value, String> {
        let (value, other) = self.comparands("nullif", value, other)?;
        let equal = self.identical(&value, &other);
        let different = match &other.valid {
            None => format!("!({equal})"),
            Some(valid) => format!("!({valid} && {equal})"),
        };
        let different = self.bind_bool(different);
        let valid = self.both(&value.valid, &Some(different));
        Ok(widened(Value { valid, ..value }, expr.repr()?))
    }

    pub(super) fn concat_operator(
        &mut self,
        _expr: &Expr,
        left: &Expr,
        right: &Expr,
    ) -> Result<Value, String> {
        Err(format!("{left} || {right} is not run on the GPU"))
    }
}
