//! What threads do together: warp operations, atomics, shared memory, the error word.

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::selftest::{Context, Failure, expect_equal};
use crate::{ErrorFlags, ErrorWord, Raised};

pub(super) fn warp_operations(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "warp_operations")?;
    let values: Vec<u32> = (0..512)
        .map(|at| {
            if at < 64 {
                2_000_000_000 + at
            } else {
                (context.random.bits() >> context.random.below(50)) as u32
            }
        })
        .collect();
    let Context {
        stream, reservation, ..
    } = &*context;
    let input = stream.upload_values(reservation, &values)?;
    let out = stream.allocate(reservation, values.len() * 16 * 8)?;
    stream.launch(
        &kernel,
        Grid::new(2, 256),
        &Args::new().buffer(&input).buffer(&out),
    )?;
    let expected: Vec<u64> = values.chunks(32).flat_map(warp_reference).collect();
    expect_equal(
        "warp operations",
        &stream.read_sync::<u64>(out.view())?,
        &expected,
    )
}

/// What `warp_operations` leaves for the 32 lanes of `warp`.
fn warp_reference(warp: &[u32]) -> Vec<u64> {
    let signed = || warp.iter().map(|&v| v.cast_signed());
    let mask_of = |keep: &dyn Fn(u32) -> bool| {
        (0..32)
            .map(|lane| u64::from(keep(warp[lane])) << lane)
            .sum::<u64>()
    };
    let least = |it: &mut dyn Iterator<Item = i32>| it.min().unwrap_or_default().cast_unsigned();
    let most = |it: &mut dyn Iterator<Item = i32>| it.max().unwrap_or_default().cast_unsigned();
    let all_equal = warp.iter().all(|v| v / 1_000_000_000 == warp[0] / 1_000_000_000);
    let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    let mut out = Vec::new();
    for (lane, &v) in warp.iter().enumerate() {
        let half = if lane < 16 {
            u64::from(warp[..16].iter().map(|v| v & 1023).sum::<u32>())
        } else {
            u64::from(warp[16..].iter().fold(0, |a, v| a ^ v))
        };
        out.extend([
            u64::from(warp[v as usize % 32]),
            u64::from(if lane >= 3 { warp[lane - 3] } else { v }),
            u64::from(if lane + 5 < 32 { warp[lane + 5] } else { v }),
            u64::from(warp[lane ^ 6]),
            u64::from(warp[lane / 8 * 8 + 2]),
            mask_of(&|v| v & 1 == 1),
            u64::from(warp.iter().any(|v| v % 7 == 0)) * 2 + u64::from(warp.iter().all(|v| v % 7 != 3)),
            mask_of(&|other| other % 5 == v % 5),
            if all_equal { u64::from(u32::MAX) } else { 0 },
            u64::from(all_equal),
            u64::from(warp.iter().fold(0u32, |a, &v| a.wrapping_add(v))),
            pair(
                warp.iter().copied().min().unwrap_or_default(),
                warp.iter().copied().max().unwrap_or_default(),
            ),
            pair(least(&mut signed()), most(&mut signed())),
            pair(
                warp.iter().fold(u32::MAX, |a, v| a & (v | 7)),
                warp.iter().fold(0, |a, v| a | (v & 255)),
            ),
            half,
            u64::from(warp[..=lane].iter().fold(0u32, |a, &v| a.wrapping_add(v))),
        ]);
    }
    out
}

pub(super) fn shapes(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "shapes")?;
    let Context {
        stream, reservation, ..
    } = &*context;
    let grid = Grid {
        blocks: [2, 3, 2],
        threads: [4, 4, 4],
        shared_bytes: 0,
    };
    let (blocks, threads) = (12u32, 64u32);
    let total = blocks * threads;
    let cells = stream.allocate(reservation, total as usize * 4)?;
    let counters = stream.upload_values(reservation, &[0u32, u32::MAX, 0, 0, 0, u32::MAX, 0])?;
    let wide = stream.upload_values(reservation, &[0u64, (-200i64).cast_unsigned(), 0])?;
    let sum = stream.upload_values(reservation, &[0.0f64])?;
    let args = Args::new()
        .buffer(&cells)
        .buffer(&counters)
        .buffer(&wide)
        .buffer(&sum);
    stream.launch(&kernel, grid, &args)?;
    let in_block: u32 = (0..threads).sum();
    let expected: Vec<u32> = (0..total)
        .map(|id| in_block + threads / 2 + id / threads / 6)
        .collect();
    expect_equal("cells", &stream.read_sync::<u32>(cells.view())?, &expected)?;
    let ids: u32 = (0..total).sum();
    let xor = (0..total).fold(0, |a, id| a ^ id);
    let expected = [ids, 5, total - 1, u32::MAX, xor, 1 << 31, total % 7];
    expect_equal("counters", &stream.read_sync::<u32>(counters.view())?, &expected)?;
    let expected = [u64::from(ids) << 30, u64::from(total) - 101, u64::from(ids)];
    expect_equal("wide counters", &stream.read_sync::<u64>(wide.view())?, &expected)?;
    expect_equal(
        "sum",
        &stream.read_sync::<f64>(sum.view())?,
        &[f64::from(total) / 2.0],
    )
}

pub(super) fn dynamic_shared(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "reverse_tile")?;
    for size in context.sizes(BLOCK).into_iter().filter(|&size| size > 0) {
        let values: Vec<u16> = (0..size).map(|_| context.random.bits() as u16).collect();
        let Context {
            stream, reservation, ..
        } = &*context;
        let input = stream.upload_values(reservation, &values)?;
        let out = stream.allocate(reservation, size * 2)?;
        let grid = Grid::covering(size, BLOCK, BLOCK as u32).with_shared_bytes(BLOCK as u32 * 2);
        let args = Args::new().buffer(&input).value(size as u64).buffer(&out);
        stream.launch(&kernel, grid, &args)?;
        let expected: Vec<u16> = values
            .chunks(BLOCK)
            .flat_map(|tile| tile.iter().rev())
            .copied()
            .collect();
        expect_equal(
            &format!("{size} reversed"),
            &stream.read_sync::<u16>(out.view())?,
            &expected,
        )?;
    }
    Ok(())
}

pub(super) fn error_word(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "raise_sevens")?;
    let Context {
        stream, reservation, ..
    } = &*context;
    for (size, expected) in [
        (6u64, None),
        (7, Some((ErrorFlags::BAD_CAST.0, 7))),
        (3000, Some((ErrorFlags::BAD_CAST.0 | ErrorFlags::OVERFLOW.0, 7))),
    ] {
        let word = ErrorWord::new(stream, reservation)?;
        let args = Args::new().value(size).view(word.view());
        stream.launch(&kernel, Grid::covering(size as usize, BLOCK, BLOCK as u32), &args)?;
        let expected = expected.map(|(flags, first_item)| Raised {
            flags: ErrorFlags(flags),
            first_item,
        });
        expect_equal("error word", &[word.read_sync(stream)?], &[expected])?;
    }
    Ok(())
}
