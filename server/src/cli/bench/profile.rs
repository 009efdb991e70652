//! Where the time of a query goes. In: what `EXPLAIN ANALYZE` says of its pipelines. Out: milliseconds by what they were
//! spent on. Reading, decoding and computing overlap, so that shares may come to more than the whole.

use std::collections::BTreeMap;
use std::time::Duration;

/// What kernels that compute are counted as, in the order of the table.
const OPERATORS: [&str; 5] = ["join", "build", "group", "sort", "rows"];

/// One query's time, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// From the client's call to the last batch: the median of its runs.
    pub total_ms: f64,
    /// The same for its `EXPLAIN`: planning.
    pub plan_ms: f64,
    /// In which at least one partition was read, added up over its scans.
    pub read_ms: f64,
    /// Of the device, for decompressing and decoding, added up over partitions.
    pub decode_ms: f64,
    /// Of the device, for finding rows in tables of joins, building those, grouping, sorting (windows too), and rows that
    /// are filtered and computed on their way.
    pub operators_ms: [f64; 5],
}

impl Profile {
    /// Of what `EXPLAIN ANALYZE` printed.
    pub fn of(analyzed: &str, total_ms: f64, plan_ms: f64) -> Self {
        let times = times(analyzed);
        let sum = |name: &str| {
            let named = times.iter().filter(|((_, of), _)| of == name);
            named.map(|(_, ms)| ms).sum::<f64>()
        };
        let mut operators_ms = [0.0; 5];
        for ((pipeline, name), ms) in &times {
            let joins = times.get(&(*pipeline, "join_time".to_owned())).unwrap_or(&0.0);
            match name.as_str() {
                "join_time" => operators_ms[0] += ms,
                "kernel_time" => operators_ms[sink(analyzed, *pipeline)] += ms - joins,
                _ => {}
            }
        }
        Self {
            total_ms,
            plan_ms,
            read_ms: sum("read_time"),
            decode_ms: sum("decode_time"),
            operators_ms,
        }
    }

    /// The head of a table of profiles.
    pub fn head() -> String {
        let columns = ["total ms", "plan", "read", "decode"]
            .into_iter()
            .chain(OPERATORS);
        format!("\n{:<5}{}", "query", cells(columns.map(str::to_owned)))
    }

    /// The line of query `name`.
    pub fn line(&self, name: &str) -> String {
        let all = [self.total_ms, self.plan_ms, self.read_ms, self.decode_ms];
        let all = all.into_iter().chain(self.operators_ms);
        format!("{name:<5}{}", cells(all.map(|ms| format!("{ms:.1}"))))
    }

    /// Milliseconds by the names of the table's columns.
    pub fn object(&self) -> serde_json::Value {
        let operators = OPERATORS.iter().zip(self.operators_ms);
        let operators: serde_json::Map<_, _> = operators
            .map(|(name, ms)| ((*name).to_owned(), ms.into()))
            .collect();
        serde_json::json!({
            "plan_ms": self.plan_ms,
            "read_ms": self.read_ms,
            "decode_ms": self.decode_ms,
            "operators_ms": operators,
        })
    }
}

impl std::iter::Sum for Profile {
    fn sum<I: Iterator<Item = Self>>(profiles: I) -> Self {
        let nothing = Self::of("", 0.0, 0.0);
        profiles.fold(nothing, |mut sum, one| {
            sum.total_ms += one.total_ms;
            sum.plan_ms += one.plan_ms;
            sum.read_ms += one.read_ms;
            sum.decode_ms += one.decode_ms;
            for (sum, one) in sum.operators_ms.iter_mut().zip(one.operators_ms) {
                *sum += one;
            }
            sum
        })
    }
}

fn cells(texts: impl Iterator<Item = String>) -> String {
    texts.map(|text| format!(" {text:>8}")).collect()
}

/// Milliseconds by pipeline and name of the metrics like `p3_read_time=1.5ms`.
fn times(analyzed: &str) -> BTreeMap<(usize, String), f64> {
    let words = analyzed.split(|c: char| c == ',' || c == '[' || c == ']' || c.is_whitespace());
    let time = |word: &str| {
        let (name, value) = word.split_once('=')?;
        let (pipeline, name) = name.strip_prefix('p')?.split_once('_')?;
        let ms = name.ends_with("_time").then(|| milliseconds(value)).flatten()?;
        Some(((pipeline.parse().ok()?, name.to_owned()), ms))
    };
    words.filter_map(time).collect()
}

/// A duration as metrics print it: 950ns, 1.5µs, 20.1ms, 1.2s.
fn milliseconds(text: &str) -> Option<f64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
    let unit = match unit {
        "ns" => Duration::from_nanos(1),
        "µs" | "us" | "μs" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        _ => return None,
    };
    Some(number * unit.as_secs_f64() * 1e3)
}

/// As which of [`OPERATORS`] the sink of a pipeline counts.
fn sink(analyzed: &str, pipeline: usize) -> usize {
    let text = analyzed
        .split_once(&format!("p{pipeline}: "))
        .map_or("", |(_, text)| text);
    let end = text.find(&format!("; p{}: ", pipeline + 1));
    let end = end.or_else(|| text.find("], metrics=")).unwrap_or(text.len());
    let is_sink = |step: &&str| !step.starts_with("shared by ") && !step.starts_with("value of ");
    let sink = text[..end].rsplit(" | ").find(is_sink).unwrap_or_default();
    match sink.split_whitespace().next().unwrap_or_default() {
        "build" => 1,
        "group" | "aggregate" | "distinct" => 2,
        "sort" | "top" | "window" => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANALYZED: &str = "GpuExec: device=sim:0, pipelines=[p0: scan 1 file [a] | filter b = 'x' | compute [a] | \
        build by [a]; p1: scan 2 files [a] | inner join p0 on [a] | group by [a] [sum(b)] | shared by p2, p3; p2: p1 | top 3 by [a]], \
        metrics=[output_rows=3, p0_rows=9, p0_read_time=1.5ms, p0_decode_time=500µs, p0_kernel_time=2ms, p0_join_time=1ns, \
        p1_kernel_time=1s, p1_join_time=250ms, p1_read_time=1ms, p2_kernel_time=7ms, p2_wait_time=3ms]";

    #[test]
    fn times_by_what_they_were_spent_on() {
        let profile = Profile::of(ANALYZED, 40.0, 4.0);
        assert_eq!((profile.read_ms, profile.decode_ms), (2.5, 0.5));
        let near = profile.operators_ms.map(|ms| (ms * 1e3).round() / 1e3);
        assert_eq!(near, [250.0, 2.0, 750.0, 7.0, 0.0]);
        let twice: Profile = [profile.clone(), profile.clone()].into_iter().sum();
        assert_eq!(twice.total_ms, 80.0);
        assert_eq!(
            profile.line("Q1"),
            "Q1        40.0      4.0      2.5      0.5    250.0      2.0    750.0      7.0      0.0"
        );
        assert_eq!(Profile::head().len(), profile.line("Q1").len() + 1);
        let group = profile.object()["operators_ms"]["group"].as_f64();
        assert_eq!(group.map(f64::round), Some(750.0));
    }

    #[test]
    fn durations() {
        for (text, ms) in [
            ("1.5ms", 1.5),
            ("20s", 20_000.0),
            ("1ns", 1e-6),
            ("2.5µs", 0.0025),
        ] {
            let found = milliseconds(text).unwrap();
            assert!((found - ms).abs() < 1e-12, "{text}: {found}");
        }
        assert_eq!(milliseconds("12"), None);
        assert_eq!(milliseconds("fast"), None);
    }
}
