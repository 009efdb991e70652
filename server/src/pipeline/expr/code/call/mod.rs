//! Calls of scalar functions.

mod case;
mod floats;
mod made;
mod math;
mod text;
mod time;

use super::{Code, Value, widened};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Function};

impl Code {
    pub(super) fn call(&mut self, expr: &Expr, function: Function, args: &[Expr]) -> Result<Value, String> {
        use Function::{
            Abs, Acos, Asin, Atan, Atan2, Cbrt, Ceil, Cos, Cosh, Cot, DateBin, DatePart, DateTrunc, Degrees,
            Exp, Floor, Greatest, IsNan, IsZero, Least, Ln, Log2, Log10, Nanvl, NullIf, Power, Radians,
            RegexpCount, RegexpInstr, RegexpLike, RegexpReplace, Round, Signum, Sin, Sinh, Sqrt, Tan, Tanh,
            Trunc,
        };
        match (function, args) {
            (NullIf, [value, other]) => self.null_if(expr, value, other),
            (Greatest | Least, args) => self.extreme(expr, args, function == Greatest),
            (Abs, [value]) => self.abs(value),
            (Ceil | Floor, [value]) => self.whole(value, function == Ceil),
            (Round, [value]) => self.round(expr, value, 0),
            (Round, [value, places]) => {
                let places = Self::constant_integer(places)
                    .ok_or("round to a number of places that is not constant is not run on the GPU")?;
                self.round(expr, value, places)
            }
            (Signum, [value]) => self.signum(value),
            (Sqrt | Exp | Ln | Log2 | Log10 | Sin | Cos | Tan | Cot, [value])
            | (Asin | Acos | Atan | Sinh | Cosh | Tanh | Cbrt | Degrees | Radians, [value]) => {
                self.float_call(function, value)
            }
            (Atan2, [y, x]) => self.atan2(y, x),
            (IsNan | IsZero, [value]) => self.is_special(function, value),
            (Nanvl, [value, other]) => self.nanvl(value, other),
            (Trunc, [value]) => self.trunc(value, None),
            (Trunc, [value, places]) => {
                let places = Self::constant_integer(places)
                    .ok_or("trunc to a number of places that is not constant is not run on the GPU")?;
                self.trunc(value, Some(places))
            }
            (Power, [base, exponent]) => self.power(base, exponent),
            (DatePart, [part, value]) => self.date_part(expr, part, value),
            (DateTrunc, [part, value]) => self.date_trunc(part, value),
            (DateBin, args @ [_, _, ..]) => self.date_bin(args),
            (RegexpLike | RegexpCount | RegexpInstr | RegexpReplace, args) => self.regex_call(function, args),
            _ => self.text_call(expr, function, args),
        }
    }

    pub(super) fn refused_call(function: Function, args: &[Expr]) -> String {
        let types: Vec<String> = args.iter().map(|arg| arg.data_type.to_string()).collect();
        format!(
            "function {} of ({}) is not run on the GPU",
            function.name(),
            types.join(", ")
        )
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

    /// The largest or smallest of values that are there.
    fn extreme(&mut self, expr: &Expr, args: &[Expr], largest: bool) -> Result<Value, String> {
        let repr = expr.repr()?;
        let (first, rest) = args.split_first().ok_or("greatest or least of nothing")?;
        let mut best = widened(self.narrow_value(first)?, repr);
        for arg in rest {
            let (_, other) = self.comparands("greatest or least", first, arg)?;
            let other = widened(other, repr);
            let (a, b) = (&best.text, &other.text);
            let symbol = if largest { ">=" } else { "<=" };
            let better = match repr {
                Repr::F32 | Repr::F64 => format!("wf_order_key({a}) {symbol} wf_order_key({b})"),
                Repr::Str => {
                    self.effects += 1;
                    format!("wf_compare({a}, {b}) {symbol} 0")
                }
                _ => format!("{a} {symbol} {b}"),
            };
            let keep = match (&best.valid, &other.valid) {
                (None, None) => better,
                (Some(a), None) => format!("{a} && {better}"),
                (None, Some(b)) => format!("!{b} || {better}"),
                (Some(a), Some(b)) => format!("!{b} || ({a} && {better})"),
            };
            let valid = match (&best.valid, &other.valid) {
                (Some(a), Some(b)) => Some(self.bind_bool(format_args!("{a} || {b}"))),
                _ => None,
            };
            let most = match (best.most, other.most) {
                (Some(a), Some(b)) => Some(a.max(b)),
                _ => None,
            };
            best = self.bind_value(repr, format_args!("({keep}) ? {a} : {b}"), valid);
            best.most = most;
        }
        Ok(best)
    }
}
