//! What expressions say about themselves, and what their text looks like.

use datafusion::prelude::SessionContext;

use super::batches::{Nulls, batch};
use super::planned;
use crate::batch::Repr;
use crate::pipeline::expr::{Code, ColumnShape, Expr, lower};

fn lowered(sql: &str) -> Expr {
    let batch = batch(1, 1, Nulls::None);
    let expr = planned(&SessionContext::new(), &batch, sql);
    lower(&expr, &batch.schema()).expect(sql)
}

fn code(nullable: bool) -> Code {
    let batch = batch(1, 1, Nulls::None);
    let shapes = batch
        .schema()
        .fields()
        .iter()
        .map(|field| ColumnShape {
            repr: Repr::of(field.data_type()).expect("a type of the device"),
            nullable,
            through: None,
        })
        .collect();
    Code::new(shapes)
}

fn text(sql: &str) -> String {
    let mut code = code(false);
    code.value(&lowered(sql)).expect(sql);
    code.take_text()
}

#[test]
fn expressions_print_as_sql() {
    for (sql, printed) in [
        (
            "a_i32 + b_i32 * 2",
            "CAST(a_i32 AS Int64) + (CAST(b_i32 AS Int64) * 2)",
        ),
        (
            "a_s LIKE 'it''s%' AND b_s IS NULL",
            "(a_s LIKE 'it''s%') AND (b_s IS NULL)",
        ),
        ("a_date >= DATE '1994-01-01'", "a_date >= DATE '1994-01-01'"),
        (
            "CASE WHEN a_bool THEN substr(a_s, 1, 2) ELSE 'x' END",
            "CASE WHEN a_bool THEN substr(a_s, 1, 2) ELSE 'x' END",
        ),
        ("a_i64 NOT IN (1, 2, 3, 4)", "a_i64 NOT IN (1, 2, 3, 4)"),
        ("TRY_CAST(a_s AS INT)", "TRY_CAST(a_s AS Int32)"),
    ] {
        assert_eq!(lowered(sql).to_string(), printed);
    }
}

#[test]
fn columns_and_heaps_are_known() {
    let expr = lowered("a_i8 = b_i8 AND upper(a_s) = 'X'");
    let batch = batch(1, 1, Nulls::None);
    let names: Vec<String> = expr
        .columns()
        .iter()
        .map(|&index| batch.schema().field(index).name().clone())
        .collect();
    assert_eq!(names, ["a_i8", "a_s", "b_i8"]);
    assert!(expr.makes_strings());
    assert!(!lowered("substr(a_s, 2) = trim(b_s)").makes_strings());
    assert!(lowered("CAST(a_i32 AS VARCHAR)").makes_strings());
}

#[test]
fn substitution_puts_inputs_in_place_of_columns() {
    let inputs: Vec<Expr> = (0..60).map(|_| lowered("a_i64 + 1")).collect();
    let fused = lowered("b_i64 * 2").substitute(&inputs);
    assert_eq!(fused.to_string(), "(a_i64 + 1) * 2");
}

#[test]
fn the_same_is_computed_once() {
    let mut code = code(true);
    for sql in ["a_f64 / b_f64 > 1", "a_f64 / b_f64 < 9", "b_f64 = a_f64"] {
        code.value(&lowered(sql)).expect(sql);
    }
    let text = code.take_text();
    assert_eq!(text.matches(" / ").count(), 1, "{text}");
    assert_eq!(text.matches("(const f64*)columns").count(), 2, "{text}");
    // What a closed scope computed is not seen after it.
    code.open("if (active)");
    let inside = code.value(&lowered("a_f64 * b_f64")).expect("computed");
    code.close();
    let outside = code.value(&lowered("a_f64 * b_f64")).expect("computed");
    assert_ne!(inside.text, outside.text);
}

#[test]
fn decimals_stay_narrow_where_they_fit() {
    // As TPC-H's sixth query: one product of two 64-bit factors is all that is wide.
    let sixth = text("a_d15 BETWEEN 0.05 AND 0.07 AND b_d15 < 24");
    assert!(!sixth.contains("i128"), "{sixth}");
    let product = text("a_d15 * b_d15");
    assert_eq!(product.matches("i128").count(), 3, "{product}");
    assert!(!product.contains("wf_raise"), "{product}");
    // And the first: the constant is small, whatever its type says.
    let discounted = text("a_d15 * (1 - b_d15)");
    assert!(
        !discounted.contains("wf_mul") && !discounted.contains("wf_raise"),
        "{discounted}"
    );
}

#[test]
fn literals_are_not_in_the_text() {
    let of = |sql: &str| {
        let mut code = code(true);
        code.value(&lowered(sql)).expect(sql);
        (code.take_text(), code.literals())
    };
    for (one, other) in [
        (
            "a_i32 > 5 AND a_s = 'x'",
            "a_i32 > 7 AND a_s = 'something longer'",
        ),
        ("a_d15 < 24", "a_d15 < 17"),
        ("a_s LIKE '%green%'", "a_s LIKE '%red%'"),
        ("a_i64 IN (1, 2, 3, 4, 5)", "a_i64 IN (6, 7, 8, 9, 10, 11, 12)"),
        ("a_date < DATE '1995-03-15'", "a_date < DATE '1998-01-01'"),
    ] {
        let ((one_text, one_literals), (other_text, other_literals)) = (of(one), of(other));
        assert_eq!(one_text, other_text);
        assert_ne!(one_literals, other_literals);
    }
}
