//! Errors that point at the text. In: a server's message and the statement. Out: the line meant, with a
//! caret under the column. The server says "at line L, column C", both from 1, in characters.

use std::fmt::Write;

/// The part of a long line shown around the caret, in characters.
const WINDOW: usize = 100;

/// Line and column (from 1) in a message that has them.
pub fn find(message: &str) -> Option<(usize, usize)> {
    let lower = message.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find("line") {
        from += at + "line".len();
        let found = number(&lower[from..]).and_then(|(line, rest)| {
            let rest = rest.trim_start_matches([',', ' ']).strip_prefix("column")?;
            Some((line, number(rest)?.0))
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

fn number(text: &str) -> Option<(usize, &str)> {
    let text = text.trim_start_matches([' ', ':']);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok().filter(|n| *n > 0)?, &text[end..]))
}

/// The line of `sql` that `message` points at, with a caret; empty if it points nowhere. `origin` is
/// the script and the line of it that the statement begins on.
pub fn excerpt(message: &str, sql: &str, origin: Option<(&str, usize)>) -> String {
    let Some((line, column)) = find(message) else {
        return String::new();
    };
    let Some(text) = sql.lines().nth(line - 1) else {
        return String::new();
    };
    let plain: Vec<char> = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let column = column.min(plain.len() + 1);
    let first = if plain.len() <= WINDOW {
        0
    } else {
        column.saturating_sub(1 + WINDOW / 2)
    };
    let last = plain.len().min(first + WINDOW);
    let shown: String = plain[first..last].iter().collect();
    let before: String = plain[first..column - 1].iter().collect();
    let (head, tail) = (
        if first > 0 { "…" } else { "" },
        if last < plain.len() { "…" } else { "" },
    );
    let number = origin.map_or(line, |(_, start)| start + line - 1);
    let margin = format!("{number} | ");
    let mut out = String::new();
    if let Some((file, _)) = origin {
        let _ = writeln!(out, "  in {file}, line {number}");
    }
    let indent = " ".repeat(margin.len() + width(head) + width(&before));
    let _ = write!(out, "{margin}{head}{shown}{tail}\n{indent}^");
    out
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_in_messages() {
        assert_eq!(
            find("expected an expression, found FROM at line 2, column 8"),
            Some((2, 8))
        );
        assert_eq!(
            find("sql parser error: Expected: x at Line: 1, Column: 15"),
            Some((1, 15))
        );
        assert_eq!(find("the line was bad at line 3, column 4"), Some((3, 4)));
        assert_eq!(find("table lineitem has 3 columns"), None);
        assert_eq!(find("line 0, column 0"), None);
    }

    #[test]
    fn a_caret_stands_under_the_column() {
        let shown = excerpt("x at line 2, column 8", "select a,\n       frm t", None);
        assert_eq!(shown, "2 |        frm t\n           ^");
        assert_eq!(excerpt("no position", "select", None), "");
        assert_eq!(excerpt("at line 9, column 1", "select", None), "");
        assert_eq!(excerpt("at line 1, column 99", "ab", None), "1 | ab\n      ^");
    }

    #[test]
    fn wide_characters_tabs_and_scripts() {
        let shown = excerpt("at line 1, column 5", "日本\t x", Some(("q.sql", 7)));
        assert_eq!(shown, "  in q.sql, line 7\n7 | 日本  x\n          ^");
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let sql = format!("{}HERE{}", "a".repeat(300), "b".repeat(300));
        let shown = excerpt("at line 1, column 301", &sql, None);
        let (line, caret) = shown.split_once('\n').unwrap();
        let at = caret.chars().count() - 1;
        assert_eq!(line.chars().skip(at).take(4).collect::<String>(), "HERE");
        assert!(line.chars().count() < 110 && line.ends_with('…'), "{line}");
    }
}
