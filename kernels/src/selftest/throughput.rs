//! How fast tables of groups are filled and searched, rows sorted, and values joined up to each row: what those steps of
//! a query are compared with. Comes in: a device. Goes out: a time a step, and the bytes that it cannot do without.
//!
//! Floors are bytes of device memory a row, if nothing stays in a cache. Finding a group of a key of one word reads a slot
//! and writes the group's number: 32 + 4, the key being in the slot. With several words it reads a sector of each word's
//! column more. A sort reads and writes 12 bytes a pass of 8 bits, the first pass 8 in place of 12, and reads each word
//! once more to count its digits. A scan reads a value twice and writes it once.

use std::time::Duration;

use crate::device::Device;
use crate::error::Result;
use crate::group::{GroupShape, GroupTable, Grouper};
use crate::info::DeviceKind;
use crate::launch::{Args, Grid};
use crate::module::{Kernel, KernelSource};
use crate::sort::{Keys, Sorter};
use crate::stream::Stream;
use crate::window::{Join, Windower};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Throughput {
    /// What was done.
    pub name: String,
    /// Rows that it was done to.
    pub rows: usize,
    /// The time of the device.
    pub time: Duration,
    /// Bytes a row that it reads and writes at least.
    pub floor_bytes: usize,
}

impl Throughput {
    /// Rows a second.
    pub fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

/// Groups that tables are filled with.
const GROUPS: [usize; 4] = [1_000, 1_000_000, 10_000_000, 60_000_000];

/// Measures them: some seconds on a GPU, with up to 8 GiB of its memory; on the emulation with few rows.
pub fn measure_throughput_sync(device: &Device) -> Result<Vec<Throughput>> {
    let rows = match device.info().kind {
        DeviceKind::Cuda => 64 << 20,
        DeviceKind::Sim => 20_000,
    };
    let mut measured = Vec::new();
    for groups in GROUPS {
        for words in [1, 2] {
            measured.extend(group_rates(device, rows, groups.min(rows), words)?);
        }
    }
    for words in [1, 2] {
        measured.push(sort_rate(device, rows, words)?);
    }
    measured.push(scan_rate(device, rows)?);
    Ok(measured)
}

/// Finds the group of each row of random keys. Kernels of one and of two words.
fn find_kernel(device: &Device, words: usize) -> Result<Kernel> {
    let text = format!(
        "WF_KERNEL(256) find_rate(WfGroups* table, u64 rows, u64 groups, u32* found) {{\n\
         for (u64 row = wf_grid_thread(); row < rows; row += wf_grid_threads()) {{\n\
         u64 words[2] = {{wf_hash_u64(row, 1) % groups * 0x9e3779b97f4a7c15ull, 7ull}};\n\
         WfStringRef texts[1];\nconst u32 text_words[1] = {{0u}};\n\
         found[row] = wf_find_group<{words}, 0>(table, words, texts, text_words);\n}}\n}}\n"
    );
    let source = KernelSource::generated(format!("find_rate_{words}"), text, &["find_rate"]);
    device.module(&source)?.kernel("find_rate")
}

/// Two steps: a table is filled that has room for all groups, as that of a query has after its first rows, and then searched.
fn group_rates(device: &Device, rows: usize, groups: usize, words: usize) -> Result<Vec<Throughput>> {
    let stream = device.stream()?;
    let reservation = device.reserve(rows * 4 + (1 << 20))?;
    let shape = GroupShape {
        key_words: words,
        texts: Vec::new(),
        state: vec![0],
    };
    let kernel = find_kernel(device, words)?;
    let grouper = Grouper::new(device)?;
    let found = stream.allocate(&reservation, rows * 4)?;
    let grid = Grid::new(device.info().multiprocessors.max(1) * 8, 256);
    let table = GroupTable::new(&grouper, &stream, &reservation, shape, groups)?;
    let run = || {
        let args = Args::new()
            .view(table.header())
            .value(rows as u64)
            .value(groups as u64)
            .buffer(&found);
        let args = table
            .uses()
            .into_iter()
            .fold(args, |args, buffer| args.also_uses(buffer));
        stream.launch(&kernel, grid, &args)
    };
    let start = stream.record()?;
    run()?;
    let filled = stream.record()?;
    run()?;
    let end = stream.record()?;
    end.wait_sync()?;
    let floor_bytes = 36 + if words > 1 { words * 32 } else { 0 };
    let step = |what: &str, time: Duration| Throughput {
        name: format!("{what} {groups} groups by keys of {words} words"),
        rows,
        time,
        floor_bytes,
    };
    Ok(vec![
        step("fill a table with", filled.since(&start)?),
        step("find", end.since(&filled)?),
    ])
}

/// Random words, as many a row.
fn random_words(device: &Device, stream: &Stream, target: crate::View<'_>) -> Result<()> {
    let text = "WF_KERNEL(256) random_words(u64* words, u64 count) {\n\
                for (u64 at = wf_grid_thread(); at < count; at += wf_grid_threads()) words[at] = wf_hash_u64(at, 3);\n}\n";
    let source = KernelSource::generated("random_words", text, &["random_words"]);
    let kernel = device.module(&source)?.kernel("random_words")?;
    let args = Args::new().view(target).value(target.len_bytes() as u64 / 8);
    let grid = Grid::new(device.info().multiprocessors.max(1) * 8, 256);
    stream.launch(&kernel, grid, &args)
}

fn sort_rate(device: &Device, rows: usize, words: usize) -> Result<Throughput> {
    let stream = device.stream()?;
    let reservation = device.reserve(rows * words * 8 + (1 << 20) + Sorter::sort_bytes(rows, words))?;
    let sorter = Sorter::new(device)?;
    let keys = stream.allocate(&reservation, rows * words * 8)?;
    random_words(device, &stream, keys.view())?;
    let start = stream.record()?;
    let view = keys.view();
    let order = sorter.sort(&stream, &reservation, Keys { view, rows, words })?;
    let end = stream.record()?;
    end.wait_sync()?;
    drop(order);
    Ok(Throughput {
        name: format!("sort by keys of {words} words"),
        rows,
        time: end.since(&start)?,
        floor_bytes: words * (8 * 24 + 8) - 4,
    })
}

fn scan_rate(device: &Device, rows: usize) -> Result<Throughput> {
    let stream = device.stream()?;
    let bytes = rows * 8;
    let reservation = device.reserve(bytes + (1 << 20) + Windower::scan_bytes(Join::Add, rows))?;
    let windower = Windower::new(device)?;
    let values = stream.allocate(&reservation, bytes)?;
    random_words(device, &stream, values.view())?;
    let start = stream.record()?;
    let view = values.view();
    windower.scan(&stream, &reservation, Join::Add, view, rows, None, view)?;
    let end = stream.record()?;
    end.wait_sync()?;
    Ok(Throughput {
        name: "join values of 64 bits up to each row".into(),
        rows,
        time: end.since(&start)?,
        floor_bytes: 24,
    })
}
