//! Strings: comparisons and patterns.

use super::{raises, refused, same};

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
            "a_s ILIKE '%ÄÖ%'",
            "a_v NOT ILIKE '_本.%'",
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
fn functions_that_make_strings() {
    let ascii = "CASE WHEN a_s IN ('Hello World', 'MAIL', 'a', 'kK', 'forest green', '100%') THEN a_s END";
    same(
        "string_making",
        &[
            "lpad(a_s, 7)",
            "rpad(a_s, 7)",
            "lpad(a_v, 12, 'xyß')",
            "rpad(a_v, 12, 'xyß')",
            "lpad(a_s, CAST(a_u8 AS BIGINT), b_s)",
            "rpad(a_s, CAST(a_u8 AS BIGINT), b_s)",
            "lpad(a_s, 3, '')",
            "rpad(a_s, 30, '')",
            "lpad(a_s, -1, 'x')",
            "repeat(a_s, 3)",
            "repeat(a_v, CAST(a_i8 % 5 AS BIGINT))",
            "repeat('日', CAST(a_i8 AS BIGINT))",
            "translate(a_s, 'abcö', 'xy')",
            "translate(a_s, 'aeo', 'éüß')",
            "translate(a_v, b_s, 'zyx')",
            "translate(a_s, '', 'zyx')",
            "to_hex(a_i8)",
            "to_hex(a_i64)",
            "to_hex(a_u64)",
            "to_hex(a_u16)",
            "chr(CAST(a_u16 AS BIGINT) % 55296)",
            "chr(CAST(a_u8 AS BIGINT) + 128000)",
            "overlay(a_s PLACING 'ÄÖ' FROM 2)",
            "overlay(a_s PLACING 'x' FROM 3 FOR 4)",
            "overlay(a_s PLACING b_s FROM CAST(abs(a_i16 % 9) + 1 AS BIGINT) FOR CAST(b_i8 AS BIGINT))",
            "levenshtein(a_s, b_s)",
            "levenshtein(a_s, 'Hällo')",
            "encode(a_s, 'hex')",
            "encode(a_v, 'base64')",
            "encode(a_s, 'base64pad')",
            "decode(encode(a_s, 'hex'), 'hex') = CAST(a_s AS BYTEA)",
            "arrow_typeof(a_d12)",
            &format!("initcap({ascii})"),
            &format!("initcap(concat({ascii}, '-x y2z '))"),
        ],
    );
    raises(
        "chr",
        "chr(CAST(a_u8 AS BIGINT) + 55296)",
        kernels::ErrorFlags::BAD_CAST,
    );
    raises(
        "hex",
        "decode(concat(a_s, 'x'), 'hex')",
        kernels::ErrorFlags::BAD_CAST,
    );
    raises(
        "initcap",
        "initcap(concat(a_s, 'ß'))",
        kernels::ErrorFlags::FALLBACK,
    );
}

#[test]
fn regular_expressions() {
    let mut all = Vec::new();
    for pattern in [
        "a",
        "^a",
        "a$",
        "^[aH].*[bd]$",
        "[^a-z]",
        "a|ab|b",
        "(?:a|ab)(?:c|bcd)?",
        "",
        "^$",
        "x*",
        "l+",
        "(a+)+b",
        "\\d+",
        "\\w+",
        "[äöü]|本",
        "\\s",
        ".",
        "..$",
        "(?s).{3,5}",
        "(?m)^.",
        "\\p{Lu}",
        "(?i)HELLO|m[aä]il",
        "[a-c]{2}|%",
        "(?-u:\\b)a",
        "o.?",
        "a??",
        "(foo|bar)?",
    ] {
        all.push(format!("a_s ~ '{pattern}'"));
        all.push(format!("a_v !~ '{pattern}'"));
        all.push(format!("a_s ~* '{pattern}'"));
        all.push(format!("a_s !~* '{pattern}'"));
        all.push(format!("regexp_replace(a_s, '{pattern}', '<\\0>')"));
        all.push(format!("regexp_replace(a_v, '{pattern}', 'é', 'g')"));
        all.push(format!("regexp_replace(a_s, '{pattern}', '', 'gi')"));
        all.push(format!("regexp_replace(a_s, '{pattern}', '[\\\\0$$]', 'i')"));
        all.push(format!("regexp_count(a_s, '{pattern}')"));
        all.push(format!("regexp_count(a_s, '{pattern}', 1, 'i')"));
        all.push(format!("regexp_instr(a_v, '{pattern}')"));
        all.push(format!("regexp_instr(a_s, '{pattern}', 1, 2)"));
        all.push(format!("regexp_like(a_s, '{pattern}', 'is')"));
    }
    all.push("CASE WHEN a_s ~ '^[A-Z]' THEN regexp_replace(a_s, '[a-z]', '.', 'g') ELSE b_s END".into());
    same("regular_expressions", &all);
    raises(
        "words",
        "concat(coalesce(a_s, ''), 'ß') ~ '\\bß'",
        kernels::ErrorFlags::FALLBACK,
    );
    for (sql, reason) in [
        ("a_s ~ b_s", "not constant"),
        ("regexp_replace(a_s, '(a)', '\\1b')", "regexp_replace of"),
        ("regexp_count(a_s, 'a', 2)", "regexp_count of"),
        ("a_s ~ '\\b'", "bounds of words"),
        ("a_s ~ '\\w{1,200}x\\w{200}'", "bytes"),
    ] {
        let found = refused(sql);
        assert!(found.contains(reason), "{sql}: {found}");
    }
}

