//! Functions of text on a device, here the emulated one, against the CPU's: over every row of TPC-H's comments and names,
//! with `fallback_mode` set to `raise`, so that what the device leaves to the CPU is an error.

use crate::both::assert_same;
use crate::device::{client, plan};

/// What the functions are of: clean columns, and one with nulls and letters of two bytes.
const TEXTS: [&str; 3] = [
    "o_comment",
    "o_clerk",
    "case when o_orderkey % 5 = 0 then null else replace(o_comment, 'a', 'ä') end",
];

const PATTERNS: [&str; 9] = [
    "special.*requests",
    "^[a-m].*(s|ly)$",
    "(furious|quick|care)ly +(even|bold|final)",
    "[^a-z ]",
    "(?i)CLERK#0+1",
    "[aä]{2}|ä.",
    r"\d{2}|[a-z]{9}",
    "x*",
    r"\s(\S+)\s",
];

#[tokio::test(flavor = "multi_thread")]
async fn regular_expressions_are_the_same_as_on_the_cpu() {
    let mut all = Vec::new();
    for text in TEXTS {
        for pattern in PATTERNS {
            all.push(format!(
                "select count(*), sum(o_orderkey) from orders where {text} ~ '{pattern}'"
            ));
            all.push(format!(
                "select o_orderkey, {text} ~* '{pattern}', regexp_count({text}, '{pattern}'), \
                 regexp_instr({text}, '{pattern}', 1, 2), regexp_replace({text}, '{pattern}', '<\\0>'), \
                 regexp_replace({text}, '{pattern}', 'é', 'g') from orders order by o_orderkey limit 2000"
            ));
        }
    }
    assert_same(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_text_are_the_same_as_on_the_cpu() {
    let mut all = Vec::new();
    for text in TEXTS {
        for call in [
            "lpad({t}, 40, 'é-')",
            "rpad({t}, o_orderkey % 60, {t})",
            "repeat({t}, o_orderkey % 3)",
            "translate({t}, 'aeiä', 'äö')",
            "overlay({t} placing 'ß' from 5 for 7)",
            "levenshtein(substr({t}, 1, 12), 'quickly')",
            "encode({t}, 'base64')",
        ] {
            let call = call.replace("{t}", &format!("({text})"));
            all.push(format!(
                "select o_orderkey, {call} from orders order by o_orderkey limit 3000"
            ));
        }
    }
    for call in [
        "cast(o_totalprice as double) / 7",
        "cast(o_orderdate as timestamp)",
        "exp(o_orderkey % 300)",
        "cast(o_totalprice as float)",
    ] {
        all.push(format!(
            "select o_orderkey, cast({call} as varchar) from orders order by o_orderkey"
        ));
    }
    all.push("select sum(cast(cast(o_totalprice as varchar) as decimal(15, 2))) from orders".into());
    all.push(
        "select sum(cast(cast(o_totalprice as varchar) as double)) from orders where o_orderkey < 100".into(),
    );
    assert_same(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_table_is_made_for_is_left_to_the_cpu_with_its_reason() {
    let (_server, mut client) = client().await;
    for (condition, reason) in [
        ("o_comment ~ o_clerk", "a regular expression of type"),
        (
            "regexp_replace(o_comment, '(a)', '\\1') = ''",
            "regexp_replace of",
        ),
        ("o_comment ~ '\\w{1,200}x\\w{200}'", "bytes"),
    ] {
        let plan = plan(
            &mut client,
            &format!("select count(*) from orders where {condition}"),
        )
        .await;
        assert!(
            plan.contains("CpuFallbackExec") && plan.contains(reason),
            "{condition}: {plan}"
        );
    }
}
