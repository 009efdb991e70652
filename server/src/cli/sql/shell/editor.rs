//! The line being typed: completion, hints, colours. In: what is typed so far, the names that the server
//! has. Out: what it could become.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::Validator;
use rustyline::{Cmd, ConditionalEventHandler, Context, Event, EventContext, Helper, RepeatCount};

use super::command;

const KEYWORDS: &str = "ALL ALTER ANALYZE AND ANY AS ASC BETWEEN BIGINT BOOLEAN BY CASE CAST COLUMN COPY COUNT \
    CREATE CROSS CURRENT_DATE DATE DECIMAL DELETE DESC DESCRIBE DISTINCT DOUBLE DROP ELSE END EXCEPT EXISTS EXPLAIN \
    EXTERNAL EXTRACT FALSE FILTER FIRST FROM FULL GROUP HAVING ILIKE IN INNER INSERT INTEGER INTERSECT INTERVAL INTO \
    IS JOIN LAST LEFT LIKE LIMIT LOCATION NOT NULL NULLS OFFSET ON OPTIONS OR ORDER OUTER OVER PARQUET PARTITION \
    PARTITIONED RIGHT ROW ROWS SCHEMA SELECT SEMI SET SHOW SIMILAR STORED SUBSTRING TABLE TABLES THEN TIMESTAMP TO \
    TRUE UNION UNNEST UPDATE USING VALUES VARCHAR VERBOSE VIEW WHEN WHERE WINDOW WITH";

/// The names of tables and columns, filled while the shell runs.
pub type Names = Arc<Mutex<Vec<String>>>;

/// What rustyline asks while a line is typed.
pub struct Assistant {
    names: Names,
    files: FilenameCompleter,
    history: HistoryHinter,
}

impl Assistant {
    /// Completes from `names` besides the keywords.
    pub fn new(names: Names) -> Self {
        Self {
            names,
            files: FilenameCompleter::new(),
            history: HistoryHinter::new(),
        }
    }
}

impl Helper for Assistant {}
impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..pos];
        if before.starts_with("\\i ") || before.starts_with("\\o ") {
            return self.files.complete_path(line, pos);
        }
        let (start, words) = {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            candidates(before, &names)
        };
        let pair = |word: String| Pair {
            display: word.clone(),
            replacement: word,
        };
        Ok((start, words.into_iter().map(pair).collect()))
    }
}

/// Where the word that `before` ends with begins, and what it could become.
fn candidates(before: &str, names: &[String]) -> (usize, Vec<String>) {
    if before.starts_with('\\') && !before.contains(' ') {
        let known = command::NAMES.iter().filter(|name| name.starts_with(before));
        return (0, known.map(ToString::to_string).collect());
    }
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let start = before
        .rfind(|c| !part(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    if word.is_empty() {
        return (start, Vec::new());
    }
    let lower = word.to_lowercase();
    let small = word.chars().all(|c| !c.is_uppercase());
    let matching = |name: &&String| name.to_lowercase().starts_with(&lower);
    let mut words: Vec<String> = names.iter().filter(matching).cloned().collect();
    if !before.starts_with('\\') {
        let keywords = KEYWORDS
            .split_whitespace()
            .map(|k| if small { k.to_lowercase() } else { k.to_owned() });
        words.extend(keywords.filter(|k| k.to_lowercase().starts_with(&lower)));
    }
    words.sort();
    words.dedup();
    (start, words)
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<String> {
        let hint = self.history.hint(line, pos, context)?;
        // A hint of several lines would jump about under the cursor.
        let first = hint.lines().next().unwrap_or_default();
        (!first.is_empty()).then(|| first.to_owned())
    }
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }
}

/// Arrow up on an empty line of an unfinished statement: the loop then opens all of it for editing.
pub struct ReopenStatement {
    /// Whether a statement is unfinished.
    pub unfinished: Arc<AtomicBool>,
    /// Set when the key was pressed.
    pub reopen: Arc<AtomicBool>,
}

impl ConditionalEventHandler for ReopenStatement {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        if !context.line().is_empty() || !self.unfinished.load(Ordering::Relaxed) {
            return None;
        }
        self.reopen.store(true, Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(before: &str) -> (usize, Vec<String>) {
        candidates(before, &["lineitem".into(), "l_orderkey".into(), "Orders".into()])
    }

    #[test]
    fn words_complete_in_the_case_they_are_typed() {
        assert_eq!(of("sel"), (0, vec!["select".into()]));
        assert_eq!(of("SEL"), (0, vec!["SELECT".into()]));
        assert_eq!(of("select * from lin"), (14, vec!["lineitem".into()]));
        assert_eq!(of("select l_"), (7, vec!["l_orderkey".into()]));
        assert_eq!(of("select t.l_o"), (9, vec!["l_orderkey".into()]));
        assert_eq!(of("from ord"), (5, vec!["Orders".into(), "order".into()]));
        assert_eq!(of("größe, lin").1, ["lineitem"]);
        assert_eq!(of("select "), (7, vec![]));
    }

    #[test]
    fn commands_complete() {
        assert_eq!(of("\\ti"), (0, vec!["\\timing".into()]));
        assert_eq!(of("\\d lin"), (3, vec!["lineitem".into()]));
    }
}
