//! The eight tables: names, sizes, and the generator of a slice of each. In: a table, a scale, part n
//! of m. Out: record batches.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::SchemaRef;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RecordBatchIterator,
    RegionArrow, SupplierArrow,
};

use crate::error::Error;

/// Rows of one batch handed to the encoder.
const BATCH_ROWS: usize = 8192;

/// A table of TPC-H.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Table {
    Lineitem,
    Orders,
    Partsupp,
    Part,
    Customer,
    Supplier,
    Nation,
    Region,
}

impl Table {
    /// All of them, largest first: that way the threads end together.
    pub const ALL: [Self; 8] = [
        Self::Lineitem,
        Self::Orders,
        Self::Partsupp,
        Self::Part,
        Self::Customer,
        Self::Supplier,
        Self::Nation,
        Self::Region,
    ];

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lineitem => "lineitem",
            Self::Orders => "orders",
            Self::Partsupp => "partsupp",
            Self::Part => "part",
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Nation => "nation",
            Self::Region => "region",
        }
    }

    /// Rows at `scale`: exact for all but `lineitem`, whose orders have one to seven lines each.
    pub fn rows(self, scale: f64) -> u64 {
        let scaled = |base: f64| (base * scale) as u64;
        match self {
            Self::Lineitem => scaled(6_000_000.0),
            Self::Orders => scaled(1_500_000.0),
            Self::Partsupp => scaled(200_000.0) * 4,
            Self::Part => scaled(200_000.0),
            Self::Customer => scaled(150_000.0),
            Self::Supplier => scaled(10_000.0),
            Self::Nation => 25,
            Self::Region => 5,
        }
    }

    /// The rows that can be dealt to parts: lines go with their order, suppliers of a part with the part.
    pub(super) fn splittable_rows(self, scale: f64) -> u64 {
        match self {
            Self::Lineitem => Self::Orders.rows(scale),
            Self::Partsupp => Self::Part.rows(scale),
            Self::Nation | Self::Region => 1,
            other => other.rows(scale),
        }
    }

    /// Encoded Parquet bytes a row before compression, measured at scale 0.2.
    pub(super) fn encoded_bytes_per_row(self) -> u64 {
        match self {
            Self::Lineitem => 55,
            Self::Orders => 80,
            Self::Partsupp => 143,
            Self::Part => 71,
            Self::Customer => 174,
            Self::Supplier => 162,
            Self::Nation | Self::Region => 100,
        }
    }

    /// The rows of part `part` (from 1) of `parts`.
    pub(super) fn batches(self, scale: f64, part: i32, parts: i32) -> Box<dyn RecordBatchIterator> {
        macro_rules! of {
            ($generator:ident, $arrow:ident) => {
                Box::new($arrow::new($generator::new(scale, part, parts)).with_batch_size(BATCH_ROWS))
            };
        }
        match self {
            Self::Lineitem => of!(LineItemGenerator, LineItemArrow),
            Self::Orders => of!(OrderGenerator, OrderArrow),
            Self::Partsupp => of!(PartSuppGenerator, PartSuppArrow),
            Self::Part => of!(PartGenerator, PartArrow),
            Self::Customer => of!(CustomerGenerator, CustomerArrow),
            Self::Supplier => of!(SupplierGenerator, SupplierArrow),
            Self::Nation => of!(NationGenerator, NationArrow),
            Self::Region => of!(RegionGenerator, RegionArrow),
        }
    }

    /// Its columns as the generator makes them.
    pub(super) fn schema(self) -> SchemaRef {
        self.batches(SCALE_FOR_SCHEMA, 1, 1).schema().clone()
    }
}

/// Any scale gives the same schema.
const SCALE_FOR_SCHEMA: f64 = super::SCALE_MIN;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Table {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let wanted = name.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|t| t.name() == wanted).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::sql(format!("found table {name:?}, expected one of {names}"))
        })
    }
}
