//! What the shell holds between lines: the connection and how results are shown. In: statements and
//! commands. Out: results on the terminal or in a file.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::super::args::{SqlArgs, terminal_width};
use super::super::client::Client;
use super::super::failure::{Failure, FailureKind, Outcome};
use super::super::interrupt::Interrupt;
use super::super::output::{Destination, Format, Layout, Sink, grouped, writer};
use super::super::run::{self, Done, Times};
use super::super::{note, split, with_excerpt};
use super::command::{self, Command};
use super::describe;
use super::editor::Names;

/// How long the names for completion may take to come.
const NAMES_TIMEOUT: Duration = Duration::from_secs(10);

/// The shell's connection and settings.
pub struct Session<'a> {
    runtime: &'a Runtime,
    client: Client,
    interrupt: Interrupt,
    layout: Layout,
    timing: bool,
    /// Where results go since `\o`, if not to the terminal.
    file: Option<(Sink, String)>,
    names: Names,
    greeting: String,
}

impl<'a> Session<'a> {
    /// Connects and asks the server for its name.
    pub fn open(args: &SqlArgs, runtime: &'a Runtime, names: Names) -> Outcome<Self> {
        let options = args.connect_options()?;
        let layout = args.layout(true)?;
        let file = match args.destination() {
            Destination::Stdout => None,
            Destination::File(path) => {
                let name = path.display().to_string();
                Some((Sink::open(&Destination::File(path))?, name))
            }
        };
        let (client, interrupt, greeting) = runtime.block_on(async {
            let mut interrupt = Interrupt::listen(false)?;
            tokio::select! {
                biased;
                () = interrupt.next() => Err(Failure::interrupted()),
                connected = connect(options) => connected,
            }
            .map(|(client, name)| (client, interrupt, name))
        })?;
        let session = Self {
            runtime,
            client,
            interrupt,
            layout,
            timing: true,
            file,
            names,
            greeting,
        };
        session.refresh_names();
        Ok(session)
    }

    /// The server's name and address.
    pub fn greeting(&self) -> String {
        let at = self.client.address();
        if self.greeting.is_empty() {
            format!("connected to {at}")
        } else {
            format!("{} at {at}", self.greeting)
        }
    }

    /// Fetches the names for completion without making anybody wait.
    fn refresh_names(&self) {
        let (mut client, names) = (self.client.clone(), self.names.clone());
        self.runtime.spawn(async move {
            // No completion of names is all that is lost if this fails.
            let Ok(Ok(relations)) = timeout(NAMES_TIMEOUT, client.relations(true)).await else {
                return;
            };
            let mut found: Vec<String> = relations
                .into_iter()
                .filter(|r| !describe::is_system(r))
                .flat_map(|r| r.columns.into_iter().map(|c| c.name).chain([r.name, r.schema]))
                .collect();
            found.sort();
            found.dedup();
            *names.lock().unwrap_or_else(PoisonError::into_inner) = found;
        });
    }

    /// Runs a statement and shows what it gives; `origin` is the file and line it is from.
    pub fn statement(&mut self, sql: &str, origin: Option<(&str, usize)>) -> Outcome<()> {
        let explain = |failure| with_excerpt(failure, sql, origin);
        match self.attempt(sql) {
            Err(failure) if failure.kind == FailureKind::Connection => {
                self.reconnect(&failure)?;
                if split::is_update(sql) {
                    return Err(Failure::query(
                        "the statement may or may not have run: look before repeating it",
                    ));
                }
                self.attempt(sql).map_err(explain)
            }
            other => other.map_err(explain),
        }
    }

    fn attempt(&mut self, sql: &str) -> Outcome<()> {
        let layout = self.layout();
        let arrow = layout.format == Format::Arrow && !split::is_update(sql);
        if arrow && self.file.is_none() {
            return Err(Failure::usage(
                "an Arrow file is no text for a terminal: name a file with \\o first",
            ));
        }
        let mut screen = Sink::open(&Destination::Stdout)?;
        let sink = self.file.as_mut().map_or(&mut screen, |(sink, _)| sink);
        self.interrupt.reset();
        let ran = run::statement(&mut self.client, sql, &layout, sink, &mut self.interrupt);
        let outcome = self.runtime.block_on(ran);
        screen.flush()?;
        if self.client.take_new_session() {
            note(
                "the server began a new session for us: options and temporary tables of the old one are gone",
            );
        }
        let (done, times) = outcome?;
        self.say(&done, times);
        if arrow {
            self.close_file()?;
        }
        if matches!(done, Done::Changed(_)) {
            self.refresh_names();
        }
        Ok(())
    }

