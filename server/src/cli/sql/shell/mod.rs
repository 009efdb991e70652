//! The interactive shell. In: lines from a terminal. Out: statements to the server and commands to
//! itself, one after the other, until the end of input.

mod command;
mod describe;
mod editor;
mod session;

use std::io::{Write, stdout};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor, EventHandler, KeyCode, KeyEvent, Modifiers};
use tokio::runtime::Runtime;

use super::args::SqlArgs;
use super::failure::{Failure, FailureKind, Outcome};
use super::split::{Open, split};
use super::{complain, note};
use editor::{Assistant, Names, ReopenStatement};
use session::Session;

const PROMPT: &str = "warpflight> ";
const HISTORY_ENTRIES: usize = 5_000;

/// Runs the shell until `\q` or the end of input.
pub fn run(args: &SqlArgs, runtime: &Runtime) -> Outcome<()> {
    let names = Names::default();
    let mut session = Session::open(args, runtime, names.clone())?;
    let mut input = Input::open(args.history().as_deref(), names)?;
    welcome(&session.greeting())?;
    loop {
        match input.read() {
            Ok(Entry::Nothing) => {}
            Ok(Entry::End) => break,
            Ok(Entry::Command(line)) => match command::Command::parse(&line) {
                Ok(command::Command::Quit) => break,
                Ok(command) => report(session.command(&command))?,
                Err(failure) => complain(&failure.message),
            },
            Ok(Entry::Statements(text)) => {
                for statement in split(&text).0 {
                    let outcome = session.statement(statement.sql, None);
                    let failed = outcome.is_err();
                    report(outcome)?;
                    if failed {
                        break;
                    }
                }
            }
            Err(e) => return Err(Failure::query(format!("cannot read from the terminal: {e}"))),
        }
    }
    session.close()
}

/// Prints a failure and goes on, unless there is nobody to print to.
fn report(outcome: Outcome<()>) -> Outcome<()> {
    match outcome {
        Err(failure) if failure.kind == FailureKind::OutputClosed => Err(failure),
        Err(failure) if failure.kind == FailureKind::Interrupted => {
            note("cancelled");
            Ok(())
        }
        Err(failure) => {
            complain(&failure.message);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn welcome(greeting: &str) -> Outcome<()> {
    writeln!(
        stdout(),
        "{greeting}\n\\? lists the commands, \\q leaves; statements end with ;"
    )
    .map_err(|e| Failure::from_write("standard output", &e))
}

enum Entry {
    Nothing,
    Command(String),
    Statements(String),
    End,
}

/// Lines, gathered until a statement is complete.
struct Input {
    editor: Editor<Assistant, FileHistory>,
    pending: String,
    unfinished: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
    history: Option<std::path::PathBuf>,
}

impl Input {
    fn open(history: Option<&Path>, names: Names) -> Outcome<Self> {
        let failed = |e: ReadlineError| Failure::query(format!("cannot use the terminal: {e}"));
        let config = Config::builder()
            .max_history_size(HISTORY_ENTRIES)
            .map_err(failed)?
            .history_ignore_space(true)
            .completion_type(rustyline::CompletionType::List)
            .build();
        let mut editor = Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Assistant::new(names)));
        let (unfinished, reopen) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let up = ReopenStatement {
            unfinished: unfinished.clone(),
            reopen: reopen.clone(),
        };
        editor.bind_sequence(
            KeyEvent(KeyCode::Up, Modifiers::NONE),
            EventHandler::Conditional(Box::new(up)),
        );
        let mut input = Self {
            editor,
            pending: String::new(),
            unfinished,
            reopen,
            history: None,
        };
        if let Some(path) = history {
            input.load_history(path);
        }
        Ok(input)
    }

    /// A shell without a history is still a shell: say so and go on.
    fn load_history(&mut self, path: &Path) {
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let loaded = match made {
            Err(e) => Err(e.to_string()),
            Ok(()) if !path.exists() => Ok(()),
            Ok(()) => self.editor.load_history(path).map_err(|e| e.to_string()),
        };
        match loaded {
            Ok(()) => self.history = Some(path.to_owned()),
            Err(e) => note(&format!("no history: cannot use {}: {e}", path.display())),
        }
    }

    fn read(&mut self) -> rustyline::Result<Entry> {
        let (_, open) = split(&self.pending);
        self.unfinished.store(!self.pending.is_empty(), Ordering::Relaxed);
        let raw = prompt(if self.pending.is_empty() {
            Open::Nothing
        } else {
            open
        });
        let styled = format!("\x1b[1m{raw}\x1b[0m");
        let line = if self.reopen.swap(false, Ordering::Relaxed) {
            let text = std::mem::take(&mut self.pending);
            self.unfinished.store(false, Ordering::Relaxed);
            self.editor.readline_with_initial(PROMPT, (text.trim_end(), ""))
        } else {
            self.editor.readline(&(raw, styled))
        };
        match line {
            Ok(_) if self.reopen.load(Ordering::Relaxed) => Ok(Entry::Nothing),
            Ok(line) => Ok(self.take(&line)),
            Err(ReadlineError::Interrupted) => {
                self.pending.clear();
                Ok(Entry::Nothing)
            }
            Err(ReadlineError::Eof) => Ok(Entry::End),
            Err(e) => Err(e),
        }
    }

    fn take(&mut self, line: &str) -> Entry {
        let word = line.trim().trim_end_matches(';');
        if self.pending.is_empty() {
            if word.is_empty() {
                return Entry::Nothing;
            }
            if word.starts_with('\\') {
                self.remember(line.trim());
                return Entry::Command(line.trim().to_owned());
            }
            match word.to_ascii_lowercase().as_str() {
                "quit" | "exit" => return Entry::End,
                "help" => return Entry::Command("\\?".into()),
                _ => {}
            }
        }
        self.pending.push_str(line);
        self.pending.push('\n');
        let (statements, open) = split(&self.pending);
        if open != Open::Nothing {
            return Entry::Nothing;
        }
        let empty = statements.is_empty();
        let text = std::mem::take(&mut self.pending);
        self.remember(text.trim_end());
        if empty {
            Entry::Nothing
        } else {
            Entry::Statements(text)
        }
    }

    /// Into the history, and its file at once: a shell may be killed.
    fn remember(&mut self, entry: &str) {
        let added = self.editor.add_history_entry(entry);
        if let (Ok(true), Some(path)) = (added, &self.history)
            && let Err(e) = self.editor.append_history(path)
        {
            note(&format!(
                "the history is not kept: cannot write {}: {e}",
                path.display()
            ));
            self.history = None;
        }
    }
}

/// The prompt says what the text is still inside of.
fn prompt(open: Open) -> &'static str {
    match open {
        Open::Nothing => PROMPT,
        Open::Statement => "         -> ",
        Open::Parenthesis => "         (> ",
        Open::Text => "         '> ",
        Open::Name => "         \"> ",
        Open::Dollar => "         $> ",
        Open::Comment => "         *> ",
    }
}
