//! Segments, values joined up to each row, and trees of joined values, against plain Rust.

use super::{Check, Context, Failure, Random, expect_equal, is_set};
use crate::module::{KernelSource, Module};
use crate::select::Selector;
use crate::window::{Join, Windower};
use crate::{Args, Grid};
use std::sync::Arc;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "window/segments",
        run: segments,
    },
    Check {
        name: "window/scan",
        run: scan,
    },
    Check {
        name: "window/tree",
        run: tree,
    },
];

/// Where segments begin: the first row, and others in `percent` of cases.
fn begins(random: &mut Random, rows: usize, percent: u64) -> Vec<u32> {
    let mut words = vec![0u32; rows.div_ceil(32)];
    for row in (0..rows).filter(|&row| row == 0 || random.chance(percent)) {
        words[row / 32] |= 1 << (row % 32);
    }
    words
}

fn segments(context: &mut Context) -> Result<(), Failure> {
    let (selector, windower) = (Selector::new(&context.device)?, Windower::new(&context.device)?);
    for rows in context.sizes(8192) {
        for percent in [0, 1, 40, 100] {
            let bits = begins(&mut context.random, rows, percent);
            let mut order: Vec<u32> = (0..rows as u32).collect();
            for at in (1..rows).rev() {
                order.swap(at, context.random.below(at as u64 + 1) as usize);
            }
            let Context {
                stream, reservation, ..
            } = &*context;
            let uploaded = stream.upload_values(reservation, &bits)?;
            let exact = context.device.reserve(Windower::segments_bytes(rows))?;
            let found = windower.segments(stream, &exact, &selector, uploaded.view(), rows)?;
            let (mut ids, mut firsts) = (Vec::new(), Vec::new());
            for row in 0..rows {
                if is_set(&bits, row) {
                    firsts.push(row as u32);
                }
                ids.push(firsts.len() as u32 - 1);
            }
            firsts.push(rows as u32);
            let what = format!("{rows} rows, {percent} of 100 begin");
            let read: Vec<u32> = stream.read_sync(found.ids.slice(0..rows * 4)?)?;
            expect_equal(&format!("segments of {what}"), &read, &ids)?;
            let read: Vec<u32> = stream.read_sync(found.firsts.slice(0..firsts.len() * 4)?)?;
            expect_equal(&format!("first rows of {what}"), &read, &firsts)?;

            let uploaded = stream.upload_values(reservation, &order)?;
            let places = stream.allocate(reservation, rows.max(1) * 4)?;
            windower.places(
                stream,
                uploaded.slice(0..rows * 4)?,
                rows,
                places.slice(0..rows * 4)?,
            )?;
            let read: Vec<u32> = stream.read_sync(places.slice(0..rows * 4)?)?;
            let mut expected = vec![0; rows];
            for (at, &row) in order.iter().enumerate() {
                expected[row as usize] = at as u32;
            }
            expect_equal(&format!("places of {rows} rows"), &read, &expected)?;
        }
    }
    Ok(())
}

/// A value as words of 64 bits. Floating-point numbers are small integers, so that sums are exact in any order.
fn draw(random: &mut Random, join: Join) -> Vec<u64> {
    match join {
        Join::AddWide => vec![random.bits(), random.bits()],
        Join::AddFloat => vec![(random.below(2000) as f64 - 1000.0).to_bits()],
        Join::Moments if random.chance(20) => none(join),
        Join::Moments => vec![
            1f64.to_bits(),
            (random.below(2000) as f64 - 1000.0).to_bits(),
            0f64.to_bits(),
        ],
        _ => vec![random.bits()],
    }
}

fn none(join: Join) -> Vec<u64> {
    match join {
        Join::AddWide => vec![0; 2],
        Join::Moments => vec![0; 3],
        Join::Min | Join::And => vec![u64::MAX],
        _ => vec![0],
    }
}

fn joined(join: Join, a: &[u64], b: &[u64]) -> Vec<u64> {
    let wide = |words: &[u64]| u128::from(words[1]) << 64 | u128::from(words[0]);
    let float = |word: u64| f64::from_bits(word);
    match join {
        Join::Add => vec![a[0].wrapping_add(b[0])],
        Join::AddWide => {
            let sum = wide(a).wrapping_add(wide(b));
            vec![sum as u64, (sum >> 64) as u64]
        }
        Join::AddFloat => vec![(float(a[0]) + float(b[0])).to_bits()],
        Join::Min => vec![a[0].min(b[0])],
        Join::Max => vec![a[0].max(b[0])],
        Join::And => vec![a[0] & b[0]],
        Join::Or => vec![a[0] | b[0]],
        Join::Xor => vec![a[0] ^ b[0]],
        Join::Moments => {
            let (n, m) = (float(a[0]), float(b[0]));
            let all = n + m;
            if m == 0.0 {
                return a.to_vec();
            }
            if n == 0.0 {
                return b.to_vec();
            }
            let apart = float(b[1]) - float(a[1]);
            let mean = float(a[1]) + apart * (m / all);
            let squares = float(a[2]) + float(b[2]) + apart * apart * (n * m / all);
            vec![all.to_bits(), mean.to_bits(), squares.to_bits()]
        }
    }
}

