//! Numbers as a table for people or as JSON for programs. In: what was measured. Out: text, a line a query.

use kernels::selftest::Rates;
use serde_json::{Value, json};

use super::args::TpchArgs;
use super::measure::{Check, Measured};
use super::profile::Profile;
use crate::cli::local::Plan;
use crate::observe::units;

/// What all lines have in common, and their sums so far.
#[derive(Debug)]
pub struct Report<'a> {
    args: &'a TpchArgs,
    device: String,
    rates: Option<Rates>,
    sums: Sums,
    /// With the names of their queries.
    profiles: Vec<(String, Profile)>,
}

/// Over the queries that ran.
#[derive(Debug, Default)]
struct Sums {
    count: usize,
    failed: usize,
    wrong: usize,
    whole: usize,
    median: f64,
    best: f64,
    first: f64,
    bytes: u64,
    /// Seconds of the others, beside our medians of the same queries.
    cpu: (f64, f64),
    duckdb: (f64, f64),
}

impl<'a> Report<'a> {
    /// A report on `device`, whose `rates` are known if it is a GPU.
    pub fn new(args: &'a TpchArgs, device: String, rates: Option<Rates>) -> Self {
        Self {
            args,
            device,
            rates,
            sums: Sums::default(),
            profiles: Vec::new(),
        }
    }

    /// What was measured on, and the table's head. Nothing in JSON, where each object says it.
    pub fn head(&self, files: &str) -> String {
        if self.args.json {
            return String::new();
        }
        let rates = self.rates.map(|rates| {
            let gigabytes = |rate: f64| format!("{:.1} GB/s", rate / 1e9);
            format!(
                "copies: {} to the device, {} to the host, {} within the device\n",
                gigabytes(rates.to_device),
                gigabytes(rates.to_host),
                gigabytes(rates.on_device)
            )
        });
        format!(
            "device: {}\n{}files: {files}\nmode: {}, {} runs after the first\n\n{}\n",
            self.device,
            rates.unwrap_or_default(),
            self.args.mode.name(),
            self.args.runs,
            line(&[
                "query", "median s", "best s", "first s", "rows", "bytes", "PCIe", "HBM", "GPU", "CPU s", "",
                "DuckDB s", "", "answer"
            ])
        )
    }

    /// The line of a query that ran.
    pub fn query(&mut self, measured: &Measured) -> String {
        self.sums.add(measured);
        if let Some(profile) = &measured.profile {
            let name = format!("Q{}", measured.query.number());
            self.profiles.push((name, profile.clone()));
        }
        if self.args.json {
            return format!("{}\n", self.object(measured));
        }
        let median = measured.times.median();
        let (duckdb, duckdb_factor) = match &measured.duckdb {
            None => ("-".into(), String::new()),
            Some(Ok(times)) => (seconds(times.median()), factor(times.median() / median)),
            Some(Err(_)) => ("failed".into(), String::new()),
        };
        let answer = match &measured.check {
            Check::Equal => "equal".to_owned(),
            Check::Wrong(difference) => format!("WRONG: {difference}"),
            Check::Skipped(why) => format!("not compared: {why}"),
        };
        let mut text = line(&[
            &format!("Q{}", measured.query.number()),
            &seconds(median),
            &seconds(measured.times.best()),
            &seconds(measured.times.first),
            &measured.rows.to_string(),
            &measured.bytes.map_or("-".into(), units::bytes),
            &share(self.share(measured.bytes, median, |rates| rates.to_device)),
            &share(self.share(measured.bytes, median, |rates| rates.on_device)),
            place(&measured.plan),
            &measured.cpu.map_or("-".into(), seconds),
            &measured.cpu.map_or(String::new(), |cpu| factor(cpu / median)),
            &duckdb,
            &duckdb_factor,
            &answer,
        ]);
        if let Plan::Part(reasons) = &measured.plan {
            text.push_str(&format!("\n       on the CPU: {reasons}"));
        }
        if let Some(Err(error)) = &measured.duckdb {
            text.push_str(&format!("\n       DuckDB: {error}"));
        }
        text.push('\n');
        text
    }

    /// The line of a query that failed.
    pub fn failure(&mut self, number: usize, error: &str) -> String {
        self.sums.failed += 1;
        match self.args.json {
            true => format!("{}\n", json!({ "query": number, "error": error })),
            false => format!("Q{number:<5} FAILED: {error}\n"),
        }
    }

    /// The line of sums, and whether all is well.
    pub fn end(&self) -> (String, bool) {
        let sums = &self.sums;
        let well = sums.failed == 0 && sums.wrong == 0;
        if self.args.json {
            let sum = json!({
                "sum": {
                    "queries": sums.count,
                    "failed": sums.failed,
                    "wrong": sums.wrong,
                    "wholly_on_gpu": sums.whole,
                    "median_s": sums.median,
                    "best_s": sums.best,
                    "first_s": sums.first,
                    "scan_bytes": sums.bytes,
                    "cpu_factor": ratio(sums.cpu),
                    "duckdb_s": (sums.duckdb.0 > 0.0).then_some(sums.duckdb.0),
                    "duckdb_factor": ratio(sums.duckdb),
                }
            });
            return (format!("{sum}\n"), well);
        }
        let bytes = (sums.bytes > 0).then_some(sums.bytes);
        let other = |(theirs, _): (f64, f64)| if theirs > 0.0 { seconds(theirs) } else { "-".into() };
        let text = line(&[
            "sum",
            &seconds(sums.median),
            &seconds(sums.best),
            &seconds(sums.first),
            "",
            &bytes.map_or("-".into(), units::bytes),
            &share(self.share(bytes, sums.median, |rates| rates.to_device)),
            &share(self.share(bytes, sums.median, |rates| rates.on_device)),
            &format!("{}/{}", sums.whole, sums.count),
            &other(sums.cpu),
            &ratio(sums.cpu).map_or(String::new(), factor),
            &other(sums.duckdb),
            &ratio(sums.duckdb).map_or(String::new(), factor),
            &match (sums.failed, sums.wrong) {
                (0, 0) => String::new(),
                (failed, wrong) => format!("{failed} failed, {wrong} wrong"),
            },
        ]);
        (format!("{text}\n{}", self.profile()), well)
    }

