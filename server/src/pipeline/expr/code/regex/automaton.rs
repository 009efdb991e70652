//! Regular expressions as tables. In: a pattern in the syntax of the crate `regex`, which DataFusion uses. Out: the
//! bytes that the prelude's `WfAutomaton` describes. The states are those of the crate's own lazy automaton, all of
//! them found ahead of time, so that what matches here is what matches there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::hybrid::{LazyStateID, StartError};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

/// Bytes that a table may take.
const TABLE_BYTES_MAX: usize = 1 << 20;
/// Bytes that the lazy automaton may take while its states are found, which are larger than a row of a table.
const CACHE_BYTES_MAX: usize = 32 << 20;
/// Where the crate `regex` stops, too.
const NFA_BYTES_MAX: usize = 10 << 20;
/// Patterns whose tables are kept.
const KEPT_MAX: usize = 64;
/// Bytes before a table: the number of classes and of the first match, a class a byte, a start a byte before and one
/// for none, padded.
const HEADER_BYTES: usize = 8 + 256 + 2 * STARTS;
const STARTS: usize = 260;
/// States that every table begins with.
const DEAD: usize = 0;
const QUIT: usize = 1;
/// Whoever asks for no more than whether there is a match stays here.
const MATCHED: usize = 2;

/// What a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Whether there is a match: once there is one, the state stays.
    Test,
    /// Where the first match ends.
    End,
    /// Where a match starts, from its end backwards.
    Start,
}

/// A pattern's table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Automaton {
    /// As the prelude reads it.
    pub(super) bytes: Vec<u8>,
    /// Whether some texts are beyond it: those with other than ASCII, where it asks for the bounds of words.
    pub(super) gives_up: bool,
}

/// A pattern's table, or the reason in words why there is none.
type Made = Result<Arc<Automaton>, String>;

/// The table of a pattern, made or found among those that were made last.
///
/// # Errors
/// The reason in words why there is none.
pub(super) fn automaton(pattern: &str, purpose: Purpose) -> Made {
    static KEPT: Mutex<Vec<(String, Purpose, Made)>> = Mutex::new(Vec::new());
    let lock = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let known = lock()
        .iter()
        .find_map(|(text, of, made)| (text == pattern && *of == purpose).then(|| made.clone()));
    if let Some(known) = known {
        return known;
    }
    let made = made(pattern, purpose).map(Arc::new);
    let mut kept = lock();
    if kept.len() >= KEPT_MAX {
        drop(kept.remove(0));
    }
    kept.push((pattern.to_owned(), purpose, made.clone()));
    made
}

fn made(pattern: &str, purpose: Purpose) -> Result<Automaton, String> {
    let config = DFA::config()
        .match_kind(match purpose {
            Purpose::Start => MatchKind::All,
            _ => MatchKind::LeftmostFirst,
        })
        .unicode_word_boundary(true)
        .cache_capacity(CACHE_BYTES_MAX)
        // An error instead of beginning anew with other numbers.
        .minimum_cache_clear_count(Some(0));
    let nfa = thompson::Config::new()
        .reverse(purpose == Purpose::Start)
        .nfa_size_limit(Some(NFA_BYTES_MAX));
    let dfa = DFA::builder()
        .configure(config)
        .thompson(nfa)
        .build(pattern)
        .map_err(|error| format!("regular expression {pattern} is not run on the GPU: {error}"))?;
    // An empty match at the bound of a word may lie inside of a character, where it is none.
    let looks = dfa.get_nfa().look_set_any();
    if dfa.get_nfa().has_empty() && looks.contains_word() {
        return Err(format!(
            "regular expression {pattern} is not run on the GPU: it matches nothing at bounds of words"
        ));
    }
    let bytes = States::find(&dfa, purpose).and_then(|states| states.bytes());
    let bytes = bytes.ok_or_else(|| {
        format!(
            "regular expression {pattern} is not run on the GPU: its table takes over {TABLE_BYTES_MAX} bytes"
        )
    })?;
    Ok(Automaton {
        bytes,
        gives_up: looks.contains_word_unicode(),
    })
}

/// The states that a text can lead to, numbered as they are found: first those that every table has.
struct States<'a> {
    dfa: &'a DFA,
    cache: Cache,
    purpose: Purpose,
    /// A byte of each class.
    classes: Vec<u8>,
    numbers: HashMap<LazyStateID, usize>,
    /// Of each state, what it is, where each class and where the end of the text lead.
    rows: Vec<(LazyStateID, Vec<usize>)>,
    /// Where a text starts, by the byte before it; at last where there is none.
    starts: Vec<usize>,
}

impl<'a> States<'a> {
    /// `None` if their table is too large.
    fn find(dfa: &'a DFA, purpose: Purpose) -> Option<Self> {
        let classes = dfa.byte_classes().representatives(..);
        let mut states = Self {
            dfa,
            cache: dfa.create_cache(),
            purpose,
            classes: classes.filter_map(|unit| unit.as_u8()).collect(),
            numbers: HashMap::new(),
            rows: Vec::new(),
            starts: Vec::new(),
        };
        // They lead to themselves.
        let width = states.classes.len() + 1;
        for number in 0..=MATCHED {
            states.rows.push((LazyStateID::default(), vec![number; width]));
        }
        let anchored = match purpose {
            Purpose::Start => Anchored::Yes,
            _ => Anchored::No,
        };
        for before in (0..=u8::MAX).map(Some).chain([None]) {
            let config = start::Config::new().look_behind(before).anchored(anchored);
            let number = match dfa.start_state(&mut states.cache, &config) {
                Ok(state) => states.number(state),
                Err(StartError::Quit { .. }) => QUIT,
                Err(_) => return None,
            };
            states.starts.push(number);
        }
        let mut next = MATCHED + 1;
        while next < states.rows.len() {
            if states.rows.len() * width * 2 > TABLE_BYTES_MAX {
                return None;
            }
            let row = states.row(states.rows[next].0)?;
            states.rows[next].1 = row;
            next += 1;
        }
        Some(states)
    }

