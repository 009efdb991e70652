//! IN. Short lists are compared one by one; longer ones of constants are a sorted array in the block of literals, so
//! that the text does not depend on their length.

use datafusion::common::ScalarValue;

use super::literal::bytes_of;
use super::{Code, Value};
use crate::batch::Repr;
use crate::pipeline::expr::{Expr, Node};

/// Lists up to this are compared one by one.
const UNSORTED_MAX: usize = 4;

impl Code {
    pub(super) fn in_list(&mut self, value: &Expr, list: &[Expr], negated: bool) -> Result<Value, String> {
        let constants: Option<Vec<&ScalarValue>> = list
            .iter()
            .map(|item| match &item.node {
                Node::Literal(constant) => Some(constant),
                _ => None,
            })
            .collect();
        for item in list {
            if !item.data_type.is_null() && !super::compare::comparable(&value.data_type, &item.data_type) {
                return Err(format!(
                    "IN of {} and {} is not run on the GPU",
                    value.data_type, item.data_type
                ));
            }
        }
        let needle = self.narrow_value(value)?;
        let (text, has_null) = match constants {
            Some(constants) if constants.len() > UNSORTED_MAX && needle.repr != Repr::Bool => {
                let there: Vec<&ScalarValue> =
                    constants.iter().copied().filter(|item| !item.is_null()).collect();
                let has_null = (there.len() < constants.len()).then(|| "true".to_owned());
                (self.sorted(&needle, &there)?, has_null)
            }
            _ => self.one_by_one(&needle, list)?,
        };
        let found = self.bind_bool(text);
        // Not found among values of which one is null: nobody knows.
        let known = has_null.map(|null| self.bind_bool(format_args!("{found} || !{null}")));
        let valid = self.both(&needle.valid, &known);
        let text = if negated { format!("!{found}") } else { found };
        Ok(self.bind_value(Repr::Bool, text, valid))
    }

    /// Whether an item equals the needle, and whether an item is null.
    fn one_by_one(&mut self, needle: &Value, list: &[Expr]) -> Result<(String, Option<String>), String> {
        let mut found: Vec<String> = Vec::with_capacity(list.len());
        let mut null: Vec<String> = Vec::new();
        for item in list {
            if let Node::Literal(constant) = &item.node
                && constant.is_null()
            {
                null.push("true".to_owned());
                continue;
            }
            let item = self.narrow_value(item)?;
            let equal = self.identical(needle, &item);
            match item.valid {
                None => found.push(format!("({equal})")),
                Some(valid) => {
                    found.push(format!("({valid} && {equal})"));
                    null.push(format!("!{valid}"));
                }
            }
        }
        let any = |terms: Vec<String>| (!terms.is_empty()).then(|| terms.join(" || "));
        let null = any(null).map(|null| self.bind_bool(null));
        Ok((any(found).unwrap_or_else(|| "false".to_owned()), null))
    }

    /// Whether a sorted array holds the needle.
    fn sorted(&mut self, needle: &Value, constants: &[&ScalarValue]) -> Result<String, String> {
        self.effects += 1;
        let mut items = Vec::with_capacity(constants.len());
        for constant in constants {
            let bytes = bytes_of(constant).ok_or_else(|| {
                format!(
                    "a constant of type {} is not held on the GPU",
                    constant.data_type()
                )
            })?;
            items.push(bytes);
        }
        if needle.repr == Repr::Str {
            items.sort_unstable();
            items.dedup();
            let strings: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
            let slot = self.literals.strings(&strings);
            return Ok(format!("wf_in_strings({}, literals, {slot}u)", needle.text));
        }
        let is_float = matches!(needle.repr, Repr::F32 | Repr::F64);
        let is_signed = !matches!(needle.repr, Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64);
        let mut keys: Vec<i128> = items
            .iter()
            .map(|bytes| match (is_float, bytes.len()) {
                (true, 4) => order_key(bits(bytes) << 32) >> 32,
                (true, _) => order_key(bits(bytes)),
                (false, _) => number(bytes, is_signed),
            })
            .collect();
        keys.sort_unstable();
        keys.dedup();
        // The needle may be wider or narrower than the constants' type: all are compared as the widest of a kind.
        let (c_type, needle, width) = match needle.repr {
            Repr::F32 | Repr::F64 => ("u64", format!("(u64)wf_order_key({})", needle.text), 8),
            Repr::U8 | Repr::U16 | Repr::U32 | Repr::U64 => ("u64", format!("(u64){}", needle.text), 8),
            Repr::I128 => ("i128", needle.text.clone(), 16),
            _ => ("i64", format!("(i64){}", needle.text), 8),
        };
        // What a narrow needle cannot be is not looked for.
        if c_type == "i64" {
            keys.retain(|key| i64::try_from(*key).is_ok());
        }
        let bytes: Vec<u8> = keys
            .iter()
            .flat_map(|key| key.to_le_bytes()[..width].to_vec())
            .collect();
        let slot = self.literals.bytes_of(&bytes, keys.len());
        Ok(format!("wf_in_sorted<{c_type}>({needle}, literals, {slot}u)"))
    }
}

/// Little-endian bytes as bits.
fn bits(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(all)
}

/// The key that the prelude's `wf_order_key` gives to a number of 64 bits.
fn order_key(bits: u64) -> i128 {
    i128::from(if bits >> 63 != 0 { !bits } else { bits | 1 << 63 })
}

/// Little-endian bytes as a number.
fn number(bytes: &[u8], is_signed: bool) -> i128 {
    let negative = is_signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut all = [if negative { 0xff } else { 0 }; 16];
    all[..bytes.len()].copy_from_slice(bytes);
    i128::from_le_bytes(all)
}
