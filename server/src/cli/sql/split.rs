//! Where statements end. In: SQL text, perhaps many statements, perhaps not finished. Out: the
//! statements and where each begins, and what the text is still inside of at its end. Knows quotes,
//! dollar quotes, comments and semicolons; nothing else of SQL.

/// What the end of a text is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Between statements.
    Nothing,
    /// A statement without its semicolon.
    Statement,
    /// `(`, so many deep.
    Parenthesis,
    /// `'`
    Text,
    /// `"` or a backtick.
    Name,
    /// `$tag$`
    Dollar,
    /// `/*`
    Comment,
}

/// One statement of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Its text, without the semicolon, white space and comments around it.
    pub sql: &'a str,
    /// The line of the text that it begins on, from 1.
    pub line: usize,
}

/// The statements of a text, and what it is inside of at the end. A last statement needs no semicolon.
pub fn split(text: &str) -> (Vec<Statement<'_>>, Open) {
    let mut scanner = Scanner { text, at: 0 };
    let mut statements = Vec::new();
    // The first and the last byte (exclusive) of what is not white space or comment.
    let mut span: Option<(usize, usize)> = None;
    let mut depth = 0_usize;
    let mut unfinished = None;
    while let Some((token, start)) = scanner.next() {
        match token {
            Token::Blank => {}
            Token::Unfinished(open) => {
                unfinished = Some(open);
                if open != Open::Comment {
                    span = Some((span.map_or(start, |(first, _)| first), scanner.at));
                }
            }
            Token::Semicolon => {
                statements.extend(span.take().map(|span| statement(text, span)));
                depth = 0;
            }
            Token::Other(byte) => {
                match byte {
                    b'(' => depth += 1,
                    b')' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                span = Some((span.map_or(start, |(first, _)| first), scanner.at));
            }
        }
    }
    let open = match (unfinished, span) {
        (Some(open), _) => open,
        (None, None) => Open::Nothing,
        (None, Some(_)) if depth > 0 => Open::Parenthesis,
        (None, Some(_)) => Open::Statement,
    };
    statements.extend(span.map(|span| statement(text, span)));
    (statements, open)
}

fn statement(text: &str, (start, end): (usize, usize)) -> Statement<'_> {
    let line = 1 + text[..start].bytes().filter(|b| *b == b'\n').count();
    Statement {
        sql: &text[start..end],
        line,
    }
}

/// Whether a statement answers with a number of rows instead of rows: by its first word.
pub fn is_update(sql: &str) -> bool {
    const UPDATES: [&str; 20] = [
        "insert",
        "update",
        "delete",
        "merge",
        "create",
        "drop",
        "alter",
        "truncate",
        "copy",
        "set",
        "reset",
        "use",
        "begin",
        "start",
        "commit",
        "rollback",
        "grant",
        "revoke",
        "vacuum",
        "deallocate",
    ];
    let word = first_word(sql);
    UPDATES.iter().any(|update| word.eq_ignore_ascii_case(update))
}

/// The statement's first word; parentheses before it do not count.
pub fn first_word(sql: &str) -> &str {
    let sql = sql.trim_start_matches(|c: char| c == '(' || c.is_whitespace());
    let end = sql
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(sql.len());
    &sql[..end]
}

enum Token {
    /// White space or a comment.
    Blank,
    Semicolon,
    /// Anything else: one byte, or the first byte of a quoted or a bare word.
    Other(u8),
    /// A quote or comment that does not end.
    Unfinished(Open),
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<(Token, usize)> {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let first = *rest.first()?;
        let token = match (first, rest.get(1)) {
            (b';', _) => self.take(1, Token::Semicolon),
            (b'-', Some(b'-')) => {
                let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                self.take(length, Token::Blank)
            }
            (b'/', Some(b'*')) => self.comment(),
            (b'\'', _) => self.quoted(0, b'\'', false, Open::Text),
            (b'e' | b'E', Some(b'\'')) => self.quoted(1, b'\'', true, Open::Text),
            (b'"' | b'`', _) => self.quoted(0, first, false, Open::Name),
            (b'$', _) => self.dollar(),
            _ if first.is_ascii_whitespace() => self.take(1, Token::Blank),
            _ if is_word(first) => {
                let length = rest
                    .iter()
                    .position(|b| !is_word(*b) && *b != b'$')
                    .unwrap_or(rest.len());
                self.take(length, Token::Other(first))
            }
            _ => self.take(1, Token::Other(first)),
        };
        Some((token, start))
    }

    fn take(&mut self, length: usize, token: Token) -> Token {
        self.at += length;
        token
    }

