//! 32-bit floating-point numbers that are none, against those of the CPU.

use std::hint::black_box;

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::selftest::{Context, Failure, expect_equal};

/// What the kernel writes of each pair.
const RESULTS: usize = 7;

/// NaN of both signs and with a payload, infinities, zeros, limits.
const SPECIAL: [u32; 12] = [
    0x7fc0_0000,
    0xffc0_0000,
    0x7fc1_2345,
    0xffe0_0001,
    0x7f80_0000,
    0xff80_0000,
    0,
    0x8000_0000,
    0x7f7f_ffff,
    1,
    0x3f80_0000,
    0xbfa0_0000,
];

/// One number of a pair at most is NaN: which of two the CPU keeps is the compiler's choice.
pub(super) fn floats(context: &mut Context) -> Result<(), Failure> {
    let (mut left, mut right): (Vec<f32>, Vec<f32>) = SPECIAL
        .iter()
        .flat_map(|&a| {
            SPECIAL
                .iter()
                .map(move |&b| (f32::from_bits(a), f32::from_bits(b)))
        })
        .filter(|(a, b)| !a.is_nan() || !b.is_nan())
        .unzip();
    for _ in 0..500 {
        left.push(f32::from_bits(context.random.below(1 << 32) as u32));
        right.push(context.random.integer() as f32);
    }
    let Context {
        stream, reservation, ..
    } = &*context;
    let count = left.len();
    let (a, b) = (
        stream.upload_values(reservation, &left)?,
        stream.upload_values(reservation, &right)?,
    );
    let out = stream.allocate(reservation, count * RESULTS * 8)?;
    let args = Args::new().buffer(&a).buffer(&b).value(count as u64).buffer(&out);
    let grid = Grid::covering(count, BLOCK, BLOCK as u32);
    stream.launch(&kernel(context, "floats")?, grid, &args)?;
    let found = stream.read_sync::<u64>(out.slice(0..count * RESULTS * 8)?)?;
    let of = |number: f32| u64::from(number.to_bits());
    let expected = left.iter().zip(&right).flat_map(|(&a, &b)| {
        let (a, b) = (black_box(a), black_box(b));
        [
            of(a + b),
            of(a - b),
            of(a * b),
            of(a / b),
            f64::from(a).to_bits(),
            of(black_box(f64::from(a)) as f32),
            of(-a.abs()),
        ]
    });
    expect_equal("numbers", &found, &expected.collect::<Vec<u64>>())
}
