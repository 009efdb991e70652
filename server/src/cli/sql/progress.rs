//! What a person sees while a query runs longer than a second. In: rows and bytes received. Out: one line
//! on standard error, redrawn and removed again; nothing where that is no terminal.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::grouped;

/// Queries faster than this show nothing.
const QUIET: Duration = Duration::from_secs(1);
/// How often the line is drawn.
pub const REDRAW: Duration = Duration::from_millis(200);

/// The progress line of one query.
pub struct Progress {
    bar: ProgressBar,
    start: Instant,
    drawn: bool,
}

impl Progress {
    /// Shows nothing at all unless `visible`.
    pub fn new(visible: bool) -> Self {
        let target = if visible {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bar: ProgressBar::with_draw_target(None, target),
            start: Instant::now(),
            drawn: false,
        }
    }

    /// Draws the line if it is time for one. `total_rows` makes it a bar.
    pub fn draw(&mut self, rows: u64, bytes: u64, total_rows: Option<u64>) {
        let elapsed = self.start.elapsed();
        if elapsed < QUIET || self.bar.is_hidden() {
            return;
        }
        let template = match total_rows {
            Some(_) => "{spinner} {bar:30.cyan/dim} {percent}% {msg}",
            None => "{spinner} {msg}",
        };
        if !self.drawn {
            self.drawn = true;
            // It may have been cleared since it was last drawn, and then counts as finished.
            self.bar.reset();
            self.bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            if let Some(total) = total_rows {
                self.bar.set_length(total);
            }
        }
        self.bar.set_position(rows);
        self.bar.set_message(match rows {
            0 if bytes == 0 => format!("running, {:.0} s (Ctrl-C cancels)", elapsed.as_secs_f64()),
            _ => format!(
                "{} rows, {}, {:.0} s",
                grouped(rows),
                HumanBytes(bytes),
                elapsed.as_secs_f64()
            ),
        });
        self.bar.tick();
    }

    /// Takes the line away, so that something else can be written.
    pub fn clear(&mut self) {
        if self.drawn {
            self.bar.finish_and_clear();
            self.drawn = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
