//! Dates, times, timestamps, intervals and their casts.

use super::same;

#[test]
fn arithmetic() {
    same(
        "temporal",
        &[
            "a_date + INTERVAL '1' DAY",
            "a_date - INTERVAL '90' DAY",
            "a_date + INTERVAL '1' MONTH",
            "a_date - INTERVAL '3' MONTH",
            "a_date + INTERVAL '1' YEAR",
            "INTERVAL '2 months 3 days' + a_date",
            "a_date - INTERVAL '1 month 1 day 30 hours'",
            "a_date - b_date",
            "a_date64 - b_date64",
            "a_date64 + INTERVAL '1 month 5 hours'",
            "a_date < DATE '1995-03-15'",
            "a_date >= b_date",
            "a_tss + INTERVAL '1 month 2 days 3 hours'",
            "a_tsms - INTERVAL '1 month 2 days 3 hours'",
            "a_tsus + INTERVAL '13 months -2 days 3.000001 seconds'",
            "a_tsns - INTERVAL '1 year 2.5 seconds'",
            "a_tss - b_tss",
            "a_tsus - b_tsus",
            "a_tsns - b_tsns",
            "a_tsns < b_tsns",
            "a_tsus = b_tsus",
            "a_time < b_time",
            "a_time + INTERVAL '25 hours'",
            "a_time - INTERVAL '1.5 seconds'",
            "a_date BETWEEN DATE '1994-01-01' AND DATE '1995-12-31'",
            "a_tsus + (b_tsus - a_tsus)",
        ],
    );
}

#[test]
fn casts() {
    let mut all = Vec::new();
    for cast in ["CAST", "TRY_CAST"] {
        for from in ["date", "date64", "tss", "tsms", "tsus", "tsns"] {
            for to in [
                "DATE",
                "TIMESTAMP",
                "TIMESTAMP(0)",
                "TIMESTAMP(3)",
                "TIMESTAMP(6)",
                "BIGINT",
            ] {
                // Arrow overflows here without a check.
                if from == "date64" && matches!(to, "TIMESTAMP" | "TIMESTAMP(6)") {
                    continue;
                }
                all.push(format!("{cast}(a_{from} AS {to})"));
            }
        }
        for from in ["i32", "i64"] {
            all.push(format!("{cast}(a_{from} AS DATE)"));
            all.push(format!("{cast}(a_{from} AS TIMESTAMP)"));
        }
        for from in ["tss", "tsms", "tsus", "tsns"] {
            all.push(format!("{cast}(a_{from} AS TIME)"));
        }
    }
    same("temporal_casts", &all);
}

#[test]
fn parts() {
    let mut all = Vec::new();
    for part in [
        "year",
        "isoyear",
        "quarter",
        "month",
        "week",
        "day",
        "dow",
        "isodow",
        "doy",
        "hour",
        "minute",
        "second",
        "millisecond",
        "microsecond",
        "nanosecond",
        "epoch",
    ] {
        for from in ["date", "date64", "tss", "tsms", "tsus", "tsns"] {
            all.push(format!("date_part('{part}', a_{from})"));
        }
    }
    all.push("extract(YEAR FROM a_date)".to_owned());
    same("parts", &all);
}

#[test]
fn truncated() {
    let mut all = Vec::new();
    for part in [
        "microsecond",
        "millisecond",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
    ] {
        for from in ["tss", "tsms", "tsus", "tsns"] {
            // DataFusion panics where these wrap.
            let safe = format!(
                "CASE WHEN a_{from} > TIMESTAMP '1700-01-01' THEN a_{from} ELSE TIMESTAMP '2001-02-03 04:05:06.789' END"
            );
            all.push(format!("date_trunc('{part}', {safe})"));
        }
    }
    for from in ["tss", "tsms", "tsus", "tsns"] {
        all.push(format!("date_trunc('month', a_{from})"));
    }
    same("truncated", &all);
}

#[test]
fn bins_and_times_of_day() {
    let mut all = Vec::new();
    for part in [
        "hour",
        "minute",
        "second",
        "millisecond",
        "microsecond",
        "nanosecond",
    ] {
        all.push(format!("date_part('{part}', a_time)"));
    }
    for stride in [
        "15 minutes",
        "1 day",
        "7 days",
        "1 month",
        "5 months",
        "1 year",
        "3 milliseconds",
    ] {
        for unit in ["tss", "tsms", "tsus", "tsns"] {
            all.push(format!("date_bin(INTERVAL '{stride}', a_{unit})"));
            all.push(format!(
                "date_bin(INTERVAL '{stride}', a_{unit}, TIMESTAMP '2001-03-31 02:03:04.5')"
            ));
        }
    }
    same("bins", &all);
}
