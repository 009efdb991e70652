//! Large and small letters. Those of ASCII are computed; a table in the block of literals has what every other letter
//! becomes, as Rust's own functions say, which DataFusion calls.

use std::sync::OnceLock;

use super::super::{Code, Value};
use crate::pipeline::expr::Expr;

/// Bytes of an entry: a code, the number of bytes behind it, and up to eight of those.
const ENTRY_BYTES: usize = 16;

/// The letters that have another case, in the order of their codes, with what they become.
fn table(upper: bool) -> &'static [u8] {
    static TABLES: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    TABLES[usize::from(upper)].get_or_init(|| {
        let mut bytes = Vec::new();
        for letter in '\0'..=char::MAX {
            let other: String = match upper {
                true => letter.to_uppercase().collect(),
                false => letter.to_lowercase().collect(),
            };
            if other.chars().eq([letter]) {
                continue;
            }
            let start = bytes.len();
            bytes.extend_from_slice(&u32::from(letter).to_le_bytes());
            bytes.extend_from_slice(&(other.len() as u32).to_le_bytes());
            bytes.extend_from_slice(other.as_bytes());
            bytes.resize(start + ENTRY_BYTES, 0);
        }
        bytes
    })
}

impl Code {
    pub(super) fn change_case(&mut self, text: &Expr, upper: bool) -> Result<Value, String> {
        let text = self.narrow_value(text)?;
        if !upper {
            // How a sigma is written depends on its neighbours.
            self.raise(
                "FALLBACK",
                &text.valid,
                format_args!("wf_has_sigma({})", text.text),
            );
        }
        let table = table(upper);
        let slot = self.literals.bytes_of(table, table.len() / ENTRY_BYTES);
        let call = format!(
            "wf_change_any_case(heap, {}, {upper}, literals, {slot}u)",
            text.text
        );
        Ok(self.made(text.valid, &call))
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRY_BYTES, table};

    #[test]
    fn every_letter_fits_its_entry() {
        for upper in [false, true] {
            let entries = || table(upper).chunks(ENTRY_BYTES);
            assert!(entries().len() > 1000 && entries().all(|entry| entry.len() == ENTRY_BYTES));
            let longest = entries().map(|entry| entry[4]).max();
            assert!(longest <= Some(8), "{longest:?} bytes");
        }
    }
}
