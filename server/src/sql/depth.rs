//! How deep a statement nests, found from its tokens alone.
//!
//! `a OR b OR c` parses into a tree as deep as it has operators, and everything that walks such a tree (planner,
//! optimiser, even dropping it) recurses once a level. The parser bounds what parentheses nest, but
//! not chains of operators: those are bounded here, before there is a tree.

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::error::{Error, Result};

/// Operators in one chain, at most. The threads that plan have stacks for several times as many.
const CHAIN_MAX: usize = 2000;

/// What was counted at one level of parentheses.
#[derive(Default)]
struct Level {
    /// Operators since the last comma or part of a CASE.
    operators: usize,
    /// Set operations and joins, which commas do not end.
    relations: usize,
}

/// Checks that no chain of operators is too long.
///
/// # Errors
/// `Sql` with the position where it becomes too long. A text that has no tokens is the parser's to refuse.
pub fn check(text: &str, dialect: &dyn Dialect) -> Result<()> {
    // Shorter than the shortest statement that could be too deep: most are.
    if text.len() <= CHAIN_MAX {
        return Ok(());
    }
    let Ok(tokens) = Tokenizer::new(dialect, text).tokenize_with_location() else {
        return Ok(());
    };
    let mut levels = vec![Level::default()];
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket => levels.push(Level::default()),
            Token::RParen | Token::RBracket if levels.len() > 1 => drop(levels.pop()),
            other => count(levels.last_mut(), other, token.span.start)?,
        }
    }
    Ok(())
}

fn count(level: Option<&mut Level>, token: &Token, at: Location) -> Result<()> {
    let Some(level) = level else { return Ok(()) };
    let (counter, what) = match token {
        Token::Comma | Token::SemiColon => {
            level.operators = 0;
            return Ok(());
        }
        Token::Word(word) => match word.keyword {
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE => {
                level.operators = 0;
                return Ok(());
            }
            Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::XOR | Keyword::LIKE | Keyword::IS => {
                (&mut level.operators, "operators")
            }
            Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN => {
                (&mut level.relations, "joins and set operations")
            }
            _ => return Ok(()),
        },
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Whitespace(_) | Token::Period => {
            return Ok(());
        }
        Token::Placeholder(_) | Token::EOF => return Ok(()),
        _ => (&mut level.operators, "operators"),
    };
    *counter += 1;
    match *counter > CHAIN_MAX {
        true => Err(Error::sql(format!(
            "over {CHAIN_MAX} {what} in one chain at line {}, column {}, the most that a statement may have; \
             IN takes any number of values",
            at.line, at.column
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    fn refused(text: &str) -> bool {
        check(text, &GenericDialect {}).is_err()
    }

    #[test]
    fn long_chains_are_refused_and_long_lists_are_not() {
        let chain =
            |piece: &str, count: usize| format!("select 1 from t where {}", vec![piece; count].join(" or "));
        assert!(!refused(&chain("a", CHAIN_MAX)));
        assert!(refused(&chain("a", CHAIN_MAX + 2)));
        assert!(refused(&format!(
            "select (((1 {})))",
            "+ 1 ".repeat(CHAIN_MAX + 1)
        )));
        assert!(refused(&format!("select 1{}", "::int".repeat(CHAIN_MAX + 1))));
        assert!(refused(&"select 1, 2 union all ".repeat(CHAIN_MAX + 1)));
        assert!(!refused(&format!(
            "select a in ({})",
            vec!["-1"; 100_000].join(", ")
        )));
        assert!(!refused(&format!(
            "select case {} end",
            "when a = 1 then 2 ".repeat(10_000)
        )));
        assert!(!refused(&format!(
            "values {}",
            vec!["(1, -2, 'x' || 'y')"; 10_000].join(", ")
        )));
    }

    #[test]
    fn the_message_says_where() {
        let text = format!("select\n1 {}", "+ 1 ".repeat(CHAIN_MAX + 1));
        let error = check(&text, &GenericDialect {}).unwrap_err();
        assert!(error.message().contains("at line 2, column 8003"), "{error}");
    }
}
