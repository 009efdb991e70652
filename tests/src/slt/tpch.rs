//! TPC-H tables at a small scale, from the generator that the server's `generate tpch` also uses.
//!
//! In: a folder. Out: the eight tables as Parquet files in it. Knows nothing of queries.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RecordBatchIterator,
    RegionArrow, SupplierArrow,
};

use super::Result;
use super::data::write_table;

/// About 60,000 lines in 15,000 orders.
const SCALE: f64 = 0.01;

/// Gives `lineitem` eight row groups.
const ROW_GROUP_ROWS: usize = 8192;

/// Writes the eight tables into `folder`.
pub fn write_tables(folder: &Path) -> Result<()> {
    write(
        folder,
        "nation",
        NationArrow::new(NationGenerator::new(SCALE, 1, 1)),
    )?;
    write(
        folder,
        "region",
        RegionArrow::new(RegionGenerator::new(SCALE, 1, 1)),
    )?;
    write(
        folder,
        "supplier",
        SupplierArrow::new(SupplierGenerator::new(SCALE, 1, 1)),
    )?;
    write(
        folder,
        "customer",
        CustomerArrow::new(CustomerGenerator::new(SCALE, 1, 1)),
    )?;
    write(folder, "part", PartArrow::new(PartGenerator::new(SCALE, 1, 1)))?;
    write(
        folder,
        "partsupp",
        PartSuppArrow::new(PartSuppGenerator::new(SCALE, 1, 1)),
    )?;
    write(
        folder,
        "orders",
        OrderArrow::new(OrderGenerator::new(SCALE, 1, 1)),
    )?;
    write(
        folder,
        "lineitem",
        LineItemArrow::new(LineItemGenerator::new(SCALE, 1, 1)),
    )
}

fn write(folder: &Path, name: &str, batches: impl RecordBatchIterator) -> Result<()> {
    let schema = batches.schema().clone();
    let batches: Vec<RecordBatch> = batches.collect();
    write_table(folder, name, &concat_batches(&schema, &batches)?, ROW_GROUP_ROWS)
}
