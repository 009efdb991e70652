//! A session that asks statements and keeps whole answers. In: SQL. Out: batches and the time they took, from the
//! call to the last batch; what a plan says of the GPU.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use crate::cli::sql::client::{Client, ConnectOptions, Credentials, Target, Trust};
use crate::cli::sql::failure::{Failure, FailureKind, Outcome};
use crate::error::{Error, Result};
use crate::exec::{compare_order, compare_rows, compare_rows_within};

/// A connection with its session.
pub(in crate::cli) struct Session {
    client: Client,
}

/// A whole result.
#[derive(Debug)]
pub(in crate::cli) struct Answer {
    batches: Vec<RecordBatch>,
    /// From the call to the last batch.
    pub wall: Duration,
}

/// What `EXPLAIN` says of where a query runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Plan {
    /// All of it on the device.
    Whole,
    /// Parts of it, or nothing, and why.
    Part(String),
    /// Nothing: the CPU was asked for, or there is no device.
    None,
}

impl Session {
    /// Connects, with the user and password of the URL if it has them.
    pub async fn open(url: &str) -> Result<Self> {
        let opened = async {
            let target = Target::parse(url)?;
            let credentials = match target.user_info.clone() {
                Some((user, password)) => Credentials::Password {
                    user,
                    password: password.unwrap_or_default(),
                },
                None => Credentials::None,
            };
            let trust = Trust::default();
            Client::connect(ConnectOptions {
                target,
                trust,
                credentials,
            })
            .await
        };
        Ok(Self {
            client: opened.await.map_err(error_of)?,
        })
    }

    /// Sets an option of the session.
    pub async fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let set = self.client.update(&format!("SET {name} = '{value}'")).await;
        set.map(drop).map_err(error_of)
    }

    /// Runs a query to its end.
    pub async fn ask(&mut self, sql: &str) -> Result<Answer> {
        let start = Instant::now();
        let batches = self.batches(sql).await.map_err(error_of)?;
        Ok(Answer {
            batches,
            wall: start.elapsed(),
        })
    }

    async fn batches(&mut self, sql: &str) -> Outcome<Vec<RecordBatch>> {
        let info = self.client.query(sql).await?;
        let mut rows = self.client.rows(&info).await?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }

    /// Where a query would run.
    pub async fn plan(&mut self, sql: &str) -> Result<Plan> {
        Ok(Plan::of(&self.explained(&format!("EXPLAIN {sql}")).await?.0))
    }

    /// What an `EXPLAIN` prints, and the time it took.
    pub async fn explained(&mut self, explain: &str) -> Result<(String, Duration)> {
        let answer = self.ask(explain).await?;
        let mut text = String::new();
        for batch in &answer.batches {
            if let Some(plans) = batch
                .column_by_name("plan")
                .and_then(|plans| plans.as_string_opt::<i32>())
            {
                plans.iter().flatten().for_each(|plan| text.push_str(plan));
            }
        }
        Ok((text, answer.wall))
    }
}

impl Plan {
    /// What is in the message that refuses, under `fallback_mode = raise`, a run that the device gives back.
    pub const GAVE_BACK: &str = "cannot go on on the GPU";

    fn of(text: &str) -> Self {
        match text.split_once("CpuFallbackExec: ") {
            Some((_, reasons)) => Self::Part(each_once(reasons.lines().next().unwrap_or_default().trim())),
            None if text.contains("GpuExec") => Self::Whole,
            None => Self::None,
        }
    }
}

/// Reasons without those that stand there before.
fn each_once(reasons: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for reason in reasons.split("; ") {
        if !all.contains(&reason) {
            all.push(reason);
        }
    }
    all.join("; ")
}

impl Answer {
    /// One of these batches, made in no time.
    #[cfg(test)]
    pub fn of(batches: Vec<RecordBatch>) -> Self {
        Self {
            batches,
            wall: Duration::ZERO,
        }
    }

    /// The types of its columns; none before a batch came.
    pub fn schema(&self) -> Option<SchemaRef> {
        self.batches.first().map(RecordBatch::schema)
    }

    /// Its rows.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The names of its columns.
    pub fn columns(&self) -> Vec<String> {
        let schema = self.batches.first().map(RecordBatch::schema);
        let fields = schema.iter().flat_map(|schema| schema.fields().iter());
        fields.map(|field| field.name().clone()).collect()
    }

    /// The same rows, with text that ends before its trailing blanks.
    ///
    /// # Errors
    /// Arrow's, in words.
    pub fn without_trailing_blanks(&self) -> Result<Self, String> {
        let trimmed = |column: &ArrayRef| -> Result<ArrayRef, ArrowError> {
            if !column.data_type().is_string() {
                return Ok(column.clone());
            }
            let texts = cast(column, &DataType::Utf8View)?;
            let texts = texts.as_string_view().iter();
            let ends = texts.map(|text| text.map(|text| text.trim_end_matches(' ')));
            Ok(Arc::new(ends.collect::<StringViewArray>()))
        };
        let batch = |batch: &RecordBatch| {
            let columns = batch.columns().iter().map(trimmed);
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let names = self.columns().into_iter().zip(columns);
            RecordBatch::try_from_iter_with_nullable(names.map(|(name, column)| (name, column, true)))
        };
        let batches = self.batches.iter().map(batch).collect::<Result<_, _>>();
        Ok(Self {
            batches: batches.map_err(|error| error.to_string())?,
            wall: self.wall,
        })
    }

