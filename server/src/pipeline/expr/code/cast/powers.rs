//! Powers of ten as the prelude wants them to find a number's shortest digits: 10 to the power of -292 to 324, each
//! scaled by a power of two to 128 bits, and rounded up.

use std::sync::OnceLock;

const LEAST: i32 = -292;
const MOST: i32 = 324;

/// Words of the largest number met: 10 to the power of 324 has 1077 bits, and one more is shifted in.
const WORDS: usize = 18;

/// An unsigned number of many words, the lowest first.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Wide([u64; WORDS]);

impl Wide {
    fn power_of_ten(exponent: u32) -> Self {
        let mut words = [0; WORDS];
        words[0] = 1;
        for _ in 0..exponent {
            let mut carry = 0u128;
            for word in &mut words {
                let product = u128::from(*word) * 10 + carry;
                *word = product as u64;
                carry = product >> 64;
            }
        }
        Self(words)
    }

    fn power_of_two(exponent: usize) -> Self {
        let mut words = [0; WORDS];
        words[exponent / 64] = 1 << (exponent % 64);
        Self(words)
    }

    fn bit(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 != 0
    }

    fn bits(&self) -> usize {
        (0..WORDS * 64)
            .rev()
            .find(|at| self.bit(*at))
            .map_or(0, |at| at + 1)
    }

    fn doubled(mut self) -> Self {
        let mut carry = 0;
        for word in &mut self.0 {
            (*word, carry) = (*word << 1 | carry, *word >> 63);
        }
        self
    }

    /// The difference, unless it is negative.
    fn minus(mut self, other: &Self) -> Option<Self> {
        let mut borrow = false;
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            let (first, under) = word.overflowing_sub(*other);
            let (second, under_too) = first.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (second, under || under_too);
        }
        (!borrow).then_some(self)
    }
}

/// The highest 128 bits of a power of ten, one more where others are lost.
fn power(exponent: i32) -> u128 {
    let ten = Wide::power_of_ten(exponent.unsigned_abs());
    let bits = ten.bits();
    let (mut quotient, exact) = if exponent >= 0 {
        let top = (0..128)
            .rev()
            .map(|at| (at + bits).checked_sub(128).is_some_and(|at| ten.bit(at)));
        let lost = (0..bits.saturating_sub(128)).any(|at| ten.bit(at));
        (top.fold(0, |all, bit| all << 1 | u128::from(bit)), !lost)
    } else {
        // Divided bit by bit, from the largest power of two that is not below the number.
        let mut rest = Wide::power_of_two(bits);
        let mut quotient = 0;
        for _ in 0..128 {
            let less = rest.minus(&ten);
            quotient = quotient << 1 | u128::from(less.is_some());
            rest = less.unwrap_or(rest).doubled();
        }
        (quotient, false)
    };
    if !exact {
        quotient += 1;
    }
    quotient
}

/// All of them, 16 bytes each.
pub(super) fn powers() -> &'static [u8] {
    static POWERS: OnceLock<Vec<u8>> = OnceLock::new();
    POWERS.get_or_init(|| {
        (LEAST..=MOST)
            .flat_map(|exponent| power(exponent).to_le_bytes())
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn powers_have_128_bits() {
        assert_eq!(power(0), 1 << 127);
        assert_eq!(power(1), 0xa << 124);
        assert_eq!(power(27), 10u128.pow(27) << (127 - 89));
        assert_eq!(power(38), 10u128.pow(38) << (127 - 126));
        // A tenth is 0.0001100 in binary, over and over.
        assert_eq!(power(-1), 0xcccc_cccc_cccc_cccc_cccc_cccc_cccc_cccd);
        for exponent in [-292, -200, -7, 55, 56, 200, 324] {
            assert!(power(exponent) >> 127 == 1, "{exponent}");
        }
    }
}
