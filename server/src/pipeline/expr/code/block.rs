//! The block of literals: what tells queries of one shape apart, as an argument of the kernel. Slots of 16 bytes come
//! first; a slot of a string or of a list says where behind the slots its bytes are, and how many.

use crate::batch::Repr;

/// Bytes that must be readable behind strings, as the prelude says.
const SLACK_BYTES: usize = 8;

/// Slots, and the bytes behind them.
#[derive(Debug, Default, Clone)]
pub struct Literals {
    slots: Vec<[u8; 16]>,
    /// Slots that hold a distance from the end of all slots and a number.
    references: Vec<usize>,
    tail: Vec<u8>,
}

impl Literals {
    /// Room for a value; its offset in the block.
    pub(super) fn value(&mut self, bytes: &[u8]) -> usize {
        let mut slot = [0; 16];
        slot[..bytes.len()].copy_from_slice(bytes);
        self.slots.push(slot);
        (self.slots.len() - 1) * 16
    }

    /// Room for bytes of any number, aligned to 16, and for `count`; the offset of their slot.
    pub(super) fn bytes_of(&mut self, bytes: &[u8], count: usize) -> usize {
        self.tail.resize(self.tail.len().next_multiple_of(16), 0);
        let mut slot = [0; 16];
        slot[..8].copy_from_slice(&(self.tail.len() as u64).to_le_bytes());
        slot[8..].copy_from_slice(&(count as u64).to_le_bytes());
        self.tail.extend_from_slice(bytes);
        self.references.push(self.slots.len());
        self.slots.push(slot);
        (self.slots.len() - 1) * 16
    }

    /// A sorted list of strings as pairs of a distance from the list itself and a length, then their bytes.
    pub(super) fn strings(&mut self, strings: &[&[u8]]) -> usize {
        let mut bytes = Vec::new();
        let mut at = strings.len() * 16;
        for string in strings {
            bytes.extend_from_slice(&(at as u64).to_le_bytes());
            bytes.extend_from_slice(&(string.len() as u64).to_le_bytes());
            at += string.len();
        }
        strings.iter().for_each(|string| bytes.extend_from_slice(string));
        self.bytes_of(&bytes, strings.len())
    }

    /// The whole block.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let start = self.slots.len() * 16;
        let mut bytes: Vec<u8> = self.slots.concat();
        for slot in &self.references {
            let at = slot * 16;
            let mut distance = [0; 8];
            distance.copy_from_slice(&bytes[at..at + 8]);
            let offset = u64::from_le_bytes(distance) + start as u64;
            bytes[at..at + 8].copy_from_slice(&offset.to_le_bytes());
        }
        bytes.extend_from_slice(&self.tail);
        bytes.resize(bytes.len() + SLACK_BYTES, 0);
        bytes
    }
}

/// What reads a value of `repr` at `offset`.
pub(super) fn load(repr: Repr, offset: usize) -> String {
    match repr {
        Repr::Bool => format!("literals[{offset}] != 0"),
        Repr::Str => format!("wf_literal_string(literals, {offset}u)"),
        _ => format!("*(const {}*)(literals + {offset})", repr.c_type()),
    }
}
