//! Names for result columns that would otherwise be called alike.
//!
//! `SELECT 1, 1` and two scalar subqueries side by side are fine in SQL; DataFusion wants the columns of a
//! projection to have distinct names. So the second and later ones of a name get one of their own.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, Statement, VisitMut, VisitorMut,
};

/// Names the columns of every SELECT in a statement apart.
pub fn tell_apart(statement: &mut Statement) {
    let _: ControlFlow<()> = statement.visit(&mut Selects);
}

struct Selects;

impl VisitorMut for Selects {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        in_set(&mut query.body);
        ControlFlow::Continue(())
    }
}

/// A loop, not a recursion, down the left: set operations chain there.
fn in_set(body: &mut SetExpr) {
    let mut body = body;
    loop {
        match body {
            SetExpr::Select(select) => return in_select(select),
            SetExpr::SetOperation { left, right, .. } => {
                if let SetExpr::Select(select) = right.as_mut() {
                    in_select(select);
                }
                body = left.as_mut();
            }
            // A query in parentheses is visited as a query of its own.
            _ => return,
        }
    }
}

fn in_select(select: &mut Select) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expression) = item else {
            continue;
        };
        // Subqueries are named by what is inside: two different ones can be called alike.
        let name = match &*expression {
            Expr::Subquery(_) => String::new(),
            expression => expression.to_string(),
        };
        let before = seen.entry(name).or_default();
        *before += 1;
        if *before > 1 {
            let alias = Ident::with_quote('"', format!("{expression}:{}", *before - 1));
            let expr = std::mem::replace(expression, Expr::Identifier(Ident::new("")));
            *item = SelectItem::ExprWithAlias { expr, alias };
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn named(text: &str) -> String {
        let mut statements = Parser::parse_sql(&GenericDialect {}, text).unwrap();
        tell_apart(&mut statements[0]);
        statements[0].to_string()
    }

    #[test]
    fn only_what_is_there_twice_gets_a_name() {
        for unchanged in [
            "SELECT 1, 2",
            "SELECT a, b.a FROM t",
            "SELECT a AS x, a AS y FROM t",
            "SELECT (SELECT 1)",
        ] {
            assert_eq!(named(unchanged), unchanged);
        }
        assert_eq!(named("SELECT 1, 1, 1"), r#"SELECT 1, 1 AS "1:1", 1 AS "1:2""#);
        assert_eq!(
            named("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"),
            r#"SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b) AS "(SELECT count(*) FROM b):1""#
        );
        assert_eq!(
            named("SELECT x FROM (SELECT 1, 1 UNION ALL SELECT 2, 2)"),
            r#"SELECT x FROM (SELECT 1, 1 AS "1:1" UNION ALL SELECT 2, 2 AS "2:1")"#
        );
    }
}
