//! Functions of strings. Those that cut are references to what they cut from; those that make bytes take room, and
//! where there is none their result is empty and the host runs the kernel again with more.

use arrow::datatypes::DataType;

use super::super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Function};

const EMPTY: &str = "WfStringRef{0ull, 0u, 0u}";

impl Code {
    pub(super) fn text_call(
        &mut self,
        expr: &Expr,
        function: Function,
        args: &[Expr],
    ) -> Result<Value, String> {
        use Function::{
            Ascii, BitLength, Btrim, CharacterLength, Concat, ConcatWs, Contains, EndsWith, Left, Lower,
            Ltrim, OctetLength, Replace, Reverse, Right, Rtrim, SplitPart, StartsWith, Strpos, Substr, Upper,
        };
        let refused = || Self::refused_call(function, args);
        let is_text = |arg: &Expr| arg.data_type.is_string();
        let is_long = |arg: &Expr| arg.data_type == DataType::Int64;
        let repr = expr.repr()?;
        let c_type = repr.c_type();
        self.effects += 1;
        match (function, args) {
            (Concat | ConcatWs, args) if args.iter().all(is_text) => {
                return self.concat(args, function == ConcatWs);
            }
            (OctetLength | BitLength, [text]) if is_text(text) => {
                let text = self.narrow_value(text)?;
                let factor = if function == BitLength { " * 8" } else { "" };
                let length = format!("({c_type}){}.bytes{factor}", text.text);
                return Ok(self.bind_value(repr, length, text.valid));
            }
            (Upper | Lower, [text]) if is_text(text) => return self.change_case(text, function == Upper),
            _ => {}
        }
        // What takes room for its result.
        if function.makes_strings() && !matches!(function, Reverse | Replace) {
            return self.made_call(expr, function, args);
        }
        let fits = match (function, args) {
            (CharacterLength | Ascii | Btrim | Ltrim | Rtrim | Reverse, [text]) => is_text(text),
            (Btrim | Ltrim | Rtrim | StartsWith | EndsWith | Contains | Strpos, [text, other]) => {
                is_text(text) && is_text(other)
            }
            (Left | Right | Substr, [text, number]) => is_text(text) && is_long(number),
            (Substr, [text, start, count]) => is_text(text) && is_long(start) && is_long(count),
            (SplitPart, [text, by, number]) => is_text(text) && is_text(by) && is_long(number),
            (Replace, [text, from, to]) => is_text(text) && is_text(from) && is_text(to),
            _ => false,
        };
        if !fits {
            return Err(refused());
        }
        let values: Vec<Value> = args
            .iter()
            .map(|arg| self.narrow_value(arg))
            .collect::<Result<_, _>>()?;
        let mut valid = None;
        for value in &values {
            valid = self.both(&valid, &value.valid);
        }
        let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
        let list = texts.join(", ");
        let call = match function {
            CharacterLength => format!("({c_type})wf_characters({list})"),
            Ascii => format!("wf_first_character({list})"),
            StartsWith => format!(
                "wf_starts_with(wf_bytes({0}), {0}.bytes, wf_bytes({1}), {1}.bytes)",
                texts[0], texts[1]
            ),
            EndsWith => format!(
                "wf_ends_with(wf_bytes({0}), {0}.bytes, wf_bytes({1}), {1}.bytes)",
                texts[0], texts[1]
            ),
            Contains => format!(
                "wf_find(wf_bytes({0}), {0}.bytes, wf_bytes({1}), {1}.bytes, 0) >= 0",
                texts[0], texts[1]
            ),
            Strpos => format!("({c_type})wf_position({list})"),
            Left => format!("wf_left({list})"),
            Right => format!("wf_right({list})"),
            Btrim | Ltrim | Rtrim => {
                let set = match texts.get(1) {
                    Some(set) => (*set).to_owned(),
                    None => self.space(),
                };
                let (start, end) = (function != Rtrim, function != Ltrim);
                format!("wf_trim({}, {set}, {start}, {end})", texts[0])
            }
            Substr => {
                let smallest = super::super::arithmetic::smallest(Repr::I64);
                self.raise("OVERFLOW", &valid, format_args!("{} == {smallest}", texts[1]));
                if let Some(count) = texts.get(2) {
                    self.raise("BAD_CAST", &valid, format_args!("{count} < 0"));
                }
                let count = texts.get(2).copied().unwrap_or("-1ll");
                format!("wf_substr({}, {}, {count})", texts[0], texts[1])
            }
            SplitPart => {
                self.raise("BAD_CAST", &valid, format_args!("{} == 0", texts[2]));
                format!("wf_split_part({list})")
            }
            Reverse => return Ok(self.made(valid, &format!("wf_reverse(heap, {list})"))),
            Replace => return Ok(self.made(valid, &format!("wf_replace(heap, {list})"))),
            _ => return Err(refused()),
        };
        Ok(self.bind_value(repr, call, valid))
    }

    /// A string that `call` makes for rows that need it.
    pub(in super::super) fn made(&mut self, valid: Option<String>, call: &str) -> Value {
        self.effects += 1;
        self.takes_room = true;
        let text = format!("{} ? {call} : {EMPTY}", Self::needed(&valid));
        self.bind_value(Repr::Str, text, valid)
    }

    /// What is true of the rows that need a value.
    pub(in super::super) fn needed(valid: &Option<String>) -> String {
        match valid {
            None => "active".to_owned(),
            Some(valid) => format!("active && {valid}"),
        }
    }

    /// All texts that are there one after the other; with a separator, the first, between them.
    fn concat(&mut self, args: &[Expr], with_separator: bool) -> Result<Value, String> {
        let mut values: Vec<Value> = args
            .iter()
            .map(|arg| self.narrow_value(arg))
            .collect::<Result<_, _>>()?;
        let separator = (with_separator && !values.is_empty()).then(|| values.remove(0));
        for value in &mut values {
            if let Some(valid) = value.valid.take() {
                // Nothing to append; `reserved` tells a text that is not there from an empty one.
                let text = format!("{valid} ? {} : WfStringRef{{0ull, 0u, 1u}}", value.text);
                value.text = self.bind("WfStringRef", text);
            }
        }
        let valid = separator.as_ref().and_then(|separator| separator.valid.clone());
        let separator = separator.map_or_else(|| EMPTY.to_owned(), |separator| separator.text);
        Ok(self.joined_texts(&values, valid, &separator))
    }

    fn joined_texts(&mut self, values: &[Value], valid: Option<String>, separator: &str) -> Value {
        let list: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
        let parts = self.name();
        let all = if list.is_empty() {
            EMPTY.to_owned()
        } else {
            list.join(", ")
        };
        self.line(format_args!("const WfStringRef {parts}[] = {{{all}}};"));
        self.made(
            valid,
            &format!("wf_join(heap, {parts}, {}u, {separator})", list.len()),
        )
    }

    /// `||`: null where one side is.
    pub(in super::super) fn concat_operator(
        &mut self,
        expr: &Expr,
        left: &Expr,
        right: &Expr,
    ) -> Result<Value, String> {
        if !expr.data_type.is_string() || !left.data_type.is_string() || !right.data_type.is_string() {
            return Err(format!(
                "operator || of {} and {} is not run on the GPU",
                left.data_type, right.data_type
            ));
        }
        let (left, right) = (self.narrow_value(left)?, self.narrow_value(right)?);
        let valid = self.both(&left.valid, &right.valid);
        Ok(self.joined_texts(&[left, right], valid, EMPTY))
    }
}
