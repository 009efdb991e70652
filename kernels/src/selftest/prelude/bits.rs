//! Hashes, bit-packed values, varints.

use super::{BLOCK, kernel};
use crate::launch::{Args, Grid};
use crate::prelude::{hash_bytes, hash_u64, hash_u128};
use crate::selftest::{Context, Failure, expect_equal};

pub(super) fn hash(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn unpack(context: &mut Context) -> Result<(), Failure> {
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

pub(super) fn varint(context: &mut Context) -> Result<(), Failure> {
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
