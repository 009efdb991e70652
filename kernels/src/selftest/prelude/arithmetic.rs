//! Integers that tell when they overflow, and powers of ten.

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::plain::Plain;
use crate::selftest::{Context, Failure, expect_equal};

/// What Rust says of one operation: the wrapped value, and whether it overflowed.
type Wrapped<T> = (T, bool);

pub(super) fn arithmetic(context: &mut Context) -> Result<(), Failure> {
    macro_rules! of {
        ($type:ty, $name:literal) => {
            arithmetic_of::<$type>(
                context,
                $name,
                |v| v as $type,
                |a, b| {
                    let quotient = if b == 0 {
                        (0, false)
                    } else {
                        a.overflowing_div(b)
                    };
                    let remainder = if b == 0 { 0 } else { a.wrapping_rem(b) };
                    (
                        [
                            a.overflowing_add(b),
                            a.overflowing_sub(b),
                            a.overflowing_mul(b),
                            quotient,
                        ],
                        remainder,
                        b == 0,
                    )
                },
            )?
        };
    }
    of!(i32, "arithmetic_i32");
    of!(i64, "arithmetic_i64");
    of!(i128, "arithmetic_i128");
    Ok(())
}

#[allow(clippy::type_complexity)]
fn arithmetic_of<T: Plain + PartialEq + std::fmt::Debug>(
    context: &mut Context,
    name: &str,
    make: fn(i128) -> T,
    reference: fn(T, T) -> ([Wrapped<T>; 4], T, bool),
) -> Result<(), Failure> {
    let kernel = kernel(context, name)?;
    let size = 5000;
    let left: Vec<T> = (0..size).map(|_| make(context.random.integer())).collect();
    let right: Vec<T> = (0..size).map(|_| make(context.random.integer())).collect();
    let Context {
        stream, reservation, ..
    } = &*context;
    let (left_buffer, right_buffer) = (
        stream.upload_values(reservation, &left)?,
        stream.upload_values(reservation, &right)?,
    );
    let results = stream.allocate(reservation, size * 5 * size_of::<T>())?;
    let flags = stream.allocate(reservation, size)?;
    let args = Args::new()
        .buffer(&left_buffer)
        .buffer(&right_buffer)
        .value(size as u64)
        .buffer(&results)
        .buffer(&flags);
    stream.launch(&kernel, Grid::covering(size, BLOCK, BLOCK as u32), &args)?;
    let (mut expected, mut expected_flags) = (Vec::new(), Vec::new());
    for (&a, &b) in left.iter().zip(&right) {
        let (operations, remainder, by_zero) = reference(a, b);
        expected.extend(operations.iter().map(|operation| operation.0));
        expected.push(remainder);
        let overflow = (0..4).map(|i| u8::from(operations[i].1) << i).sum::<u8>();
        expected_flags.push(overflow | u8::from(by_zero) << 7);
    }
    expect_equal(name, &stream.read_sync::<T>(results.view())?, &expected)?;
    expect_equal(
        &format!("{name} flags"),
        &stream.read_sync::<u8>(flags.view())?,
        &expected_flags,
    )
}

pub(super) fn powers_of_ten(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "powers_of_ten")?;
    let size = 2000;
    let values: Vec<i128> = (0..size).map(|_| context.random.integer()).collect();
    let Context {
        stream, reservation, ..
    } = &*context;
    let input = stream.upload_values(reservation, &values)?;
    let powers = stream.allocate(reservation, size * 16)?;
    let rounded = stream.allocate(reservation, size * 16)?;
    let args = Args::new()
        .buffer(&input)
        .value(size as u64)
        .buffer(&powers)
        .buffer(&rounded);
    stream.launch(&kernel, Grid::covering(size, BLOCK, BLOCK as u32), &args)?;
    let expected: Vec<i128> = (0..size).map(|at| 10i128.pow(at as u32 % 39)).collect();
    expect_equal(
        "powers of ten",
        &stream.read_sync::<i128>(powers.view())?,
        &expected,
    )?;
    let halves: Vec<i128> = values
        .iter()
        .zip(&expected)
        .map(|(&value, &power)| {
            let (quotient, rest) = (value / power, value % power);
            let up = power > 1 && rest.unsigned_abs() >= power.unsigned_abs() / 2;
            quotient + if up { value.signum() } else { 0 }
        })
        .collect();
    expect_equal(
        "rounded quotients",
        &stream.read_sync::<i128>(rounded.view())?,
        &halves,
    )
}

/// Zeros among the absolute values: for these a compiler once took too much.
pub(super) fn minus_absolute(context: &mut Context) -> Result<(), Failure> {
    let mut left = vec![
        0,
        1,
        -1,
        -30_000,
        i128::MIN,
        i128::MAX,
        i128::MIN + 5,
        1 << 64,
        -(1 << 64),
    ];
    left.extend((0..300).map(|_| context.random.integer()));
    let right: Vec<i64> = (0..left.len())
        .map(|row| match row % 3 {
            0 => 0,
            1 => context.random.integer() as i64 >> 1,
            _ => [1, -1, i64::MAX, -i64::MAX][context.random.below(4) as usize],
        })
        .collect();
    let Context {
        stream, reservation, ..
    } = &*context;
    let count = left.len();
    let (a, b) = (
        stream.upload_values(reservation, &left)?,
        stream.upload_values(reservation, &right)?,
    );
    let out = stream.allocate(reservation, count * 32)?;
    let overflows = stream.allocate(reservation, count * 4)?;
    let args = Args::new()
        .buffer(&a)
        .buffer(&b)
        .value(count as u64)
        .buffer(&out)
        .buffer(&overflows);
    let grid = Grid::covering(count, BLOCK, BLOCK as u32);
    stream.launch(&kernel(context, "minus_absolute")?, grid, &args)?;
    let pairs = left.iter().zip(&right);
    let expected: Vec<(i128, bool)> = pairs
        .map(|(a, b)| a.overflowing_sub(i128::from(b.abs())))
        .collect();
    let twice: Vec<i128> = expected
        .iter()
        .flat_map(|&(number, _)| [number, number])
        .collect();
    expect_equal(
        "differences",
        &stream.read_sync::<i128>(out.slice(0..count * 32)?)?,
        &twice,
    )?;
    let flags: Vec<u32> = expected
        .iter()
        .map(|&(_, overflow)| u32::from(overflow))
        .collect();
    expect_equal(
        "overflows",
        &stream.read_sync::<u32>(overflows.slice(0..count * 4)?)?,
        &flags,
    )
}