/// Fails where values differ; those of moments may by one part in 10^9.
fn expect_close(what: &str, join: Join, found: &[u64], expected: &[u64]) -> Result<(), Failure> {
    if join != Join::Moments {
        return expect_equal(what, found, expected);
    }
    for (at, (&a, &b)) in found.iter().zip(expected).enumerate() {
        let (a, b) = (f64::from_bits(a), f64::from_bits(b));
        if (a - b).abs() > 1e-9 * b.abs().max(1000.0) {
            return Err(Failure(format!("{what}: word {at} is {a}, expected {b}")));
        }
    }
    Ok(())
}

fn scan(context: &mut Context) -> Result<(), Failure> {
    let windower = Windower::new(&context.device)?;
    for rows in context.sizes(1024) {
        for join in Join::ALL {
            let percent = [0, 1, 30][context.random.below(3) as usize];
            let bits = begins(&mut context.random, rows, percent);
            let segmented = context.random.chance(70);
            let mut values: Vec<u64> = Vec::new();
            let mut expected: Vec<u64> = Vec::new();
            let mut before = none(join);
            for row in 0..rows {
                let value = draw(&mut context.random, join);
                if segmented && is_set(&bits, row) {
                    before = none(join);
                }
                before = joined(join, &before, &value);
                values.extend(&value);
                expected.extend(&before);
            }
            let Context {
                stream, reservation, ..
            } = &*context;
            let uploaded = stream.upload_values(reservation, &values)?;
            let bits = stream.upload_values(reservation, &bits)?;
            let target = stream.allocate(reservation, (rows * join.width()).max(8))?;
            let exact = context.device.reserve(Windower::scan_bytes(join, rows))?;
            windower.scan(
                stream,
                &exact,
                join,
                uploaded.slice(0..rows * join.width())?,
                rows,
                segmented.then(|| bits.view()),
                target.slice(0..rows * join.width())?,
            )?;
            let found: Vec<u64> = stream.read_sync(target.slice(0..rows * join.width())?)?;
            let what = format!("{join:?} of {rows} rows, {percent} of 100 begin, segmented: {segmented}");
            expect_close(&what, join, &found, &expected)?;
        }
    }
    Ok(())
}

/// A kernel that joins the values of frames.
fn frames(context: &Context, join: Join) -> Result<Arc<Module>, Failure> {
    let op = join.c_type();
    let text = format!(
        "WF_KERNEL(256) join_frames(const {op}::type* rows, const {op}::type* levels, u64 count, const u32* bounds, \
         u64 frames, {op}::type* out) {{\n\
         u64 at = wf_grid_thread();\n\
         if (at < frames) out[at] = wf_tree_join<{op}>(rows, levels, count, bounds[2 * at], bounds[2 * at + 1]);\n}}\n"
    );
    let name = format!("join_frames_{op}");
    Ok(context
        .device
        .module(&KernelSource::generated(name, text, &["join_frames"]))?)
}

fn tree(context: &mut Context) -> Result<(), Failure> {
    let windower = Windower::new(&context.device)?;
    for join in [Join::AddFloat, Join::Min, Join::Max, Join::Or, Join::Moments] {
        let kernel = frames(context, join)?.kernel("join_frames")?;
        for rows in context.sizes(1024).into_iter().filter(|&rows| rows > 0) {
            let values: Vec<u64> = (0..rows).flat_map(|_| draw(&mut context.random, join)).collect();
            let mut bounds: Vec<u32> = vec![0, rows as u32, 0, 0, rows as u32 - 1, rows as u32];
            for _ in 0..40 {
                let low = context.random.below(rows as u64 + 1);
                bounds.extend([
                    low as u32,
                    (low + context.random.below(rows as u64 - low + 1)) as u32,
                ]);
            }
            let words = join.width() / 8;
            let value = |row: u32| &values[row as usize * words..][..words];
            let frame = |bounds: &[u32]| {
                (bounds[0]..bounds[1]).fold(none(join), |all, row| joined(join, &all, value(row)))
            };
            let expected: Vec<u64> = bounds.chunks(2).flat_map(frame).collect();
            let Context {
                stream, reservation, ..
            } = &*context;
            let leaves = stream.upload_values(reservation, &values)?;
            let exact = context.device.reserve(Windower::tree_bytes(join, rows))?;
            let levels = windower.tree(stream, &exact, join, leaves.view(), rows)?;
            let uploaded = stream.upload_values(reservation, &bounds)?;
            let out = stream.allocate(reservation, bounds.len() / 2 * join.width())?;
            let args = Args::new()
                .buffer(&leaves)
                .buffer(&levels)
                .value(rows as u64)
                .buffer(&uploaded)
                .value(bounds.len() as u64 / 2)
                .buffer(&out);
            stream.launch(&kernel, Grid::covering(bounds.len() / 2, 256, 256), &args)?;
            let found: Vec<u64> = stream.read_sync(out.view())?;
            expect_close(&format!("{join:?} over {rows} rows"), join, &found, &expected)?;
        }
    }
    Ok(())
}
