//! Thrift's compact protocol, as far as page headers need it.
//!
//! In: bytes that anybody may have written. Out: numbers, or why they are none. It allocates nothing, and what it does
//! not know it skips, to a bounded depth. Format: thrift.apache.org, "thrift-compact-protocol".

/// How deep unknown structures may nest.
const DEPTH_MAX: u32 = 16;

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// They end too early: more bytes may help.
    Truncated,
    /// No bytes that follow can make them right.
    Wrong(&'static str),
}

type Result<T> = std::result::Result<T, Malformed>;

/// The type of a field, as the protocol numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List,
    Set,
    Map,
    Struct,
}

impl Kind {
    fn of(code: u8) -> Result<Self> {
        Ok(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4 => Self::I16,
            5 => Self::I32,
            6 => Self::I64,
            7 => Self::Double,
            8 => Self::Binary,
            9 => Self::List,
            10 => Self::Set,
            11 => Self::Map,
            12 => Self::Struct,
            _ => return Err(Malformed::Wrong("a field of unknown type")),
        })
    }
}

/// Bytes, and how far they are read.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed::Wrong("a number of more than 64 bits"))
    }

    fn skip_bytes(&mut self, count: u64) -> Result<()> {
        let left = (self.bytes.len() - self.at) as u64;
        if count > left {
            return Err(Malformed::Truncated);
        }
        self.at += count as usize;
        Ok(())
    }

    /// A signed number of 16 to 64 bits that must fit into 32.
    pub(super) fn i32(&mut self) -> Result<i32> {
        let value = self.varint()?;
        let signed = (value >> 1) as i64 ^ -((value & 1) as i64);
        i32::try_from(signed).map_err(|_| Malformed::Wrong("a number of more than 32 bits"))
    }

    /// The next field's number and type, given the number of the one before; `None` at the structure's end.
    pub(super) fn field(&mut self, last: &mut i32) -> Result<Option<(i32, Kind)>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let kind = Kind::of(head & 15)?;
        *last = match head >> 4 {
            0 => self.i32()?,
            step => last
                .checked_add(i32::from(step))
                .ok_or(Malformed::Wrong("a field number that is too large"))?,
        };
        Ok(Some((*last, kind)))
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: Kind) -> Result<()> {
        self.skip_to_depth(kind, DEPTH_MAX)
    }

    fn skip_to_depth(&mut self, kind: Kind, depth: u32) -> Result<()> {
        let depth = depth
            .checked_sub(1)
            .ok_or(Malformed::Wrong("structures that nest too deeply"))?;
        match kind {
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.skip_bytes(1),
            Kind::I16 | Kind::I32 | Kind::I64 => self.varint().map(drop),
            Kind::Double => self.skip_bytes(8),
            Kind::Binary => {
                let length = self.varint()?;
                self.skip_bytes(length)
            }
            Kind::List | Kind::Set => {
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                self.skip_elements(count, &[head & 15], depth)
            }
            Kind::Map => match self.varint()? {
                0 => Ok(()),
                count => {
                    let kinds = self.byte()?;
                    self.skip_elements(count, &[kinds >> 4, kinds & 15], depth)
                }
            },
            Kind::Struct => {
                let mut last = 0;
                while let Some((_, kind)) = self.field(&mut last)? {
                    self.skip_to_depth(kind, depth)?;
                }
                Ok(())
            }
        }
    }

    /// Elements take a byte each, other than fields do booleans, so their number is bounded by the bytes left.
    fn skip_elements(&mut self, count: u64, codes: &[u8], depth: u32) -> Result<()> {
        for _ in 0..count {
            for &code in codes {
                match Kind::of(code)? {
                    Kind::True | Kind::False => self.skip_bytes(1)?,
                    kind => self.skip_to_depth(kind, depth)?,
                }
            }
        }
        Ok(())
    }
}
