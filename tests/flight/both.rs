//! Statements on a device, here the emulated one, and on the CPU: where the answers differ.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use warpflight_tests::client::{Client, column_text};
use warpflight_tests::server::{Options, Server};

use crate::tpch_server;

/// Two sessions: one on the device, where nothing may run elsewhere, and one on the CPU.
pub(crate) struct Both {
    _server: Server,
    pub(crate) device: Client,
    pub(crate) cpu: Client,
}

impl Both {
    pub(crate) async fn start(options: Options) -> Self {
        let server = options.env("WARPFLIGHT_DEVICE", "sim").start();
        let (mut device, mut cpu) = (Client::connect(&server).await, Client::connect(&server).await);
        device
            .update("set fallback_mode = 'raise'")
            .await
            .expect("an option");
        cpu.update("set device = 'cpu'").await.expect("an option");
        Self {
            _server: server,
            device,
            cpu,
        }
    }

    /// What is wrong with the device's answer, if anything.
    pub(crate) async fn difference(&mut self, sql: &str, tolerance: f64) -> Option<String> {
        let here = match self.cpu.rows(sql).await {
            Ok(rows) => rows,
            Err(error) => return Some(format!("the CPU refuses it: {}", error.message())),
        };
        match self.device.rows(sql).await {
            Ok(there) => differ(&there, &here, tolerance),
            Err(error) => Some(error.message().to_owned()),
        }
    }
}

/// The first column and row at which two answers differ: floating-point numbers by more than `tolerance` of their size.
pub(crate) fn differ(there: &RecordBatch, here: &RecordBatch, tolerance: f64) -> Option<String> {
    if there.num_rows() != here.num_rows() {
        return Some(format!("{} rows, expected {}", there.num_rows(), here.num_rows()));
    }
    for (column, (a, b)) in there.columns().iter().zip(here.columns()).enumerate() {
        let close = |row: usize| {
            if *b.data_type() != DataType::Float64 || a.is_null(row) || b.is_null(row) {
                return false;
            }
            let (a, b) = (
                a.as_primitive::<Float64Type>().value(row),
                b.as_primitive::<Float64Type>().value(row),
            );
            // What the CPU takes away of a frame's sum leaves a rest of the size of what it took away.
            (a - b).abs() <= tolerance * b.abs().max(1.0)
        };
        if a == b {
            continue;
        }
        let (found, expected) = (column_text(a), column_text(b));
        for row in 0..here.num_rows() {
            if found[row] != expected[row] && !close(row) {
                return Some(format!(
                    "column {column}, row {row}: {}, expected {}",
                    found[row], expected[row]
                ));
            }
        }
    }
    None
}

/// Fails unless all statements run wholly on the device and answer as on the CPU, floating-point numbers up to one part
/// in 10^9.
pub(crate) async fn assert_same(statements: &[String]) {
    assert_near(statements, 1e-9).await;
}

/// The same with another tolerance for floating-point numbers.
pub(crate) async fn assert_near(statements: &[String], tolerance: f64) {
    let mut both = Both::start(tpch_server()).await;
    let mut wrong = Vec::new();
    for sql in statements {
        if let Some(difference) = both.difference(sql, tolerance).await {
            wrong.push(format!("{difference}\n    {sql}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} statements:\n{}",
        wrong.len(),
        statements.len(),
        wrong.join("\n")
    );
}
