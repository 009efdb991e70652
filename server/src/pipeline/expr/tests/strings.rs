//! Strings: comparisons and patterns.

use super::{raises, same};

#[test]
fn comparisons_and_patterns() {
    same(
        "strings",
        &[
            "a_s = b_s",
            "a_s <> b_s",
            "a_s < b_s",
            "a_s <= b_s",
            "a_s > b_v",
            "a_v >= b_v",
            "a_s = 'ab'",
            "a_v < 'm'",
            "a_s IS DISTINCT FROM b_s",
            "a_s IS NULL",
            "a_s LIKE 'a%'",
            "a_s LIKE '%b'",
            "a_s LIKE '%special%'",
            "a_s NOT LIKE '%special%requests%'",
            "a_s LIKE 'a%b%a'",
            "a_s LIKE 'a_b'",
            "a_s LIKE '%\\%'",
            "a_v LIKE '_%'",
            "a_v LIKE '%_a%'",
            "a_s LIKE b_s",
            "a_s LIKE ''",
            "a_s LIKE '%'",
            "a_s LIKE 'ab'",
            "a_s LIKE '%a\\_b%'",
            "a_s LIKE '日%'",
            "a_s LIKE '_本%'",
            "a_s ILIKE 'HELLO%'",
            "a_s NOT ILIKE '%MAIL%'",
            "a_s ILIKE '%A_C%'",
            "a_s LIKE NULL",
            "a_s BETWEEN 'a' AND 'k'",
            "a_s LIKE 'a%a'",
            "a_s LIKE 'ab%ab'",
        ],
    );
}

#[test]
fn functions() {
    same(
        "string_functions",
        &[
            "substr(a_s, 2)",
            "substr(a_s, 2, 3)",
            "substr(a_v, CAST(a_i8 AS BIGINT), CAST(abs(b_i16) AS BIGINT))",
            "substr(a_s, a_i64, b_i64)",
            "substring(a_s FROM 3 FOR 2)",
            "left(a_s, 3)",
            "left(a_v, CAST(a_i8 AS BIGINT))",
            "left(a_s, a_i64)",
            "right(a_s, 3)",
            "right(a_v, CAST(a_i8 AS BIGINT))",
            "right(a_s, a_i64)",
            "length(a_s)",
            "character_length(a_v)",
            "octet_length(a_s)",
            "bit_length(a_s)",
            "ascii(a_s)",
            "ascii(a_v)",
            "trim(a_s)",
            "ltrim(a_s)",
            "rtrim(a_v)",
            "btrim(a_s, 'aHß ')",
            "ltrim(a_s, b_s)",
            "rtrim(a_s, 'bé語')",
            "starts_with(a_s, 'a')",
            "starts_with(a_s, b_s)",
            "ends_with(a_v, 'b')",
            "ends_with(a_s, b_s)",
            "contains(a_s, b_s)",
            "contains(a_s, 'World')",
            "strpos(a_s, 'b')",
            "strpos(a_v, b_v)",
            "split_part(a_s, 'a', 2)",
            "split_part(a_s, 'ab', -1)",
            "split_part(a_s, b_s, CAST(a_i8 AS BIGINT))",
            "split_part(a_s, ' ', 1)",
            "concat(a_s, b_s)",
            "concat(a_s, '-', b_v, '!')",
            "concat_ws(', ', a_s, b_s, a_s)",
            "concat_ws(a_s, b_s, b_v)",
            "a_s || b_s",
            "a_s || '/' || b_v",
            "replace(a_s, 'a', 'xyz')",
            "replace(a_s, 'ab', '')",
            "replace(a_s, b_s, '<>')",
            "reverse(a_s)",
            "reverse(a_v)",
            "greatest(a_s, b_s)",
            "least(a_s, b_s, 'm')",
            "CASE WHEN substr(a_s, 1, 2) IN ('ab', 'sp', 'ÄÖ', 'He', 'MA', '10') THEN concat(a_s, '.') ELSE b_s END",
        ],
    );
}

#[test]
fn letters_beyond_ascii_are_left_to_the_cpu() {
    let ascii = "CASE WHEN a_s IN ('Hello World', 'MAIL', 'a', 'kK', 'forest green', '100%') THEN a_s END";
    same(
        "cases",
        &[
            &format!("upper({ascii})"),
            &format!("lower({ascii})"),
            "upper(substr(a_s, 1, 0))",
        ],
    );
    raises(
        "letters",
        "upper(concat(coalesce(a_s, ''), 'ß'))",
        kernels::ErrorFlags::FALLBACK,
    );
    raises(
        "folding",
        "concat(coalesce(a_s, ''), 'ſ') ILIKE '%s'",
        kernels::ErrorFlags::FALLBACK,
    );
}

#[test]
fn casts() {
    let mut all = Vec::new();
    for from in [
        "i8", "i16", "i32", "i64", "u8", "u64", "bool", "d5", "d12", "d18", "d25", "date",
    ] {
        all.push(format!("CAST(a_{from} AS VARCHAR)"));
        all.push(format!("CAST(CAST(a_{from} AS VARCHAR) AS INT)"));
    }
    for to in ["TINYINT", "INT", "BIGINT", "INT UNSIGNED", "BIGINT UNSIGNED"] {
        let cut = "CASE WHEN octet_length(a_s) < 10 THEN a_s END";
        for text in [
            cut,
            "concat('  ', a_i64, ' ')",
            "concat('+', a_i8)",
            "concat('-', a_u64)",
        ] {
            all.push(format!("TRY_CAST({text} AS {to})"));
        }
    }
    // Dates with a sign or a time of day are left to the CPU.
    all.push(
        "TRY_CAST(CASE WHEN octet_length(a_s) < 10 AND NOT starts_with(a_s, '-') THEN a_s END AS DATE)"
            .to_owned(),
    );
    all.push(
        "CAST(concat('2', CASE WHEN a_i8 > 9 AND a_i8 < 90 THEN a_i8 ELSE 15 END, '5-1-02') AS DATE)"
            .to_owned(),
    );
    all.push("TRY_CAST(concat('2020-', abs(a_i16 % 15), '-', abs(b_i16 % 34)) AS DATE)".to_owned());
    all.push("TRY_CAST(CAST(abs(a_i64 % 99999999) AS VARCHAR) AS DATE)".to_owned());
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    same("string_casts", &all);
}