#[test]
fn letters_in_the_other_case() {
    let no_sigma = "translate(a_s, 'Σ', 'S')";
    same(
        "cases",
        &[
            "upper(a_s)",
            "upper(a_v)",
            "upper(concat(a_s, 'ßéŉǆﬃҹΐω😀'))",
            &format!("lower({no_sigma})"),
            &format!("lower(concat({no_sigma}, 'İÉǄҸΩ日K'))"),
            "upper(substr(a_s, 1, 0))",
        ],
    );
    raises(
        "letters",
        "lower(concat(coalesce(a_s, ''), 'ΟΔΟΣ'))",
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
    for from in ["tsms", "tsus", "tsns", "time", "f32", "f64"] {
        all.push(format!("CAST(a_{from} AS VARCHAR)"));
    }
    for number in [
        "concat(a_i16, '.', abs(b_i16 % 100))",
        "concat(' ', a_i8, 'e', b_i8 % 9, ' ')",
        "concat('.', abs(a_i16))",
        "concat(a_i16, '.')",
        "concat('-', a_i8)",
        "concat(a_i8, 'x')",
        "concat(a_i8, 'e')",
        "concat(a_u8, '.5.')",
        "CAST(a_d12 AS VARCHAR)",
    ] {
        for to in [
            "DOUBLE",
            "FLOAT",
            "DECIMAL(10, 2)",
            "DECIMAL(38, 4)",
            "DECIMAL(4, 0)",
            "DECIMAL(5, 5)",
        ] {
            all.push(format!("TRY_CAST({number} AS {to})"));
        }
    }
    for float in [
        "a_i32 / 1e3",
        "1e9 / a_i16",
        "a_f64 / 3",
        "1e-4 / a_i8",
        "exp(a_i8)",
        "a_f32 * CAST(1e-3 AS FLOAT)",
    ] {
        all.push(format!("CAST({float} AS VARCHAR)"));
    }
    for word in [
        "'true'",
        "' Yes '",
        "'off'",
        "'2'",
        "'tru'",
        "'trues'",
        "concat(a_u8 % 3)",
    ] {
        all.push(format!(
            "TRY_CAST(concat(CASE WHEN a_i8 > 0 THEN {word} ELSE '1' END) AS BOOLEAN)"
        ));
    }
    for rest in [
        "''",
        "' 01:02:03'",
        "'T23:59:59.5Z'",
        "'t00:00:00.123456789'",
        "'x00:00:00'",
        "' 24:00:00'",
        "' 00:61:00'",
    ] {
        for to in ["TIMESTAMP", "TIMESTAMP(0)", "TIMESTAMP(6)"] {
            let date = "concat(1990 + abs(a_i16 % 50), '-0', 1 + abs(b_i16 % 9), '-1', abs(a_i8 % 10), ";
            all.push(format!("TRY_CAST({date}{rest}) AS {to})"));
        }
    }
    same("string_casts", &all);
}
