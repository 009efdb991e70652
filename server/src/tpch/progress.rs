//! Telling a person how far the generator is. In: rows as they are made. Out: a bar a table on a
//! terminal, a line a table elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressStyle};

use super::{Table, TablePlan, TableSummary};

/// Who is told, and who may stop it. Called from several threads.
pub trait Progress: Sync {
    /// Before the first row: what will be written.
    fn begin(&self, plans: &[TablePlan]);
    /// `rows` more rows of `table` were encoded.
    fn rows(&self, table: Table, rows: u64);
    /// A table is complete, though not yet under its final name.
    fn done(&self, table: &TableSummary);
    /// Whether to stop; asked at every batch.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &[TablePlan]) {}
    fn rows(&self, _: Table, _: u64) {}
    fn done(&self, _: &TableSummary) {}
}

/// Bars on standard error if it is a terminal, else a line a table.
pub struct TerminalProgress {
    bars: Mutex<Vec<(Table, ProgressBar)>>,
    terminal: bool,
    stop: Arc<AtomicBool>,
}

impl TerminalProgress {
    /// Stops the work once `stop` is true.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self {
            bars: Mutex::default(),
            terminal: stderr().is_terminal(),
            stop,
        }
    }

    fn with_bar(&self, table: Table, act: impl FnOnce(&ProgressBar)) {
        let bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bar)) = bars.iter().find(|(t, _)| *t == table) {
            act(bar);
        }
    }
}

impl Progress for TerminalProgress {
    fn begin(&self, plans: &[TablePlan]) {
        if !self.terminal {
            return;
        }
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("{prefix:>9} {bar:32.cyan/dim} {human_pos:>12} rows {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━━─");
        let bar = |plan: &TablePlan| {
            let bar = all.add(ProgressBar::new(plan.rows).with_style(style.clone()));
            bar.set_prefix(plan.table.name());
            bar.tick();
            (plan.table, bar)
        };
        *self.bars.lock().unwrap_or_else(PoisonError::into_inner) = plans.iter().map(bar).collect();
    }

    fn rows(&self, table: Table, rows: u64) {
        self.with_bar(table, |bar| bar.inc(rows));
    }

    fn done(&self, done: &TableSummary) {
        if self.terminal {
            let size = HumanBytes(done.bytes).to_string();
            self.with_bar(done.table, |bar| {
                bar.set_length(done.rows);
                bar.set_position(done.rows);
                bar.finish_with_message(size);
            });
        } else {
            // A closed standard error is no reason to stop.
            let _ = writeln!(
                stderr(),
                "{}: {} rows, {} in {} file(s)",
                done.table,
                HumanCount(done.rows),
                HumanBytes(done.bytes),
                done.files
            );
        }
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
