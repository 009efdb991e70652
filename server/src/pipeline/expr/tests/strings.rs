//! Strings: comparisons and patterns.

use super::same;

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
