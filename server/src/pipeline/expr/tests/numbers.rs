//! Numbers, logic, comparisons, CASE, IN and casts between numbers.

use super::{refused, same};

/// `template` with each of `types` for #.
fn each(templates: &[&str], types: &[&str]) -> Vec<String> {
    types
        .iter()
        .flat_map(|name| templates.iter().map(move |template| template.replace('#', name)))
        .collect()
}

fn same_each(group: &str, templates: &[&str], types: &[&str]) {
    same(group, &each(templates, types));
}

const INTEGERS: [&str; 8] = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"];

#[test]
fn integers() {
    same_each(
        "integers",
        &["a_# + b_#", "a_# - b_#", "a_# * b_#", "a_# / b_#", "a_# % b_#"],
        &INTEGERS,
    );
    same_each(
        "bits",
        &[
            "a_# & b_#",
            "a_# | b_#",
            "a_# ^ b_#",
            "a_# << b_#",
            "a_# >> b_#",
            "a_# = b_#",
            "a_# < b_#",
        ],
        &INTEGERS,
    );
    same(
        "negatives",
        &[
            "-a_i8", "-a_i16", "-a_i32", "-a_i64", "-a_f32", "-a_f64", "-a_d15", "-a_d38",
        ],
    );
}

#[test]
fn floats() {
    same_each(
        "floats",
        &[
            "a_# + b_#",
            "a_# - b_#",
            "a_# * b_#",
            "a_# % b_#",
            "a_# = b_#",
            "a_# <> b_#",
            "a_# < b_#",
            "a_# <= b_#",
            "a_# > b_#",
            "a_# >= b_#",
            "a_# IS DISTINCT FROM b_#",
            "a_# IS NOT DISTINCT FROM b_#",
            "a_# / (b_# + 3)",
        ],
        &["f32", "f64"],
    );
}

#[test]
fn logic() {
    same(
        "logic",
        &[
            "a_bool AND b_bool",
            "a_bool OR b_bool",
            "NOT a_bool",
            "a_bool IS NULL",
            "a_i32 IS NOT NULL",
            "a_bool = b_bool",
            "a_bool < b_bool",
            "a_bool IS DISTINCT FROM b_bool",
            "a_i32 IS DISTINCT FROM b_i32",
            "a_i32 IS NOT DISTINCT FROM 5",
            "a_i32 BETWEEN b_i32 AND 50",
            "a_i32 NOT BETWEEN -50 AND b_i32",
            "(a_bool AND b_bool) IS TRUE",
            "(a_bool OR b_bool) IS UNKNOWN",
            "b_i32 <> 0 AND a_i32 / b_i32 > 3",
            "b_i32 = 0 OR a_i32 / b_i32 > 3",
            "a_bool OR a_s = b_s",
            "a_bool AND NOT (a_s = b_s)",
        ],
    );
}

#[test]
fn case() {
    same(
        "case",
        &[
            "CASE WHEN a_bool THEN a_i32 WHEN b_bool THEN b_i32 ELSE 7 END",
            "CASE WHEN a_bool THEN a_i32 END",
            "CASE WHEN b_i32 <> 0 THEN a_i32 / b_i32 ELSE 0 END",
            "CASE WHEN b_i32 > 10 THEN a_i32 / (b_i32 - 11) WHEN a_i32 = 0 THEN 1 ELSE 5 / a_i32 END",
            "CASE a_i32 WHEN 1 THEN 'one' WHEN b_i32 THEN a_s WHEN 3 THEN b_s END",
            "CASE a_i8 WHEN 1 THEN 10 WHEN 2 THEN 20 WHEN 1 THEN 30 ELSE 0 END",
            "CASE a_f64 WHEN b_f64 THEN 1 WHEN 0.0 THEN 2 ELSE 0 END",
            "CASE a_s WHEN 'a' THEN 1 WHEN b_s THEN 2 ELSE 0 END",
            "CASE WHEN a_i32 IS NULL THEN b_i32 ELSE a_i32 END",
            "CASE WHEN a_bool THEN 1 ELSE 0 END",
            "CASE WHEN a_bool THEN a_d15 * (1 - b_d15) ELSE 0 END",
            "CASE WHEN a_bool THEN a_d15 * b_d15 WHEN b_bool THEN a_d5 END",
            "coalesce(a_i32, b_i32, 3)",
            "coalesce(a_s, b_s, 'x')",
            "coalesce(a_i32, a_i32 / b_i32)",
            "nvl(a_f64, b_f64)",
            "nullif(a_i32, b_i32)",
            "nullif(a_f64, 0.0)",
            "nullif(a_s, b_s)",
            "nullif(a_d15, b_d15)",
        ],
    );
}

