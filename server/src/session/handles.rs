//! What a session holds for its client under a handle: bounded, the oldest results dropped first.

use std::collections::HashMap;
use std::collections::VecDeque;

use arrow::array::RecordBatch;

use crate::error::{Error, Result};
use crate::random;
use crate::sql::Statement;

/// A statement that its client prepared, with the rows bound to its parameters last.
#[derive(Debug, Clone)]
pub struct PreparedStatement {
    /// The planned statement, its open parameters typed by what is bound.
    pub statement: Statement,
    /// The statement as it was prepared, once something is bound: the next values may be of other types.
    pub unbound: Option<Statement>,
    /// The rows bound to its parameters: each runs the statement once. Empty: nothing bound.
    pub bound: Vec<RecordBatch>,
}

/// What a ticket stands for.
#[derive(Debug)]
pub enum OpenResult {
    /// A statement that runs when its ticket is redeemed.
    Planned(Box<PreparedStatement>),
    /// A statement that ran when it was asked for: what it has to return.
    Done(RecordBatch),
}

/// Values of one kind by handle, at most so many.
#[derive(Debug)]
pub struct Handles<T> {
    what: &'static str,
    limit: usize,
    by_handle: HashMap<String, T>,
    oldest_first: VecDeque<String>,
}

impl<T: Clone> Handles<T> {
    /// None yet; `what` names them in errors.
    pub fn new(what: &'static str, limit: usize) -> Self {
        Self {
            what,
            limit,
            by_handle: HashMap::new(),
            oldest_first: VecDeque::new(),
        }
    }

    /// Keeps a value under a new handle.
    ///
    /// # Errors
    /// `Resources` if there are as many as may be.
    pub fn keep(&mut self, value: T) -> Result<String> {
        if self.by_handle.len() >= self.limit {
            return Err(Error::resources(format!(
                "{}: this session holds {}, the most that handles_max allows; close some",
                self.what, self.limit
            )));
        }
        let handle = random::token(16)?;
        self.by_handle.insert(handle.clone(), value);
        Ok(handle)
    }

    /// Keeps a value under a given handle, dropping the oldest such value if there are too many.
    pub fn keep_as(&mut self, handle: &str, value: T) {
        self.by_handle.insert(handle.to_owned(), value);
        self.oldest_first.push_back(handle.to_owned());
        while self.by_handle.len() > self.limit {
            match self.oldest_first.pop_front() {
                Some(oldest) => drop(self.by_handle.remove(&oldest)),
                None => break,
            }
        }
        // Forgotten handles leave their names behind; sweep once these outnumber the living.
        if self.oldest_first.len() > 2 * self.limit {
            self.oldest_first
                .retain(|handle| self.by_handle.contains_key(handle));
        }
    }

    /// The value of a handle.
    pub fn get(&self, handle: &str) -> Option<T> {
        self.by_handle.get(handle).cloned()
    }

    /// Puts another value under a handle that is held.
    pub fn replace(&mut self, handle: &str, value: T) {
        if let Some(held) = self.by_handle.get_mut(handle) {
            *held = value;
        }
    }

    /// Forgets a handle; whether it was held.
    pub fn forget(&mut self, handle: &str) -> bool {
        self.by_handle.remove(handle).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_drop_the_oldest_and_statements_are_refused() {
        let mut handles = Handles::new("things", 2);
        for (handle, value) in [("a", 1), ("b", 2), ("c", 3)] {
            handles.keep_as(handle, value);
        }
        assert_eq!(
            (handles.get("a"), handles.get("b"), handles.get("c")),
            (None, Some(2), Some(3))
        );
        let error = handles.keep(4).unwrap_err();
        assert!(error.message().contains("handles_max"), "{error}");
        assert!(handles.forget("b"));
        let handle = handles.keep(4).unwrap();
        assert_eq!(handles.get(&handle), Some(4));
    }

    #[test]
    fn forgotten_names_do_not_pile_up() {
        let mut handles = Handles::new("things", 4);
        for number in 0..1000 {
            let handle = number.to_string();
            handles.keep_as(&handle, number);
            handles.forget(&handle);
        }
        assert!(handles.oldest_first.len() <= 9, "{}", handles.oldest_first.len());
    }
}
