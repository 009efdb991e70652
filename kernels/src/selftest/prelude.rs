//! The prelude's primitives against plain Rust: scans, reductions, wide arithmetic, hash, bits, warp operations.

use super::{Check, Context, Failure, expect_equal};
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::plain::Plain;
use crate::prelude::{hash_bytes, hash_u64, hash_u128};
use crate::{ErrorFlags, ErrorWord, Raised};

const BLOCK: usize = 256;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "prelude/block_scan",
        run: block_scan,
    },
    Check {
        name: "prelude/block_reduce",
        run: block_reduce,
    },
    Check {
        name: "prelude/arithmetic",
        run: arithmetic,
    },
    Check {
        name: "prelude/powers_of_ten",
        run: powers_of_ten,
    },
    Check {
        name: "prelude/hash",
        run: hash,
    },
    Check {
        name: "prelude/unpack",
        run: unpack,
    },
    Check {
        name: "prelude/varint",
        run: varint,
    },
    Check {
        name: "prelude/warp_operations",
        run: warp_operations,
    },
    Check {
        name: "prelude/shapes_and_atomics",
        run: shapes,
    },
    Check {
        name: "prelude/dynamic_shared",
        run: dynamic_shared,
    },
    Check {
        name: "prelude/error_word",
        run: error_word,
    },
];

/// The kernels of this file.
pub(super) fn source() -> KernelSource {
    KernelSource::library(
        "selftest_prelude",
        include_str!("prelude.cu"),
        &[
            "scan_u32",
            "scan_u64",
            "scan_i128",
            "reduce_i32",
            "reduce_i64",
            "reduce_i128",
            "reduce_f64",
            "arithmetic_i32",
            "arithmetic_i64",
            "arithmetic_i128",
            "powers_of_ten",
            "hashes",
            "unpack",
            "varints",
            "warp_operations",
            "shapes",
            "reverse_tile",
            "raise_sevens",
        ],
    )
}

fn kernel(context: &Context, name: &str) -> Result<Kernel, Failure> {
    Ok(context.device.module(&source())?.kernel(name)?)
}

fn block_scan(context: &mut Context) -> Result<(), Failure> {
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

fn block_reduce(context: &mut Context) -> Result<(), Failure> {
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

/// What Rust says of one operation: the wrapped value, and whether it overflowed.
type Wrapped<T> = (T, bool);

fn arithmetic(context: &mut Context) -> Result<(), Failure> {
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

fn powers_of_ten(context: &mut Context) -> Result<(), Failure> {
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

fn hash(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "hashes")?;
    let seed = context.random.bits();
    let lengths: Vec<usize> = (0..300)
        .map(|at| {
            if at < 40 {
                at
            } else {
                context.random.below(90) as usize
            }
        })
        .collect();
    let words: Vec<u64> = lengths
        .iter()
        .map(|_| context.random.bits() >> context.random.below(64))
        .collect();
    let mut offsets = vec![0u32];
    let mut bytes = Vec::new();
    for &length in &lengths {
        bytes.extend(context.random.bytes(length));
        offsets.push(bytes.len() as u32);
    }
    let mut padded = bytes.clone();
    padded.extend([0; 8]);
    let Context {
        stream, reservation, ..
    } = &*context;
    let words_buffer = stream.upload_values(reservation, &words)?;
    let bytes_buffer = stream.upload_values(reservation, &padded)?;
    let offsets_buffer = stream.upload_values(reservation, &offsets)?;
    let out = stream.allocate(reservation, lengths.len() * 24)?;
    let args = Args::new()
        .buffer(&words_buffer)
        .buffer(&bytes_buffer)
        .buffer(&offsets_buffer)
        .value(lengths.len() as u64)
        .value(seed)
        .buffer(&out);
    stream.launch(&kernel, Grid::covering(lengths.len(), BLOCK, BLOCK as u32), &args)?;
    let mut expected = Vec::new();
    for (at, &word) in words.iter().enumerate() {
        expected.push(hash_u64(word, seed));
        expected.push(hash_u128(
            u128::from(word) << 64 | u128::from(word.wrapping_mul(3)),
            seed,
        ));
        expected.push(hash_bytes(
            &bytes[offsets[at] as usize..offsets[at + 1] as usize],
            seed,
        ));
    }
    expect_equal("hashes", &stream.read_sync::<u64>(out.view())?, &expected)
}

fn unpack(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "unpack")?;
    for width in 0..=64u32 {
        let first_bit = context.random.below(40);
        let count = 70 + context.random.below(500) as usize;
        let values: Vec<u64> = (0..count)
            .map(|_| {
                if width == 0 {
                    0
                } else {
                    context.random.bits() >> (64 - width)
                }
            })
            .collect();
        let mut packed = vec![0u8; (first_bit as usize + count * width as usize).div_ceil(8) + 8];
        for (at, &value) in values.iter().enumerate() {
            for bit in (0..width).filter(|bit| value >> bit & 1 == 1) {
                let place = first_bit as usize + at * width as usize + bit as usize;
                packed[place / 8] |= 1 << (place % 8);
            }
        }
        let Context {
            stream, reservation, ..
        } = &*context;
        let input = stream.upload_values(reservation, &packed)?;
        let out = stream.allocate(reservation, count * 8)?;
        let args = Args::new()
            .buffer(&input)
            .value(width)
            .value(first_bit)
            .value(count as u64)
            .buffer(&out);
        stream.launch(&kernel, Grid::covering(count, BLOCK, BLOCK as u32), &args)?;
        expect_equal(
            &format!("{width} bits"),
            &stream.read_sync::<u64>(out.view())?,
            &values,
        )?;
    }
    Ok(())
}

fn varint(context: &mut Context) -> Result<(), Failure> {
    let kernel = kernel(context, "varints")?;
    let values: Vec<i64> = (0..200).map(|_| context.random.integer() as i64).collect();
    let mut data = Vec::new();
    for &value in &values {
        let mut zigzag = (value << 1 ^ value >> 63).cast_unsigned();
        while zigzag > 127 {
            data.push(zigzag as u8 | 128);
            zigzag >>= 7;
        }
        data.push(zigzag as u8);
    }
    // The last one cut short, then one of more than 64 bits: neither may be read.
    for broken in [
        data[..data.len()].to_vec(),
        vec![255; 9],
        [vec![255; 9], vec![2]].concat(),
    ] {
        let whole = if broken.len() > 10 { values.len() } else { 0 };
        let Context {
            stream, reservation, ..
        } = &*context;
        let input = stream.upload_values(reservation, &broken)?;
        let out = stream.allocate_zeroed(reservation, values.len() * 8)?;
        let read = stream.allocate(reservation, 8)?;
        let args = Args::new()
            .buffer(&input)
            .value(broken.len() as u64)
            .value(values.len() as u64)
            .buffer(&out)
            .buffer(&read);
        stream.launch(&kernel, Grid::new(1, 32), &args)?;
        expect_equal(
            "varints read",
            &stream.read_sync::<u64>(read.view())?,
            &[whole as u64],
        )?;
        expect_equal(
            "varints",
            &stream.read_sync::<i64>(out.view())?[..whole],
            &values[..whole],
        )?;
    }
    Ok(())
}

fn warp_operations(context: &mut Context) -> Result<(), Failure> {
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

fn shapes(context: &mut Context) -> Result<(), Failure> {
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

fn dynamic_shared(context: &mut Context) -> Result<(), Failure> {
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

fn error_word(context: &mut Context) -> Result<(), Failure> {
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