#[test]
fn lists() {
    same(
        "lists",
        &[
            "a_i32 IN (1, 2, b_i32)",
            "a_i32 IN (1, 2)",
            "a_i32 NOT IN (1, NULL, 3)",
            "a_i32 IN (1, 2, 3, 5, 7, 11, 13, -17, -19, 23)",
            "a_i64 NOT IN (1, 2, 3, 5, 7, NULL, 13, -17, -19, 9223372036854775807)",
            "a_u64 IN (1, 2, 3, 5, 7, 18446744073709551615)",
            "a_u8 IN (1, 2, 3, 5, 7, 11)",
            "a_f64 IN (0.0, 1.5, 2.5, 0.5, -0.5, 7.0)",
            "a_f32 IN (0.5, 1.5)",
            "a_d15 IN (1.00, 0.50, -0.33, 0.01, 0.02, 0.03)",
            "a_d15 IN (1.00, 0.50)",
            "a_d38 IN (1.00, 0.50, -0.33, 0.01, 0.02, 0.03)",
            "a_date IN (DATE '1970-01-01', DATE '2000-02-29', DATE '1969-12-31', DATE '1970-03-01', DATE '2001-01-01')",
            "a_s IN ('a', 'b')",
            "a_s IN ('a', 'b', 'ab', '', 'special', 'ÄÖÜß', 'aa')",
            "a_v NOT IN ('a', 'b', 'ab', NULL, 'special', 'ÄÖÜß', 'aa')",
            "a_s IN ('x', b_s)",
            "a_bool IN (true, b_bool)",
        ],
    );
}

#[test]
fn casts_of_numbers() {
    let types = [
        ("TINYINT", "i8"),
        ("SMALLINT", "i16"),
        ("INT", "i32"),
        ("BIGINT", "i64"),
        ("TINYINT UNSIGNED", "u8"),
        ("SMALLINT UNSIGNED", "u16"),
        ("INT UNSIGNED", "u32"),
        ("BIGINT UNSIGNED", "u64"),
        ("REAL", "f32"),
        ("DOUBLE", "f64"),
        ("BOOLEAN", "bool"),
    ];
    for try_too in [false, true] {
        let mut all = Vec::new();
        for (_, from) in types {
            for (to, same) in types {
                if from == same {
                    continue;
                }
                all.push(format!(
                    "{}CAST(a_{from} AS {to})",
                    if try_too { "TRY_" } else { "" }
                ));
            }
        }
        same(if try_too { "try_casts" } else { "casts" }, &all);
    }
}

#[test]
fn what_is_not_run_says_why() {
    assert_eq!(refused("md5(a_s)"), "function md5 is not run on the GPU");
    assert_eq!(
        refused("a_s ILIKE b_s"),
        "ILIKE with a pattern that is not constant is not run on the GPU"
    );
}

#[test]
fn functions() {
    same_each(
        "abs",
        &["abs(a_#)"],
        &[
            "i8", "i16", "i32", "i64", "u8", "u64", "f32", "f64", "d5", "d15", "d38",
        ],
    );
    same_each(
        "rounding",
        &[
            "ceil(a_#)",
            "floor(a_#)",
            "round(a_#)",
            "round(a_#, 1)",
            "round(a_#, 3)",
        ],
        &["f32", "f64", "d5", "d12", "d15", "d18", "d25", "d38"],
    );
    same(
        "functions",
        &[
            "signum(a_f64)",
            "signum(a_f32)",
            "sqrt(a_f64)",
            "sqrt(a_f32)",
            "sqrt(abs(a_f64))",
            "ln(abs(a_i32) + 1)",
            "log10(abs(a_i32) + 1)",
            "log2(abs(a_i32) + 1)",
            "exp(a_i8)",
            "power(abs(a_i8) + 1, b_i8)",
            "power(a_i8, -1)",
            "greatest(a_i32, b_i32, 5)",
            "least(a_i32, b_i32)",
            "greatest(a_f64, b_f64)",
            "least(a_f64, b_f64, a_f64 + 1)",
            "greatest(a_d15, b_d15)",
            "least(a_date, b_date)",
        ],
    );
}

#[test]
fn functions_of_floats() {
    let mut all = Vec::new();
    for width in ["f32", "f64"] {
        for name in [
            "sin", "cos", "tan", "cot", "asin", "acos", "atan", "sinh", "cosh", "tanh", "degrees", "radians",
            "isnan", "iszero", "trunc",
        ] {
            all.push(format!("{name}(a_{width})"));
        }
        all.push(format!("atan2(a_{width}, b_{width})"));
        all.push(format!("nanvl(a_{width}, b_{width})"));
        for places in ["0", "2", "-1"] {
            all.push(format!("trunc(a_{width}, {places})"));
        }
    }
    for decimal in ["d5", "d18", "d25", "d38"] {
        for places in ["", ", 1", ", 3", ", -2", ", 20"] {
            all.push(format!("trunc(a_{decimal}{places})"));
        }
        all.push(format!("iszero(a_{decimal})"));
    }
    // Not the cube root, whose last place depends on the library: SQL cases have it.
    all.push("isnan(a_i32)".to_owned());
    all.push("iszero(a_i32)".to_owned());
    same("float_functions", &all);
}
