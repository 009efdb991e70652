//! One statement from its text to its output. In: the statement, a client, a sink. Out: rows written as
//! they arrive, or what an update did. Stops at Ctrl-C, and then stops the server too.

use std::fmt;
use std::io::{IsTerminal, stderr, stdout};
use std::time::{Duration, Instant};

use arrow_flight::FlightInfo;

use super::client::Client;
use super::failure::{Failure, Outcome};
use super::interrupt::Interrupt;
use super::output::{Layout, Sink, grouped, writer};
use super::progress::{Progress, REDRAW};
use super::split;

/// What a statement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It had rows, and they are written.
    Rows(u64),
    /// It had none; what it did, in words.
    Changed(String),
}

/// How long it took.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until the first batch or the answer.
    pub first: Duration,
    /// In all.
    pub total: Duration,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "time: {}", short(self.total))?;
        if self.total > Duration::from_millis(200) && self.first * 10 < self.total * 9 {
            write!(f, " (first rows after {})", short(self.first))?;
        }
        Ok(())
    }
}

fn short(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 60.0 => format!("{s:.2} s"),
        s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
    }
}

/// Runs `sql` and writes its rows to `sink`.
pub async fn statement(
    client: &mut Client,
    sql: &str,
    layout: &Layout,
    sink: &mut Sink,
    interrupt: &mut Interrupt,
) -> Outcome<(Done, Times)> {
    let start = Instant::now();
    // A line on standard error would spoil what a pager shows.
    let mut progress = Progress::new(stderr().is_terminal() && (!sink.is_stdout() || stdout().is_terminal()));
    if split::is_update(sql) {
        let rows = waiting(client.update(sql), &mut progress, interrupt).await?;
        let total = start.elapsed();
        return Ok((Done::Changed(changed(sql, rows)), Times { first: total, total }));
    }
    let info = waiting(client.query(sql), &mut progress, interrupt).await?;
    let outcome = rows(client, &info, layout, sink, &mut progress, interrupt, start).await;
    progress.clear();
    if outcome.is_err() {
        // The stream is dropped by now; the action also reaches a query that has not begun to answer.
        client.cancel(info).await;
    }
    let (count, first) = outcome?;
    Ok((
        Done::Rows(count),
        Times {
            first,
            total: start.elapsed(),
        },
    ))
}

/// Awaits an answer, with the progress line, until Ctrl-C.
async fn waiting<T>(
    answer: impl Future<Output = Outcome<T>>,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
) -> Outcome<T> {
    tokio::pin!(answer);
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        tokio::select! {
            biased;
            () = interrupt.next() => return Err(Failure::interrupted()),
            answer = &mut answer => {
                progress.clear();
                return answer;
            }
            _ = redraw.tick() => progress.draw(0, 0, None),
        }
    }
}

async fn rows(
    client: &mut Client,
    info: &FlightInfo,
    layout: &Layout,
    sink: &mut Sink,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
    start: Instant,
) -> Outcome<(u64, Duration)> {
    let mut rows = waiting(client.rows(info), progress, interrupt).await?;
    let mut redraw = tokio::time::interval(REDRAW);
    let (mut count, mut first) = (0, None);
    let (out, name) = sink.parts();
    let mut writer = writer(layout, name, out);
    loop {
        tokio::select! {
            biased;
            () = interrupt.next() => return Err(Failure::interrupted()),
            batch = rows.next() => {
                let Some(batch) = batch else { break };
                let batch = batch?;
                first.get_or_insert_with(|| start.elapsed());
                count += batch.num_rows() as u64;
                if writer.shows(batch.num_rows()) {
                    progress.clear();
                }
                writer.write(&batch)?;
            }
            _ = redraw.tick() => progress.draw(count, rows.received_bytes(), rows.total_rows),
        }
    }
    progress.clear();
    writer.finish()?;
    drop(writer);
    sink.flush()?;
    Ok((count, first.unwrap_or_else(|| start.elapsed())))
}

/// `created table t`-like words for what an update did: its first words and the rows it touched.
fn changed(sql: &str, rows: Option<u64>) -> String {
    let word = split::first_word(sql).to_ascii_uppercase();
    let counts = matches!(word.as_str(), "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY");
    match rows {
        Some(1) if counts => format!("{word}: 1 row"),
        Some(n) if counts || n > 0 => format!("{word}: {} rows", grouped(n)),
        _ => format!("{word}: done"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        let times = |first, total| {
            Times {
                first: Duration::from_millis(first),
                total: Duration::from_millis(total),
            }
            .to_string()
        };
        assert_eq!(times(12, 12), "time: 12.0 ms");
        assert_eq!(times(12, 2500), "time: 2.50 s (first rows after 12.0 ms)");
        assert_eq!(times(2500, 2501), "time: 2.50 s");
        assert_eq!(times(125_000, 125_000), "time: 2 min 5 s");
    }

    #[test]
    fn what_updates_say() {
        assert_eq!(changed("insert into t values (1)", Some(1)), "INSERT: 1 row");
        assert_eq!(changed("delete from t", Some(0)), "DELETE: 0 rows");
        assert_eq!(changed("COPY t to 'x'", Some(12_345)), "COPY: 12,345 rows");
        assert_eq!(changed("create view v as select 1", Some(0)), "CREATE: done");
        assert_eq!(changed("set x = 1", None), "SET: done");
    }
}
