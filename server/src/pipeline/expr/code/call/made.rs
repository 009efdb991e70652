//! Functions that make strings of strings and numbers: padded, repeated, translated, encoded. Like all that take room,
//! they are computed only for the rows that need them.

use arrow::datatypes::DataType;

use super::super::literal::constant_text;
use super::super::{Code, Value, widened};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Function};

/// The longest string that arrow's 32-bit offsets take.
const BYTES_MAX: i64 = i32::MAX as i64;

/// What an argument must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Long,
    Integer,
    Bytes,
}

impl Kind {
    fn takes(self, data_type: &DataType) -> bool {
        match self {
            Self::Text => data_type.is_string(),
            Self::Long => *data_type == DataType::Int64,
            Self::Integer => data_type.is_integer(),
            Self::Bytes => Repr::of(data_type) == Some(Repr::Str),
        }
    }
}

/// What a function takes; of `encode` and `decode`, the name of the encoding is apart.
fn kinds(function: Function, count: usize) -> Option<&'static [Kind]> {
    use Kind::{Bytes, Integer, Long, Text};
    Some(match (function, count) {
        (Function::Lpad | Function::Rpad | Function::Repeat, 2) => &[Text, Long],
        (Function::Lpad | Function::Rpad, 3) => &[Text, Long, Text],
        (Function::Translate, 3) => &[Text, Text, Text],
        (Function::Initcap, 1) => &[Text],
        (Function::ToHex, 1) => &[Integer],
        (Function::Chr, 1) => &[Long],
        (Function::Overlay, 3) => &[Text, Text, Long],
        (Function::Overlay, 4) => &[Text, Text, Long, Long],
        (Function::Levenshtein, 2) => &[Text, Text],
        (Function::Encode | Function::Decode, 2) => &[Bytes],
        _ => return None,
    })
}

impl Code {
    pub(super) fn made_call(
        &mut self,
        expr: &Expr,
        function: Function,
        args: &[Expr],
    ) -> Result<Value, String> {
        let refused = || Self::refused_call(function, args);
        let kinds = kinds(function, args.len()).ok_or_else(refused)?;
        let fits = kinds
            .iter()
            .zip(args)
            .all(|(kind, arg)| kind.takes(&arg.data_type));
        if !fits || function == Function::Repeat && args[0].data_type == DataType::LargeUtf8 {
            return Err(refused());
        }
        self.effects += 1;
        let mut texts: Vec<String> = Vec::with_capacity(args.len());
        let mut valid = None;
        for arg in &args[..kinds.len()] {
            let value = self.narrow_value(arg)?;
            valid = self.both(&valid, &value.valid);
            texts.push(widened(value, arg.repr()?).text);
        }
        let list = texts.join(", ");
        let call = match function {
            Function::Lpad | Function::Rpad => {
                self.raise("BAD_CAST", &valid, format_args!("{} > {BYTES_MAX}ll", texts[1]));
                let fill = match texts.get(2) {
                    Some(fill) => fill.clone(),
                    None => self.space(),
                };
                let at_start = function == Function::Lpad;
                format!("wf_pad(heap, {}, {}, {fill}, {at_start})", texts[0], texts[1])
            }
            Function::Repeat => {
                let (text, count) = (&texts[0], &texts[1]);
                let bad = format!(
                    "{text}.bytes != 0u && {count} > {BYTES_MAX}ll / (i64){text}.bytes || {count} > 1ll << 62"
                );
                let bad = self.bind_bool(bad);
                self.raise("BAD_CAST", &valid, &bad);
                format!("wf_repeat(heap, {text}, {bad} ? 0ll : {count})")
            }
            Function::Translate => format!("wf_translate(heap, {list})"),
            Function::Initcap => {
                // Letters beyond ASCII change length.
                self.raise("FALLBACK", &valid, format_args!("!wf_is_ascii({list})"));
                format!("wf_initcap(heap, {list})")
            }
            Function::ToHex => format!("wf_to_hex(heap, (u64){list})"),
            Function::Chr => {
                self.raise("BAD_CAST", &valid, format_args!("!wf_is_character({list})"));
                format!("wf_chr(heap, {list})")
            }
            Function::Overlay => {
                self.raise("BAD_CAST", &valid, format_args!("{} < 1ll", texts[2]));
                let count = match texts.get(3) {
                    Some(count) => count.clone(),
                    None => format!("(i64)wf_characters({})", texts[1]),
                };
                format!(
                    "wf_overlay(heap, {}, {}, {}, {count})",
                    texts[0], texts[1], texts[2]
                )
            }
            Function::Levenshtein => {
                let repr = expr.repr()?;
                self.takes_room = true;
                let when = Self::needed(&valid);
                let call = format!("{when} ? ({})wf_levenshtein(heap, {list}) : 0", repr.c_type());
                return Ok(self.bind_value(repr, call, valid));
            }
            _ => self.encoding(function, args, &list, &valid)?,
        };
        Ok(self.made(valid, &call))
    }

    fn encoding(
        &mut self,
        function: Function,
        args: &[Expr],
        bytes: &str,
        valid: &Option<String>,
    ) -> Result<String, String> {
        let name = args.get(1).and_then(constant_text);
        Ok(match (function, name) {
            (Function::Encode, Some("hex")) => format!("wf_hex_of(heap, {bytes})"),
            (Function::Encode, Some(name @ ("base64" | "base64pad"))) => {
                format!("wf_base64_of(heap, {bytes}, {})", name == "base64pad")
            }
            (Function::Decode, Some("hex")) => {
                self.raise("BAD_CAST", valid, format_args!("!wf_is_hex({bytes})"));
                format!("wf_of_hex(heap, {bytes})")
            }
            _ => return Err(Self::refused_call(function, args)),
        })
    }

    /// A string of one space.
    pub(super) fn space(&mut self) -> String {
        let slot = self.literals.bytes_of(b" ", 1);
        format!("wf_literal_string(literals, {slot}u)")
    }
}
