//! Sums of 128-bit numbers and extremes of floating-point ones, by many threads at once.

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::selftest::{Context, Failure, expect_equal};

pub(super) fn wide_atomics(context: &mut Context) -> Result<(), Failure> {
    let (add, read) = (
        kernel(context, "wide_atomics")?,
        kernel(context, "read_wide_sum")?,
    );
    let mut overflows = 0;
    for round in 0..20 {
        let count = 1 + context.random.below(1500) as usize;
        let shift = if round % 2 == 0 { 0 } else { 20 };
        let values: Vec<i128> = (0..count).map(|_| context.random.integer() >> shift).collect();
        let numbers: Vec<f64> = (0..count)
            .map(|_| match context.random.below(8) {
                0 => -0.0,
                1 => 0.0,
                2 => f64::INFINITY,
                3 if round % 3 == 0 => f64::NAN,
                _ => context.random.integer() as f64,
            })
            .collect();
        let Context {
            stream, reservation, ..
        } = &*context;
        let input = stream.upload_values(reservation, &values)?;
        let floats = stream.upload_values(reservation, &numbers)?;
        let sum = stream.allocate_zeroed(reservation, 24)?;
        let extremes = stream.upload_values(reservation, &[numbers[0], numbers[0]])?;
        let args = Args::new()
            .buffer(&input)
            .buffer(&floats)
            .value(count as u64)
            .buffer(&sum)
            .buffer(&extremes);
        stream.launch(&add, Grid::covering(count, BLOCK, BLOCK as u32), &args)?;
        let value = stream.allocate(reservation, 16)?;
        let overflow = stream.allocate(reservation, 4)?;
        let args = Args::new().buffer(&sum).buffer(&value).buffer(&overflow);
        stream.launch(&read, Grid::new(1, 32), &args)?;

        // The whole part above 64 bits and the rest are summed apart, so that the reference cannot overflow.
        let low: i128 = values.iter().map(|value| i128::from(*value as u64)).sum();
        let high: i128 = values.iter().map(|value| value >> 64).sum::<i128>() + (low >> 64);
        let fits = i64::try_from(high).is_ok();
        overflows += u32::from(!fits);
        expect_equal(
            "overflow",
            &stream.read_sync::<u32>(overflow.view())?,
            &[u32::from(!fits)],
        )?;
        let expected = (high << 64) | (low & i128::from(u64::MAX));
        expect_equal("sum", &stream.read_sync::<i128>(value.view())?, &[expected])?;
        let by_order = |a: &f64, b: &f64| a.total_cmp(b);
        let expected = [
            numbers.iter().copied().min_by(by_order),
            numbers.iter().copied().max_by(by_order),
        ]
        .map(|number| number.map(f64::to_bits));
        let found = stream.read_sync::<f64>(extremes.view())?;
        let found: Vec<Option<u64>> = found.iter().map(|number| Some(number.to_bits())).collect();
        expect_equal("extremes", &found, &expected)?;
    }
    if overflows == 0 || overflows == 20 {
        return Err(Failure(format!(
            "{overflows} of 20 sums overflowed: the inputs test one side only"
        )));
    }
    Ok(())
}