    /// Compares the rows as a set, and those columns of them that `sorted_by` names in their order too. Floating-point
    /// numbers may differ in their last digits.
    ///
    /// # Errors
    /// The first difference in words.
    pub fn compare(&self, expected: &Self, sorted_by: &[&str]) -> Result<(), String> {
        let (Some(ours), Some(theirs)) = (self.batches.first(), expected.batches.first()) else {
            return Err("no schema came".into());
        };
        let types = |batch: &RecordBatch| -> Vec<String> {
            let schema = batch.schema();
            let fields = schema.fields().iter();
            fields
                .map(|field| format!("{} {}", field.name(), field.data_type()))
                .collect()
        };
        if types(ours) != types(theirs) {
            return Err(format!("columns {:?} against {:?}", types(ours), types(theirs)));
        }
        compare_rows(&ours.schema(), &self.batches, &expected.batches)?;
        compare_order(&self.batches, &expected.batches, sorted_by, &[])
    }

    /// As [`Answer::compare`], with rows whose columns have the same names and may have other types, which ours are cast
    /// to first, and with the absolute difference of floating-point numbers that counts as none, by column.
    ///
    /// # Errors
    /// The first difference in words.
    pub fn compare_cast(
        &self,
        expected: &RecordBatch,
        sorted_by: &[&str],
        within: &[f64],
    ) -> Result<(), String> {
        let schema = expected.schema();
        let mut ours = Vec::with_capacity(self.batches.len());
        for batch in &self.batches {
            let fields = schema.fields().iter().zip(batch.columns());
            let columns = fields.map(|(field, column)| cast(column, field.data_type()));
            let columns = columns.collect::<Result<Vec<_>, _>>();
            let batch = columns.and_then(|columns| RecordBatch::try_new(schema.clone(), columns));
            ours.push(batch.map_err(|error| error.to_string())?);
        }
        let expected = std::slice::from_ref(expected);
        compare_rows_within(&schema, &ours, expected, within)?;
        compare_order(&ours, expected, sorted_by, within)
    }
}

fn error_of(failure: Failure) -> Error {
    match failure.kind {
        FailureKind::Usage => Error::sql(failure.message),
        FailureKind::Connection => Error::unavailable(failure.message),
        FailureKind::Denied => Error::denied(failure.message),
        FailureKind::Limit => Error::resources(failure.message),
        FailureKind::Interrupted => Error::cancelled(failure.message),
        FailureKind::Query | FailureKind::OutputClosed => Error::data(failure.message),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int32Array};

    use super::*;

    fn answer(keys: &[i32], values: &[f64]) -> Answer {
        let keys = Arc::new(Int32Array::from(keys.to_vec())) as ArrayRef;
        let values = Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        Answer::of(vec![
            RecordBatch::try_from_iter([("k", keys), ("v", values)]).unwrap(),
        ])
    }

    #[test]
    fn rows_as_a_set_and_keys_in_order() {
        let expected = answer(&[1, 2], &[0.5, 1.5]);
        assert_eq!(
            answer(&[2, 1], &[1.5 + 1e-12, 0.5]).compare(&expected, &[]),
            Ok(())
        );
        let near = answer(&[1, 2], &[0.5 + 1e-12, 1.5]);
        assert_eq!(near.compare(&expected, &["k", "v"]), Ok(()));
        let other_order = answer(&[2, 1], &[1.5, 0.5]).compare(&expected, &["k"]);
        assert!(other_order.unwrap_err().starts_with("order: row 0 has k"));
        let by_both = |found: Answer, expected: &Answer| found.compare(expected, &["v", "k"]);
        let nearly_tied = answer(&[1, 2], &[0.5, 0.5 + 1e-12]);
        assert_eq!(
            by_both(answer(&[2, 1], &[0.5, 0.5 + 1e-12]), &nearly_tied),
            Ok(())
        );
        let tied = answer(&[1, 2], &[0.5, 0.5]);
        assert!(by_both(answer(&[2, 1], &[0.5, 0.5]), &tied).is_err());
        assert!(answer(&[1, 2], &[0.5, 1.6]).compare(&expected, &[]).is_err());
        assert!(answer(&[1], &[0.5]).compare(&expected, &[]).is_err());
    }

    #[test]
    fn plans() {
        assert_eq!(Plan::of("GpuExec: device=sim:0"), Plan::Whole);
        assert_eq!(Plan::of("DataSourceExec: x"), Plan::None);
        let part = Plan::of("CpuFallbackExec: HashJoinExec: not yet; A: b; HashJoinExec: not yet\n  GpuExec");
        assert_eq!(part, Plan::Part("HashJoinExec: not yet; A: b".into()));
    }
}
