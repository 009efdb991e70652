//! Tables of groups that are filled, grow and are filled again, against a map of plain Rust.

use std::collections::HashMap;

use super::{Check, Context, Failure, expect_equal};
use crate::group::{GroupShape, GroupTable, Grouper};
use crate::{Args, Grid, KernelSource};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "group/find",
    run: find,
}];

/// Each row finds its group by `words` words; twice, with other rows in between that find theirs.
fn find(context: &mut Context) -> Result<(), Failure> {
    let grouper = Grouper::new(&context.device)?;
    for words in [1usize, 2, 3] {
        let text = format!(
            "WF_KERNEL(256) find_words(WfGroups* table, const u64* keys, u64 rows, u32* found) {{\n\
             for (u64 row = wf_grid_thread(); row < rows; row += wf_grid_threads()) {{\n\
             u64 words[{words}];\nfor (u32 w = 0; w < {words}u; w++) words[w] = keys[w * rows + row];\n\
             WfStringRef texts[1];\nconst u32 text_words[1] = {{0u}};\n\
             found[row] = wf_find_group<{words}, 0>(table, words, texts, text_words);\n}}\n}}\n"
        );
        let source = KernelSource::generated(format!("find_words_{words}"), text, &["find_words"]);
        let kernel = context.device.module(&source)?.kernel("find_words")?;
        for rows in context.sizes(256) {
            let different = 1 + context.random.below(rows as u64 + 1);
            let mut keys = vec![0u64; rows * words];
            for key in &mut keys {
                // Among them the key that a slot holds as nothing.
                *key = match context.random.below(different) {
                    1 => 0xa076_1d64_78bd_642f,
                    drawn => drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                };
            }
            let shape = GroupShape {
                key_words: words,
                texts: Vec::new(),
                state: vec![0, 0xff],
            };
            let Context {
                stream, reservation, ..
            } = &*context;
            let uploaded = stream.upload_values(reservation, &keys)?;
            let own = context.device.reserve(1 << 20)?;
            let mut table = GroupTable::new(&grouper, stream, &own, shape, 2)?;
            let found = stream.allocate(reservation, (rows * 4).max(8))?;
            let run = |table: &GroupTable| {
                let args = Args::new()
                    .view(table.header())
                    .buffer(&uploaded)
                    .value(rows as u64)
                    .buffer(&found);
                let uses = table.uses();
                let args = uses.into_iter().fold(args, |args, buffer| args.also_uses(buffer));
                stream.launch(&kernel, Grid::new(2, 256), &args)
            };
            loop {
                run(&table)?;
                if !table.fill_sync()?.overflowed {
                    break;
                }
                table.grow_sync()?;
            }
            let first: Vec<u32> = stream.read_sync(found.slice(0..rows * 4)?)?;
            run(&table)?;
            let again: Vec<u32> = stream.read_sync(found.slice(0..rows * 4)?)?;
            let what = format!("groups of {rows} rows by {words} words");
            expect_equal(&what, &again, &first)?;
            let mut numbers: HashMap<Vec<u64>, u32> = HashMap::new();
            for (row, &number) in first.iter().enumerate() {
                let key: Vec<u64> = (0..words).map(|word| keys[word * rows + row]).collect();
                if *numbers.entry(key).or_insert(number) != number {
                    return Err(Failure(format!(
                        "{what}: row {row} is in another group than its like"
                    )));
                }
            }
            let count = table.fill_sync()?.count;
            let mut all: Vec<u32> = numbers.values().copied().collect();
            all.sort_unstable();
            expect_equal(&what, &all, &(0..count as u32).collect::<Vec<_>>())?;
            // Keys lie under the numbers of their groups, wherever the table has grown to.
            let kept: Vec<u64> = stream.read_sync(table.keys())?;
            for (key, number) in numbers {
                for (word, &expected) in key.iter().enumerate() {
                    let kept = kept[word * table.capacity() + number as usize];
                    expect_equal(&format!("{what}: group {number}"), &[kept], &[expected])?;
                }
            }
        }
    }
    Ok(())
}
