//! Decimals: every pair of widths, and the casts between them and numbers.

use super::same;

const COLUMNS: [&str; 6] = ["d5", "d12", "d15", "d18", "d25", "d38"];

#[test]
fn arithmetic() {
    let mut all = Vec::new();
    for a in COLUMNS {
        for b in COLUMNS {
            for operator in ["+", "-", "*", "/", "%", "<", "="] {
                all.push(format!("a_{a} {operator} b_{b}"));
            }
        }
    }
    for part in all.chunks(126) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        same("decimals", &part);
    }
}

#[test]
fn as_queries_use_them() {
    same(
        "decimal_queries",
        &[
            "a_d15 * (1 - b_d15)",
            "a_d15 * (1 - b_d15) * (1 + b_d5)",
            "a_d15 * b_d15",
            "a_d15 BETWEEN 0.05 AND 0.07",
            "a_d15 < 24",
            "100.00 * a_d15 / b_d15",
            "a_d15 / 7",
            "a_d15 * 0.0001",
            "a_i64 * b_d15",
            "a_i32 + b_d5",
            "a_u64 - b_d15",
            "(a_d38 + b_d38) + a_d38",
            "-(a_i64 * CAST(1 AS DECIMAL(20, 0)))",
            "a_d38 * 99999999999999999999999999999.99",
            "a_d15 + 0.5 * b_d15",
            "a_d18 > b_d38",
            "a_d15 = 100",
        ],
    );
}

#[test]
fn casts() {
    let mut all = Vec::new();
    let types = [
        "DECIMAL(5, 2)",
        "DECIMAL(9, 0)",
        "DECIMAL(18, 6)",
        "DECIMAL(20, 1)",
        "DECIMAL(38, 0)",
        "DECIMAL(38, 20)",
    ];
    for cast in ["CAST", "TRY_CAST"] {
        for from in COLUMNS.iter().chain(&["i8", "i32", "i64", "u64", "f32", "f64"]) {
            for to in types {
                all.push(format!("{cast}(a_{from} AS {to})"));
            }
        }
        for from in COLUMNS {
            for to in ["TINYINT", "INT", "BIGINT", "BIGINT UNSIGNED", "REAL", "DOUBLE"] {
                all.push(format!("{cast}(a_{from} AS {to})"));
            }
        }
    }
    same("decimal_casts", &all);
}