    /// The table of profiles, if there are some.
    fn profile(&self) -> String {
        if self.profiles.is_empty() {
            return String::new();
        }
        let lines = self.profiles.iter().map(|(name, profile)| profile.line(name));
        let sum: Profile = self.profiles.iter().map(|(_, profile)| profile.clone()).sum();
        let all: Vec<String> = [Profile::head()]
            .into_iter()
            .chain(lines)
            .chain([sum.line("sum")])
            .collect();
        format!("{}\n", all.join("\n"))
    }

    fn share(&self, bytes: Option<u64>, median: f64, rate: impl Fn(&Rates) -> f64) -> Option<f64> {
        Some(bytes? as f64 / rate(self.rates.as_ref()?) / median)
    }

    fn object(&self, measured: &Measured) -> Value {
        let median = measured.times.median();
        let (checked, difference) = match &measured.check {
            Check::Equal => ("equal", None),
            Check::Wrong(difference) => ("wrong", Some(difference.as_str())),
            Check::Skipped(why) => ("skipped", Some(*why)),
        };
        let fallbacks = match &measured.plan {
            Plan::Part(reasons) => Some(reasons),
            _ => None,
        };
        let duckdb = measured.duckdb.as_ref().and_then(|times| times.as_ref().ok());
        json!({
            "query": measured.query.number(),
            "scale": self.args.scale,
            "layout": self.args.layout.name(),
            "mode": self.args.mode.name(),
            "device": self.device,
            "runs": self.args.runs,
            "median_s": median,
            "best_s": measured.times.best(),
            "first_s": measured.times.first,
            "rows": measured.rows,
            "scan_bytes": measured.bytes,
            "to_device_bytes_per_s": self.rates.map(|rates| rates.to_device),
            "on_device_bytes_per_s": self.rates.map(|rates| rates.on_device),
            "pcie_share": self.share(measured.bytes, median, |rates| rates.to_device),
            "hbm_share": self.share(measured.bytes, median, |rates| rates.on_device),
            "gpu": place(&measured.plan),
            "fallbacks": fallbacks,
            "cpu_s": measured.cpu,
            "cpu_factor": measured.cpu.map(|cpu| cpu / median),
            "duckdb_median_s": duckdb.map(|times| times.median()),
            "duckdb_best_s": duckdb.map(|times| times.best()),
            "duckdb_factor": duckdb.map(|times| times.median() / median),
            "duckdb_error": measured.duckdb.as_ref().and_then(|times| times.as_ref().err()),
            "answer": checked,
            "difference": difference,
            "profile": measured.profile.as_ref().map(Profile::object),
        })
    }
}

impl Sums {
    fn add(&mut self, measured: &Measured) {
        let median = measured.times.median();
        self.count += 1;
        self.wrong += usize::from(matches!(measured.check, Check::Wrong(_)));
        self.whole += usize::from(measured.plan == Plan::Whole);
        self.median += median;
        self.best += measured.times.best();
        self.first += measured.times.first;
        self.bytes += measured.bytes.unwrap_or_default();
        let beside = |sums: &mut (f64, f64), theirs: f64| *sums = (sums.0 + theirs, sums.1 + median);
        if let Some(cpu) = measured.cpu {
            beside(&mut self.cpu, cpu);
        }
        if let Some(Ok(times)) = &measured.duckdb {
            beside(&mut self.duckdb, times.median());
        }
    }
}

/// How much longer others took over the same queries.
fn ratio((theirs, ours): (f64, f64)) -> Option<f64> {
    (theirs > 0.0).then(|| theirs / ours)
}

fn place(plan: &Plan) -> &'static str {
    match plan {
        Plan::Whole => "all",
        Plan::Part(_) => "part",
        Plan::None => "none",
    }
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.4}")
}

fn factor(factor: f64) -> String {
    format!("{factor:.1}x")
}

fn share(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{:.0} %", share * 100.0))
}

/// Aligned cells: the first and the last one to the left.
fn line(cells: &[&str; 14]) -> String {
    let [
        query,
        median,
        best,
        first,
        rows,
        bytes,
        pcie,
        hbm,
        gpu,
        cpu,
        cpu_factor,
        duckdb,
        duckdb_factor,
        answer,
    ] = cells;
    format!(
        "{query:<5} {median:>9} {best:>9} {first:>9} {rows:>8} {bytes:>10} {pcie:>6} {hbm:>6} {gpu:>5} {cpu:>9} \
         {cpu_factor:>7} {duckdb:>9} {duckdb_factor:>7}  {answer}"
    )
    .trim_end()
    .to_owned()
}