    fn say(&self, done: &Done, times: Times) {
        match (done, &self.file) {
            (Done::Changed(what), _) => note(what),
            (Done::Rows(rows), Some((_, name))) => note(&format!("{} rows to {name}", grouped(*rows))),
            (Done::Rows(_), None) => {}
        }
        if self.timing {
            note(&times.to_string());
        }
    }

    fn reconnect(&mut self, lost: &Failure) -> Outcome<()> {
        note(&format!("{}; connecting again", lost.message));
        self.interrupt.reset();
        let Self {
            runtime,
            client,
            interrupt,
            ..
        } = self;
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = interrupt.next() => Err(Failure::interrupted()),
                connected = client.reconnect() => connected,
            }
        })?;
        note("connected again; options and temporary tables of the old session are gone");
        self.refresh_names();
        Ok(())
    }

    fn layout(&self) -> Layout {
        let mut layout = self.layout.clone();
        layout.table.width = if self.file.is_none() {
            terminal_width()
        } else {
            None
        };
        layout
    }

    /// Does what a backslash command asks for.
    pub fn command(&mut self, command: &Command) -> Outcome<()> {
        match command {
            Command::Timing(on) => {
                self.timing = on.unwrap_or(!self.timing);
                note(&format!("timing is {}", on_off(self.timing)));
            }
            Command::Expanded(on) => {
                let expanded = &mut self.layout.table.expanded;
                *expanded = on.unwrap_or(!*expanded);
                note(&format!("expanded display is {}", on_off(*expanded)));
            }
            Command::Format(format) => self.layout.format = *format,
            Command::Null(text) => self.layout.null = Some(text.clone()),
            Command::MaxRows(rows) => self.layout.table.max_rows = *rows,
            Command::Output(name) => {
                self.close_file()?;
                if let Some(name) = name {
                    self.file = Some((Sink::open(&Destination::File(name.into()))?, name.clone()));
                }
            }
            Command::Include(file) => return self.include(file),
            Command::Sql(sql) => return self.statement(sql, None),
            Command::Connection => note(&self.greeting()),
            Command::Help => return self.print(command::HELP),
            Command::Quit => {}
            _ => return self.list(command),
        }
        Ok(())
    }

    fn include(&mut self, file: &str) -> Outcome<()> {
        let text =
            std::fs::read_to_string(file).map_err(|e| Failure::usage(format!("cannot read {file}: {e}")))?;
        for statement in split::split(&text).0 {
            self.statement(statement.sql, Some((file, statement.line)))?;
        }
        Ok(())
    }

    /// Lists of tables and the like, always as a table.
    fn list(&mut self, command: &Command) -> Outcome<()> {
        let found = match self.runtime.block_on(describe::list(&mut self.client, command)) {
            Err(failure) if failure.kind == FailureKind::Connection => {
                self.reconnect(&failure)?;
                self.runtime.block_on(describe::list(&mut self.client, command))?
            }
            other => other?,
        };
        let Some(batch) = found else { return Ok(()) };
        let mut layout = self.layout();
        layout.format = Format::Table;
        layout.table.max_rows = 0;
        let mut screen = Sink::open(&Destination::Stdout)?;
        let sink = self.file.as_mut().map_or(&mut screen, |(sink, _)| sink);
        let (out, name) = sink.parts();
        let mut writer = writer(&layout, name, out);
        writer.write(&batch)?;
        writer.finish()?;
        drop(writer);
        screen.flush()
    }

    fn print(&self, text: &str) -> Outcome<()> {
        let mut screen = Sink::open(&Destination::Stdout)?;
        let (out, name) = screen.parts();
        out.write_all(text.as_bytes())
            .map_err(|e| Failure::from_write(name, &e))?;
        screen.flush()
    }

    fn close_file(&mut self) -> Outcome<()> {
        if let Some((sink, name)) = self.file.take() {
            sink.complete()?;
            note(&format!("wrote {name}"));
        }
        Ok(())
    }

    /// Ends the session.
    pub fn close(mut self) -> Outcome<()> {
        let closed = self.close_file();
        self.runtime.block_on(self.client.close());
        closed
    }
}

async fn connect(options: super::super::client::ConnectOptions) -> Outcome<(Client, String)> {
    let mut client = Client::connect(options).await?;
    match client.server_name().await {
        Ok(name) => Ok((client, name)),
        // A server that does not say its name may still answer queries.
        Err(failure) if matches!(failure.kind, FailureKind::Query | FailureKind::Limit) => {
            Ok((client, String::new()))
        }
        Err(failure) => Err(failure),
    }
}

fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
