//! The flags of `warpflight sql`. In: flags and environment. Out: where to connect, what to run, how to
//! write it.

use std::fs;
use std::io::{IsTerminal, Read, stdin, stdout};
use std::path::PathBuf;

use clap::Args;

use super::client::{ConnectOptions, Credentials, Target, Trust};
use super::failure::{Failure, Outcome};
use super::output::{Destination, Format, Layout, TableStyle};

/// Rows of a table shown on a terminal, and elsewhere.
const MAX_ROWS_TERMINAL: usize = 500;
const MAX_ROWS_ELSEWHERE: usize = 100_000;

/// What `--help` says.
pub const ABOUT: &str = "Run SQL on a Flight SQL server.\n\n\
        With a query, --file or a pipe on standard input, runs its statements one after the other and stops at \
        the first that fails. With none of them on a terminal, starts an interactive shell (\\? lists its \
        commands).";

/// What `warpflight sql` takes.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes:\n  \
        0    every statement succeeded (also when the reader of the output went away)\n  \
        1    a statement failed\n  \
        2    wrong arguments\n  \
        3    no connection, or it broke\n  \
        4    not authenticated, or not allowed\n  \
        130  interrupted by Ctrl-C (the server is told to cancel the query)")]
pub struct SqlArgs {
    /// SQL to run; several statements are separated by semicolons
    #[arg(value_name = "QUERY", conflicts_with = "file")]
    query: Option<String>,

    /// Run the statements of a file; - is standard input
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,

    /// The server: grpc://HOST:PORT, or grpc+tls://HOST:PORT for TLS
    #[arg(
        long,
        value_name = "URL",
        env = "WARPFLIGHT_URL",
        default_value = "grpc://127.0.0.1:32010"
    )]
    url: String,

    /// User name; the password is asked for if it is not given
    #[arg(long, short, value_name = "NAME", env = "WARPFLIGHT_USER")]
    user: Option<String>,

    /// Password (better in the environment than on the command line, where others can see it)
    #[arg(
        long,
        value_name = "TEXT",
        env = "WARPFLIGHT_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,

    /// Bearer token in place of user and password
    #[arg(long, value_name = "TEXT", env = "WARPFLIGHT_TOKEN", hide_env_values = true)]
    token: Option<String>,

    /// Certificate (PEM) that signed the server's, in place of the system's certificates
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Do not check the server's certificate: anyone in between can read and change everything
    #[arg(long, conflicts_with = "ca_file")]
    insecure_skip_verify: bool,

    /// How to write results [default: table on a terminal, else csv]
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Write results to a file, which appears when all of them are complete
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Rows a table shows, 0 for all; the others are counted [default: 500 on a terminal, else 100000]
    #[arg(long, value_name = "N")]
    max_rows: Option<usize>,

    /// What stands for NULL in tables and CSV [default: NULL in tables, nothing in CSV]
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,

    /// Print how long each statement took, to standard error
    #[arg(long)]
    timing: bool,

    /// Where the shell keeps its history [default: warpflight/history in the XDG state folder]
    #[arg(long, value_name = "FILE", env = "WARPFLIGHT_HISTORY")]
    history: Option<PathBuf>,

    #[arg(long, env = "XDG_STATE_HOME", hide = true)]
    state_home: Option<PathBuf>,
}

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// An interactive shell.
    Shell,
    /// A text with statements; its name, if it is a file.
    Script { text: String, name: Option<String> },
}

impl SqlArgs {
    /// The statements, or the shell.
    pub fn input(&self) -> Outcome<Input> {
        let script = |text: String, name: Option<String>| Ok(Input::Script { text, name });
        if let Some(query) = &self.query {
            return script(query.clone(), None);
        }
        let name = match &self.file {
            None if stdin().is_terminal() => return Ok(Input::Shell),
            Some(path) if path.as_os_str() != "-" => path.display().to_string(),
            _ => {
                let mut text = String::new();
                stdin()
                    .read_to_string(&mut text)
                    .map_err(|e| Failure::usage(format!("cannot read standard input: {e}")))?;
                return script(text, Some("standard input".into()));
            }
        };
        let text =
            fs::read_to_string(&name).map_err(|e| Failure::usage(format!("cannot read {name}: {e}")))?;
        script(text, Some(name))
    }

    /// Where to connect and as whom. Asks for a missing password on a terminal.
    pub fn connect_options(&self) -> Outcome<ConnectOptions> {
        let target = Target::parse(&self.url)?;
        if !target.tls && (self.ca_file.is_some() || self.insecure_skip_verify) {
            return Err(Failure::usage(format!(
                "--ca-file and --insecure-skip-verify are for TLS, but the URL is {}; with TLS it begins with \
                 grpc+tls://",
                target.display
            )));
        }
        let read = |path: &PathBuf| {
            fs::read(path)
                .map_err(|e| Failure::usage(format!("cannot read --ca-file {}: {e}", path.display())))
        };
        let ca_pem = self.ca_file.as_ref().map(read).transpose()?;
        let credentials = self.credentials(&target)?;
        Ok(ConnectOptions {
            target,
            trust: Trust {
                ca_pem,
                skip_verify: self.insecure_skip_verify,
            },
            credentials,
        })
    }

