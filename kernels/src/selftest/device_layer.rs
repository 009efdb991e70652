//! The device layer itself: copies, fills, streams that wait for each other, memory used again in stream order.

use std::time::Duration;

use super::{Check, Context, Failure, expect_equal};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "device/copies",
        run: copies,
    },
    Check {
        name: "device/streams",
        run: streams,
    },
    Check {
        name: "device/arena",
        run: arena,
    },
    Check {
        name: "device/pinned",
        run: pinned,
    },
];

fn copies(context: &mut Context) -> Result<(), Failure> {
    for size in [0usize, 1, 255, 256, 257, 70_000, (16 << 20) + 3] {
        let values = context
            .random
            .bytes(size.min(100_000))
            .into_iter()
            .cycle()
            .take(size)
            .collect::<Vec<_>>();
        let Context {
            stream, reservation, ..
        } = &*context;
        let first = stream.upload_values(reservation, &values)?;
        let second = stream.allocate(reservation, size)?;
        stream.copy(second.view(), first.view())?;
        expect_equal(
            &format!("{size} bytes"),
            &stream.read_sync::<u8>(second.view())?,
            &values,
        )?;
        stream.fill(second.view(), 0x5a)?;
        expect_equal(
            &format!("{size} filled"),
            &stream.read_sync::<u8>(second.view())?,
            &vec![0x5a; size],
        )?;
    }
    Ok(())
}

fn streams(context: &mut Context) -> Result<(), Failure> {
    let other = context.device.stream()?;
    for round in 0..20u8 {
        let Context {
            stream, reservation, ..
        } = &*context;
        let buffer = stream.allocate(reservation, 1 << 16)?;
        stream.fill(buffer.view(), round)?;
        // The other stream uses it after the fill, and the drop waits for the other stream: both without a word.
        let copy = other.allocate(reservation, 1 << 16)?;
        other.copy(copy.view(), buffer.view())?;
        drop(buffer);
        let next = stream.allocate_zeroed(reservation, 1 << 16)?;
        let start = stream.record()?;
        stream.fill(next.view(), 0xff)?;
        let end = stream.record()?;
        expect_equal(
            "copied",
            &other.read_sync::<u8>(copy.view())?,
            &vec![round; 1 << 16],
        )?;
        end.wait_sync()?;
        if !end.is_done()? || end.since(&start)? > Duration::from_secs(60) {
            return Err(Failure(
                "an event that was waited for is not done, or took a minute".to_owned(),
            ));
        }
    }
    Ok(())
}

fn arena(context: &mut Context) -> Result<(), Failure> {
    let streams = [
        context.stream.clone(),
        context.device.stream()?,
        context.device.stream()?,
    ];
    let mut live = Vec::new();
    for step in 0..400u32 {
        let stream = &streams[context.random.below(3) as usize];
        let bytes = 1 + context.random.below(100_000) as usize;
        let buffer = stream.allocate(&context.reservation, bytes)?;
        stream.fill(buffer.view(), step as u8)?;
        live.push((buffer, stream.clone(), step as u8));
        if live.len() > 20 {
            let (buffer, stream, byte) = live.swap_remove(context.random.below(live.len() as u64) as usize);
            let found = stream.read_sync::<u8>(buffer.view())?;
            if found.iter().any(|&other| other != byte) {
                return Err(Failure(format!(
                    "a buffer filled with {byte} was written by another"
                )));
            }
        }
    }
    drop(live);
    if context.reservation.used_bytes() != 0 {
        return Err(Failure(format!(
            "{} bytes are still charged",
            context.reservation.used_bytes()
        )));
    }
    Ok(())
}

/// More goes through the pool of pinned memory than it may hold, on several streams that nobody waits for.
fn pinned(context: &mut Context) -> Result<(), Failure> {
    let slab_bytes = context.device.pinned_slab_bytes_max();
    let limit = context.device.pinned_limit_bytes();
    let streams = [context.device.stream()?, context.device.stream()?];
    let target = context.stream.allocate(&context.reservation, slab_bytes)?;
    let mut uploads = 0;
    let mut last = None;
    while uploads * slab_bytes < limit.min(256 << 20) * 2 {
        let mut slab = context.device.pinned_sync(slab_bytes, Duration::from_secs(60))?;
        slab[0] = uploads as u8;
        let bytes = slab.freeze(slab_bytes)?;
        streams[uploads % 2].upload(&bytes.slice(0..100)?, target.slice(0..100)?)?;
        last = Some(uploads as u8);
        uploads += 1;
    }
    if context.device.pinned_bytes() > limit {
        return Err(Failure(format!(
            "{} bytes are pinned, {limit} may be",
            context.device.pinned_bytes()
        )));
    }
    // The streams race for the target, so only the last two uploads can have won.
    let found = context.stream.read_sync::<u8>(target.slice(0..1)?)?;
    let expected = [last, last.map(|last| last.wrapping_sub(1))];
    if expected.contains(&found.first().copied()) {
        Ok(())
    } else {
        Err(Failure(format!("{found:?}, {expected:?}")))
    }
}