    fn rest(&self) -> &[u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// A quoted text or name; the quote doubled stands for itself, and in `E''` texts a backslash
    /// protects what follows.
    fn quoted(&mut self, prefix: usize, quote: u8, backslash: bool, open: Open) -> Token {
        let bytes = self.rest();
        let mut i = prefix + 1;
        while i < bytes.len() {
            if backslash && bytes[i] == b'\\' {
                i += 2;
            } else if bytes[i] != quote {
                i += 1;
            } else if bytes.get(i + 1) == Some(&quote) {
                i += 2;
            } else {
                return self.take(i + 1, Token::Other(quote));
            }
        }
        let length = bytes.len();
        self.take(length, Token::Unfinished(open))
    }

    /// `$$…$$` or `$tag$…$tag$`; `$1` is a parameter.
    fn dollar(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let tag = rest[1..].find('$').map(|end| &rest[..end + 2]).filter(|tag| {
            let name = &tag.as_bytes()[1..tag.len() - 1];
            name.iter().all(|b| is_word(*b)) && !name.first().is_some_and(u8::is_ascii_digit)
        });
        let Some(tag) = tag else {
            return self.take(1, Token::Other(b'$'));
        };
        match rest[tag.len()..].find(tag) {
            Some(end) => self.take(2 * tag.len() + end, Token::Other(b'$')),
            None => self.take(rest.len(), Token::Unfinished(Open::Dollar)),
        }
    }

    /// Comments between `/*` and `*/` nest.
    fn comment(&mut self) -> Token {
        let bytes = self.rest();
        let (mut depth, mut i) = (0, 0);
        while i < bytes.len() {
            match (bytes[i], bytes.get(i + 1)) {
                (b'/', Some(b'*')) => (depth, i) = (depth + 1, i + 2),
                (b'*', Some(b'/')) => (depth, i) = (depth - 1, i + 2),
                _ => i += 1,
            }
            if depth == 0 {
                return self.take(i, Token::Blank);
            }
        }
        let length = bytes.len();
        self.take(length, Token::Unfinished(Open::Comment))
    }
}

/// Bytes above ASCII belong to letters as far as this goes, so that no character is cut in two.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        split(text).0.into_iter().map(|s| s.sql).collect()
    }

    #[test]
    fn semicolons_that_end_and_semicolons_that_do_not() {
        assert_eq!(parts("select 1; select 2"), ["select 1", "select 2"]);
        assert_eq!(parts(" ;; select 1 ;;\n; "), ["select 1"]);
        assert_eq!(parts("select ';', ';''; ' ; x"), ["select ';', ';''; '", "x"]);
        assert_eq!(parts(r#"select ";", `;`; x"#), [r#"select ";", `;`"#, "x"]);
        assert_eq!(parts(r"select E'\';', '\'; x"), [r"select E'\';', '\'", "x"]);
        assert_eq!(
            parts("select $$;$$, $a$ ; $$ $b$; $a$; x"),
            ["select $$;$$, $a$ ; $$ $b$; $a$", "x"]
        );
        assert_eq!(
            parts("select $1; select a$b$; x"),
            ["select $1", "select a$b$", "x"]
        );
        assert_eq!(parts("select 1 -- ; '\n+ 1; x"), ["select 1 -- ; '\n+ 1", "x"]);
        assert_eq!(
            parts("select 1 /* ; /* ' */ ; */ + 1; x"),
            ["select 1 /* ; /* ' */ ; */ + 1", "x"]
        );
        assert_eq!(parts("größe';'é;ü"), ["größe';'é", "ü"]);
        assert_eq!(parts("one_e';';x"), ["one_e';'", "x"]);
    }

    #[test]
    fn comments_around_statements_are_left_out() {
        assert_eq!(parts("-- hello\nselect 1; -- bye\n/* and */"), ["select 1"]);
        assert!(parts("-- only\n/* comments */ ;").is_empty());
    }

    #[test]
    fn lines_are_those_of_the_text() {
        let (statements, _) = split("-- c\nselect\n1;\n\n  select 2; select 3");
        assert_eq!(statements.iter().map(|s| s.line).collect::<Vec<_>>(), [2, 5, 5]);
    }

    #[test]
    fn what_is_still_open() {
        for (text, open) in [
            ("", Open::Nothing),
            ("select 1;", Open::Nothing),
            ("select 1; -- c", Open::Nothing),
            ("select 1", Open::Statement),
            ("select (1", Open::Parenthesis),
            ("select (1);", Open::Nothing),
            ("select 'a;", Open::Text),
            ("select 'a''", Open::Text),
            ("select \"a;", Open::Name),
            ("select $a$ $$;", Open::Dollar),
            ("/* a ;", Open::Comment),
            ("select E'\\", Open::Text),
        ] {
            assert_eq!(split(text).1, open, "{text}");
        }
    }

    #[test]
    fn every_prefix_of_every_text_is_taken() {
        let text = "sélect 'ü', $ä$;$ä$ /* ö /**/ */ -- x\n, E'\\ß' \"q`\" `r` ; $1 $";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            for statement in split(&text[..end]).0 {
                assert!(!statement.sql.is_empty());
            }
        }
    }

    #[test]
    fn updates_by_first_word() {
        for sql in ["INSERT into t", "create table t", "Drop", "set x = 1", "(insert"] {
            assert!(is_update(sql), "{sql}");
        }
        for sql in [
            "select 1",
            "with insert as (select 1) select 1",
            "explain create",
            "show x",
            "values (1)",
        ] {
            assert!(!is_update(sql), "{sql}");
        }
    }
}
