//! Keys of joins by which the scan before them can be narrowed, or rows of it be told that leave no join.
//!
//! In: a graph. Out: the columns of a pipeline's scan of which a row must hold a key of a table to leave its join, and the
//! joins whose keys are made of such columns alone.

use arrow::datatypes::DataType;

use super::expr::Node;
use super::{BuildSpec, JoinSpec, PipelineGraph, PipelineId, Sink, Source};

/// A key of a join that is a column of the scan of its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanKey {
    /// Which of the pipeline's joins.
    pub stage: usize,
    /// Which of the join's keys.
    pub key: usize,
    /// Which of the scan's columns.
    pub column: usize,
}

impl PipelineGraph {
    /// The keys by which the scan of pipeline `id` can be narrowed: rows that are dropped by a join unless they match.
    pub fn scan_keys(&self, id: PipelineId) -> Vec<ScanKey> {
        let Source::Scan(spec) = &self.pipelines[id].source else {
            return Vec::new();
        };
        let schema = spec.schema();
        let mut found = Vec::new();
        for (stage, join, build) in self.dropping(id) {
            for (key, (probe, built)) in join.keys.iter().zip(&build.keys).enumerate() {
                if let Node::Column(column, _) = probe.node
                    && let Some(field) = schema.fields().get(column)
                    && *field.data_type() == built.data_type
                    && probe.data_type == built.data_type
                    && is_narrowing(&built.data_type)
                {
                    found.push(ScanKey { stage, key, column });
                }
            }
        }
        found
    }

    /// The joins of pipeline `id` whose tables say of each row of its scan whether it is dropped: those that drop rows unless
    /// they match, by keys over columns of the scan.
    pub fn scan_joins(&self, id: PipelineId) -> Vec<usize> {
        let Source::Scan(spec) = &self.pipelines[id].source else {
            return Vec::new();
        };
        let width = spec.schema().fields().len();
        let of_scan = |join: &JoinSpec| {
            let columns: Vec<usize> = join.keys.iter().flat_map(|key| key.columns()).collect();
            // Columns of tables are behind those of the scan.
            !columns.is_empty() && columns.iter().all(|&column| column < width)
        };
        let dropping = self.dropping(id).into_iter();
        dropping
            .filter(|(_, join, _)| of_scan(join))
            .map(|(stage, ..)| stage)
            .collect()
    }

    /// The joins of pipeline `id` that drop rows unless their keys match, with what builds their tables.
    fn dropping(&self, id: PipelineId) -> Vec<(usize, &JoinSpec, &BuildSpec)> {
        let mut found = Vec::new();
        for (stage, of_stage) in self.pipelines[id].stages.iter().enumerate() {
            let join = &of_stage.join;
            let Sink::Build(build) = &self.pipelines[join.build].sink else {
                break;
            };
            // A null that equals a null is in no range, and NOT IN asks whether there are rows at all.
            if join.needs_table() && !join.null_keys && !join.null_aware {
                found.push((stage, join, build));
            }
            // What is left in its table depends on all rows that it sees.
            if join.keeps_table() || !join.passes_rows() {
                break;
            }
        }
        found
    }

    /// The pipelines with scans that the tables of pipeline `id`'s joins are made of.
    pub fn read_by_joins(&self, id: PipelineId) -> Vec<PipelineId> {
        let builds = |id: PipelineId| self.pipelines[id].stages.iter().map(|stage| stage.join.build);
        let mut left: Vec<PipelineId> = builds(id).collect();
        let mut found = Vec::new();
        while let Some(id) = left.pop() {
            left.extend(builds(id));
            match &self.pipelines[id].source {
                Source::Scan(_) if !found.contains(&id) => found.push(id),
                Source::Pipelines(ids) => left.extend(ids),
                Source::Scan(_) | Source::Upload(_) => {}
            }
        }
        found
    }
}

/// Types whose equality is that of their order in statistics: not floating-point numbers, of which some are unequal to
/// themselves and two zeros are equal.
fn is_narrowing(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Date32
                | DataType::Timestamp(..)
                | DataType::Decimal128(..)
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
        )
}
