//! The generated text, compiled by NVIDIA's own compiler. No GPU is needed, only its libraries, which the tests of the
//! kernels install into the target folder.

#![allow(clippy::print_stdout)]

use datafusion::prelude::SessionContext;
use kernels::{Compiler, KernelSource};

use super::batches::{Nulls, batch};
use super::{bench, planned};
use crate::batch::Repr;
use crate::batch::testing::{nvrtc, run_alone};
use crate::pipeline::expr::{ColumnShape, lower};

const GROUPS: [(&str, &[&str]); 6] = [
    ("nothing", &["a_i32"]),
    (
        "numbers",
        &[
            "a_d15 * (1 - b_d15) * (1 + b_d5)",
            "a_d38 / b_d5",
            "a_d38 % b_d25",
            "CAST(a_f64 AS DECIMAL(38, 10))",
            "CAST(a_d38 AS DOUBLE)",
            "TRY_CAST(a_f32 AS TINYINT)",
            "a_i64 / b_i64",
            "a_f64 < b_f64",
            "a_f64 % b_f64",
            "a_i32 IN (1, 2, 3, 5, 7, 11)",
            "a_d38 IN (1, 2, 3, 5, 7, 11)",
            "ceil(a_d38)",
            "round(a_d15, 1)",
            "round(a_f32, 1)",
            "sqrt(a_f64)",
            "power(a_f64, b_f64)",
            "CASE WHEN b_i32 <> 0 THEN a_i32 / b_i32 ELSE 0 END",
        ],
    ),
    (
        "strings",
        &[
            "a_s LIKE '%special%requests%'",
            "a_s LIKE 'a_%'",
            "a_s ILIKE 'k%'",
            "a_s IN ('a', 'b', 'c', 'd', 'e')",
            "substr(a_s, 2, 3)",
            "upper(a_s)",
            "concat_ws('-', a_s, b_s)",
            "replace(a_s, 'a', b_s)",
            "reverse(a_s)",
            "trim(a_s)",
            "split_part(a_s, '-', -2)",
            "right(a_s, 2)",
            "ascii(a_s)",
            "lpad(a_s, 7, b_s)",
            "translate(a_s, 'ab', b_s)",
            "initcap(a_s)",
            "to_hex(a_i64)",
            "chr(a_i64)",
            "overlay(a_s PLACING b_s FROM 2)",
            "levenshtein(a_s, b_s)",
            "encode(a_s, 'base64')",
            "decode(a_s, 'hex')",
        ],
    ),
    (
        "regular expressions",
        &[
            "a_s ~ 'a.*b'",
            "regexp_replace(a_s, 'a.b', '<\\0>', 'g')",
            "regexp_count(a_s, '[a-z]')",
            "regexp_instr(a_s, '[a-z]')",
        ],
    ),
    (
        "casts of strings",
        &[
            "CAST(a_tsns AS VARCHAR)",
            "CAST(a_time AS VARCHAR)",
            "CAST(a_f64 AS VARCHAR)",
            "CAST(a_f32 AS VARCHAR)",
            "CAST(a_s AS DOUBLE)",
            "CAST(a_s AS FLOAT)",
            "CAST(a_s AS DECIMAL(10, 2))",
            "CAST(a_s AS BOOLEAN)",
            "CAST(a_s AS TIMESTAMP)",
        ],
    ),
    (
        "times",
        &[
            "date_bin(INTERVAL '5 minutes', a_tsus)",
            "date_bin(INTERVAL '5 months', a_tsus)",
            "a_date + INTERVAL '1 month 2 days'",
            "a_tsns - INTERVAL '1 month 2 days 3.5 seconds'",
            "date_part('week', a_tsus)",
            "date_trunc('quarter', a_tsms)",
            "CAST(a_date AS TIMESTAMP)",
            "CAST(a_tsns AS DATE)",
        ],
    ),
];

#[test]
fn generated_text_compiles_for_a_gpu() {
    run_alone("pipeline::expr::tests::nvrtc::compiled_in_a_process_of_its_own");
}

#[test]
#[ignore = "run by the test above"]
fn compiled_in_a_process_of_its_own() {
    let Some(compiler) = nvrtc("sm_90") else { return };
    let (context, batch) = (SessionContext::new(), batch(1, 1, Nulls::None));
    let shapes: Vec<ColumnShape> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| ColumnShape {
            repr: Repr::of(field.data_type()).expect("a type of the device"),
            nullable: true,
            through: None,
        })
        .collect();
    for (name, sql) in GROUPS {
        let lowered: Vec<_> = sql
            .iter()
            .map(|sql| lower(&planned(&context, &batch, sql), &batch.schema()).expect(sql))
            .collect();
        let (text, _) = bench::projection(shapes.clone(), &lowered);
        let start = std::time::Instant::now();
        let source = KernelSource::generated(name, text, &["project"]);
        let image = compiler
            .compile(&source)
            .unwrap_or_else(|error| panic!("{error}"));
        println!("{name}: {} bytes in {:?}", image.len(), start.elapsed());
        assert!(image.starts_with(b"\x7fELF"), "{name}: not a cubin");
    }
}