    fn number(&mut self, state: LazyStateID) -> usize {
        if state.is_dead() {
            DEAD
        } else if state.is_quit() {
            QUIT
        } else if state.is_match() && self.purpose == Purpose::Test {
            MATCHED
        } else {
            *self.numbers.entry(state).or_insert_with(|| {
                self.rows.push((state, Vec::new()));
                self.rows.len() - 1
            })
        }
    }

    fn row(&mut self, state: LazyStateID) -> Option<Vec<usize>> {
        let mut row = Vec::with_capacity(self.classes.len() + 1);
        for class in 0..self.classes.len() {
            let byte = self.classes[class];
            let next = self.dfa.next_state(&mut self.cache, state, byte).ok()?;
            row.push(self.number(next));
        }
        let next = self.dfa.next_eoi_state(&mut self.cache, state).ok()?;
        row.push(self.number(next));
        Some(row)
    }

    /// The table, in which the states that have matched come last.
    fn bytes(&self) -> Option<Vec<u8>> {
        let has_matched = |number: &usize| *number == MATCHED || self.rows[*number].0.is_match();
        let (matched, others): (Vec<usize>, Vec<usize>) = (0..self.rows.len()).partition(has_matched);
        let mut places = vec![0; self.rows.len()];
        for (place, &number) in others.iter().chain(&matched).enumerate() {
            places[number] = u16::try_from(place).ok()?;
        }
        let place = |number: &usize| places[*number].to_le_bytes();
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&(self.classes.len() as u32 + 1).to_le_bytes());
        bytes.extend_from_slice(&(others.len() as u32).to_le_bytes());
        bytes.extend((0..=u8::MAX).map(|byte| self.dfa.byte_classes().get(byte)));
        bytes.extend(self.starts.iter().flat_map(place));
        bytes.resize(HEADER_BYTES, 0);
        for number in others.iter().chain(&matched) {
            bytes.extend(self.rows[*number].1.iter().flat_map(place));
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the prelude's functions do, over a table.
    fn end_of(table: &[u8], text: &str) -> Option<usize> {
        let word = |at: usize| usize::from(u16::from_le_bytes([table[at], table[at + 1]]));
        let (width, matched) = (word(0), word(4));
        let mut state = word(8 + 256 + 2 * 256);
        let mut found = None;
        let classes = text.bytes().map(|byte| usize::from(table[8 + usize::from(byte)]));
        for (at, class) in classes.chain([width - 1]).enumerate() {
            state = word(HEADER_BYTES + 2 * (state * width + class));
            if state >= matched {
                found = Some(at);
            }
            if state == 0 {
                break;
            }
        }
        found
    }

    #[test]
    fn a_table_finds_the_ends_that_the_crate_finds() {
        let patterns = [
            "a",
            "a|ab",
            "ab|a",
            "a*",
            "a*?",
            "a+?b",
            "^a",
            "a$",
            "(?m)^b$",
            "[^a]",
            r"\d+",
            r"\w{2,3}",
            "(?i)straSSe|é",
            ".",
            "",
            "x|",
            r"(a|b)*c",
            r"(?-u:\bab\b)",
            "日.語?",
        ];
        let texts = [
            "",
            "a",
            "ab",
            "aab",
            "b",
            "ba",
            "a\nb\na",
            "12 345",
            "STRASSE É",
            "日本語",
            "abc",
            "cab ab ",
            "xx",
        ];
        for pattern in patterns {
            let ends = DFA::new(pattern).unwrap();
            let table = automaton(pattern, Purpose::End).unwrap();
            for text in texts {
                let mut cache = ends.create_cache();
                let expected = ends.try_search_fwd(&mut cache, &text.into()).unwrap();
                let expected = expected.map(|found| found.offset());
                assert_eq!(end_of(&table.bytes, text), expected, "{pattern} in {text}");
            }
        }
    }

    #[test]
    fn what_has_no_table_says_why() {
        let reason = |pattern| automaton(pattern, Purpose::Test).map(drop).unwrap_err();
        assert!(reason(r"\w{1,200}x\w{200}").contains("bytes"));
        assert!(
            reason("(").contains("regular expression ( is not"),
            "{}",
            reason("(")
        );
        assert!(reason(r"\b").contains("bounds of words"));
        assert!(automaton(r"\bé", Purpose::Test).unwrap().gives_up);
        assert!(!automaton(r"(?-u:\b)e", Purpose::Test).unwrap().gives_up);
    }

    #[test]
    fn a_pattern_is_compiled_once() {
        let table = automaton("a[bc]+d", Purpose::Start).unwrap();
        assert!(Arc::ptr_eq(
            &table,
            &automaton("a[bc]+d", Purpose::Start).unwrap()
        ));
        assert!(table != automaton("a[bc]+d", Purpose::End).unwrap());
    }
}