    fn credentials(&self, target: &Target) -> Outcome<Credentials> {
        let in_url = target.user_info.clone();
        let user = self.user.clone().or(in_url.clone().map(|(user, _)| user));
        match (&self.token, user) {
            (Some(_), Some(_)) => Err(Failure::usage(
                "found both a token and a user, expected one of them",
            )),
            (Some(token), None) => Ok(Credentials::Token(token.clone())),
            (None, None) if self.password.is_some() => Err(Failure::usage(
                "found a password without a user: pass --user or set WARPFLIGHT_USER",
            )),
            (None, None) => Ok(Credentials::None),
            (None, Some(user)) => {
                let given = self
                    .password
                    .clone()
                    .or(in_url.and_then(|(_, password)| password));
                let password = match given {
                    Some(password) => password,
                    None if stdin().is_terminal() => {
                        rpassword::prompt_password(format!("password for {user}: "))
                            .map_err(|e| Failure::usage(format!("cannot read the password: {e}")))?
                    }
                    None => {
                        return Err(Failure::usage(format!(
                            "no password for {user}, and no terminal to ask on: set WARPFLIGHT_PASSWORD"
                        )));
                    }
                };
                Ok(Credentials::Password { user, password })
            }
        }
    }

    /// How to write results.
    pub fn layout(&self, shell: bool) -> Outcome<Layout> {
        let terminal = stdout().is_terminal() && self.output.is_none();
        let format = self.format.unwrap_or(if terminal || shell {
            Format::Table
        } else {
            Format::Csv
        });
        if format == Format::Arrow && terminal {
            return Err(Failure::usage(
                "an Arrow file is no text for a terminal: pass --output PATH",
            ));
        }
        let max_rows = if terminal {
            MAX_ROWS_TERMINAL
        } else {
            MAX_ROWS_ELSEWHERE
        };
        Ok(Layout {
            format,
            null: self.null.clone(),
            table: TableStyle {
                max_rows: self.max_rows.unwrap_or(max_rows),
                expanded: false,
                width: terminal.then(terminal_width).flatten(),
            },
        })
    }

    /// Where to write results.
    pub fn destination(&self) -> Destination {
        self.output.clone().map_or(Destination::Stdout, Destination::File)
    }

    /// Whether to print times.
    pub fn timing(&self) -> bool {
        self.timing
    }

    /// The shell's history file, if there is a place for one.
    pub fn history(&self) -> Option<PathBuf> {
        let state = || {
            let home = self.state_home.clone().filter(|path| path.is_absolute());
            home.or_else(|| Some(std::env::home_dir()?.join(".local/state")))
        };
        self.history
            .clone()
            .or_else(|| Some(state()?.join("warpflight/history")))
    }
}

/// The cells of a line of the terminal that standard output is, if it is one.
pub fn terminal_width() -> Option<usize> {
    console::Term::stdout()
        .size_checked()
        .map(|(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: SqlArgs,
    }

    fn args(words: &[&str]) -> SqlArgs {
        Alone::try_parse_from([&["sql"], words].concat()).unwrap().args
    }

    fn usage_error(words: &[&str]) -> String {
        let args = args(words);
        let failure = args
            .connect_options()
            .err()
            .or_else(|| args.input().err())
            .unwrap();
        assert_eq!(failure.exit_code(), 2);
        failure.message
    }

    #[test]
    fn queries_and_files() {
        let script = args(&["select 1"]).input().unwrap();
        assert_eq!(
            script,
            Input::Script {
                text: "select 1".into(),
                name: None
            }
        );
        let message = usage_error(&["--file", "/no/such.sql"]);
        assert!(message.contains("/no/such.sql"), "{message}");
        assert!(Alone::try_parse_from(["sql", "select 1", "--file", "x"]).is_err());
        assert!(Alone::try_parse_from(["sql", "--format", "xml"]).is_err());
    }

    #[test]
    fn credentials() {
        let of = |words: &[&str]| args(words).connect_options().unwrap().credentials;
        assert!(matches!(of(&[]), Credentials::None));
        assert!(matches!(of(&["--token", "t"]), Credentials::Token(t) if t == "t"));
        let both =
            |c, u, p| matches!(c, Credentials::Password { user, password } if user == u && password == p);
        assert!(both(of(&["--user", "u", "--password", "p"]), "u", "p"));
        assert!(both(of(&["--url", "grpc://u:p@h"]), "u", "p"));
        assert!(both(
            of(&["--url", "grpc://u:p@h", "--user", "v", "--password", "q"]),
            "v",
            "q"
        ));
        assert!(usage_error(&["--token", "t", "--user", "u"]).contains("both"));
        assert!(usage_error(&["--password", "p"]).contains("without a user"));
        assert!(usage_error(&["--ca-file", "x"]).contains("grpc+tls://"));
        assert!(usage_error(&["--url", "grpc+tls://h", "--ca-file", "/no/ca.pem"]).contains("/no/ca.pem"));
    }

    #[test]
    fn history_follows_xdg() {
        let of = |words: &[&str]| args(words).history().unwrap();
        assert_eq!(
            of(&["--state-home", "/s"]),
            PathBuf::from("/s/warpflight/history")
        );
        assert!(of(&["--state-home", "relative"]).ends_with(".local/state/warpflight/history"));
        assert_eq!(
            of(&["--state-home", "/s", "--history", "/h"]),
            PathBuf::from("/h")
        );
    }
}
