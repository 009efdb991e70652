//! Scans and reductions of a block.

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::plain::Plain;
use crate::selftest::{Context, Failure, expect_equal};

pub(super) fn block_scan(context: &mut Context) -> Result<(), Failure> {
    scan_of::<u32>(context, "scan_u32", |bits| bits as u32, u32::wrapping_add)?;
    scan_of::<u64>(context, "scan_u64", |bits| bits, u64::wrapping_add)?;
    scan_of::<i128>(
        context,
        "scan_i128",
        |bits| i128::from(bits) << 50,
        i128::wrapping_add,
    )
}

fn scan_of<T: Plain + PartialEq + std::fmt::Debug + Default>(
    context: &mut Context,
    name: &str,
    make: fn(u64) -> T,
    add: fn(T, T) -> T,
) -> Result<(), Failure> {
    let kernel = kernel(context, name)?;
    for size in context.sizes(BLOCK) {
        let values: Vec<T> = (0..size).map(|_| make(context.random.bits())).collect();
        let tiles = size.div_ceil(BLOCK).max(1);
        let Context {
            stream, reservation, ..
        } = &*context;
        let input = stream.upload_values(reservation, &values)?;
        let scanned = stream.allocate(reservation, size * size_of::<T>())?;
        let totals = stream.allocate(reservation, tiles * size_of::<T>())?;
        let args = Args::new()
            .buffer(&input)
            .value(size as u64)
            .buffer(&scanned)
            .buffer(&totals);
        stream.launch(&kernel, Grid::covering(size, BLOCK, BLOCK as u32), &args)?;
        let (mut expected, mut expected_totals) = (Vec::new(), Vec::new());
        for tile in 0..tiles {
            let mut sum = T::default();
            for &value in values.iter().skip(tile * BLOCK).take(BLOCK) {
                expected.push(sum);
                sum = add(sum, value);
            }
            expected_totals.push(sum);
        }
        expect_equal(
            &format!("{name} of {size}"),
            &stream.read_sync::<T>(scanned.view())?,
            &expected,
        )?;
        expect_equal(
            &format!("{name} totals of {size}"),
            &stream.read_sync::<T>(totals.view())?,
            &expected_totals,
        )?;
    }
    Ok(())
}

pub(super) fn block_reduce(context: &mut Context) -> Result<(), Failure> {
    reduce_of::<i32>(context, "reduce_i32", |v| v as i32, i32::wrapping_add)?;
    reduce_of::<i64>(context, "reduce_i64", |v| v as i64, i64::wrapping_add)?;
    reduce_of::<i128>(context, "reduce_i128", |v| v, i128::wrapping_add)?;
    // Whole numbers, so that the order of the sum does not show.
    reduce_of::<f64>(context, "reduce_f64", |v| ((v >> 90) as i32) as f64, |a, b| a + b)
}

fn reduce_of<T: Plain + PartialOrd + std::fmt::Debug + Default>(
    context: &mut Context,
    name: &str,
    make: fn(i128) -> T,
    add: fn(T, T) -> T,
) -> Result<(), Failure> {
    let kernel = kernel(context, name)?;
    for size in context.sizes(BLOCK).into_iter().filter(|&size| size > 0) {
        let values: Vec<T> = (0..size).map(|_| make(context.random.integer())).collect();
        let Context {
            stream, reservation, ..
        } = &*context;
        let input = stream.upload_values(reservation, &values)?;
        let blocks = size.div_ceil(BLOCK);
        let reduced = stream.allocate(reservation, blocks * 3 * size_of::<T>())?;
        let args = Args::new().buffer(&input).value(size as u64).buffer(&reduced);
        stream.launch(&kernel, Grid::covering(size, BLOCK, BLOCK as u32), &args)?;
        let mut expected = Vec::new();
        for tile in values.chunks(BLOCK) {
            // Threads beyond the end repeat the first value of all: minimum and maximum see it.
            let seen = || {
                tile.iter()
                    .chain((tile.len() < BLOCK).then_some(&values[0]))
                    .copied()
            };
            expected.push(tile.iter().copied().fold(T::default(), add));
            expected.push(
                seen()
                    .reduce(|a, b| if b < a { b } else { a })
                    .unwrap_or_default(),
            );
            expected.push(
                seen()
                    .reduce(|a, b| if b > a { b } else { a })
                    .unwrap_or_default(),
            );
        }
        expect_equal(
            &format!("{name} of {size}"),
            &stream.read_sync::<T>(reduced.view())?,
            &expected,
        )?;
    }
    Ok(())
}
