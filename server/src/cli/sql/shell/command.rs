//! The shell's own commands. In: a line that begins with a backslash. Out: what it asks for, or what is
//! wrong with it.

use clap::ValueEnum;

use super::super::failure::{Failure, Outcome};
use super::super::output::Format;

/// A backslash command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `\d`, `\dt`, `\dv`: tables, views.
    Relations(Kinds),
    /// `\d NAME`: the columns of one.
    Describe(String),
    /// `\dn`
    Schemas,
    /// `\l`
    Catalogs,
    /// `\timing [on|off]`; nothing said turns it over.
    Timing(Option<bool>),
    /// `\x [on|off]`
    Expanded(Option<bool>),
    /// `\o [FILE]`
    Output(Option<String>),
    /// `\format FORMAT`
    Format(Format),
    /// `\null TEXT`
    Null(String),
    /// `\maxrows N`
    MaxRows(usize),
    /// `\i FILE`
    Include(String),
    /// `\set NAME VALUE` and `\show [NAME]`, as the statement that they stand for.
    Sql(String),
    /// `\conninfo`
    Connection,
    /// `\?`
    Help,
    /// `\q`
    Quit,
}

/// Which relations to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinds {
    /// Both.
    All,
    /// Not views.
    Tables,
    /// Only views.
    Views,
}

/// What `\?` prints.
pub const HELP: &str = "\
statements end with ; and may span lines
  \\d              tables and views          \\d NAME        columns of a table
  \\dt  \\dv        tables; views             \\dn  \\l        schemas; catalogs
  \\i FILE         run the statements of a file
  \\o [FILE]       write results to FILE until \\o alone
  \\format F       table, csv, json or arrow (arrow needs \\o)
  \\x [on|off]     a column a line           \\timing [on|off]
  \\maxrows N      rows a table shows        \\null TEXT     what stands for NULL
  \\set NAME VALUE an option of the session  \\show [NAME]   its value, or all
  \\conninfo       where we are connected    \\q             leave (also Ctrl-D)
keys: Tab completes, arrow right takes the hint, Ctrl-R searches the history,
  Ctrl-C cancels the query or the line, arrow up on a new line of an unfinished
  statement opens the whole of it for editing
";

/// The commands' names, for completion.
pub const NAMES: [&str; 17] = [
    "\\?",
    "\\conninfo",
    "\\d",
    "\\dn",
    "\\dt",
    "\\dv",
    "\\format",
    "\\i",
    "\\l",
    "\\maxrows",
    "\\null",
    "\\o",
    "\\q",
    "\\set",
    "\\show",
    "\\timing",
    "\\x",
];

impl Command {
    /// Reads a line; a semicolon at its end does no harm.
    pub fn parse(line: &str) -> Outcome<Self> {
        let line = line.trim().trim_end_matches(';').trim_end();
        let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let argument = argument.trim();
        let needed = |what: &str| match argument {
            "" => Err(Failure::usage(format!("{name} needs {what}"))),
            found => Ok(unquote(found)),
        };
        let command = match name {
            "\\d" if argument.is_empty() => Self::Relations(Kinds::All),
            "\\d" => return Ok(Self::Describe(argument.to_owned())),
            "\\timing" => return switch(name, argument).map(Self::Timing),
            "\\x" => return switch(name, argument).map(Self::Expanded),
            "\\o" => return Ok(Self::Output((!argument.is_empty()).then(|| unquote(argument)))),
            "\\format" => {
                let found = needed("one of table, csv, json, arrow")?;
                return Format::from_str(&found, true).map(Self::Format).map_err(|_| {
                    Failure::usage(format!(
                        "found format {found:?}, expected table, csv, json or arrow"
                    ))
                });
            }
            "\\null" => return Ok(Self::Null(unquote(argument))),
            "\\maxrows" => {
                let found = needed("a number")?;
                let wrong =
                    |_| Failure::usage(format!("found {found:?}, expected a number of rows, 0 for all"));
                return found.parse().map(Self::MaxRows).map_err(wrong);
            }
            "\\i" => return needed("a file").map(Self::Include),
            "\\set" if !argument.is_empty() => return set(argument).map(Self::Sql),
            "\\show" if !argument.is_empty() => return Ok(Self::Sql(format!("SHOW {argument}"))),
            "\\set" | "\\show" => Self::Sql("SHOW ALL".to_owned()),
            "\\dt" => Self::Relations(Kinds::Tables),
            "\\dv" => Self::Relations(Kinds::Views),
            "\\dn" => Self::Schemas,
            "\\l" => Self::Catalogs,
            "\\conninfo" => Self::Connection,
            "\\?" | "\\h" | "\\help" => Self::Help,
            "\\q" | "\\quit" | "\\exit" => Self::Quit,
            other => {
                return Err(Failure::usage(format!(
                    "found {other}, expected a command that \\? lists"
                )));
            }
        };
        if !argument.is_empty() && command != Self::Help {
            return Err(Failure::usage(format!(
                "{name} takes nothing, found {argument:?}"
            )));
        }
        Ok(command)
    }
}

fn switch(name: &str, argument: &str) -> Outcome<Option<bool>> {
    match argument {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        other => Err(Failure::usage(format!(
            "found {name} {other}, expected on, off or nothing"
        ))),
    }
}

/// `NAME VALUE`, `NAME=VALUE` or `NAME = VALUE` as a `SET` statement; words become text literals.
fn set(argument: &str) -> Outcome<String> {
    let split = argument.find(|c: char| c == '=' || c.is_whitespace());
    let (name, value) = split.map_or((argument, ""), |at| argument.split_at(at));
    let value = value
        .trim_start_matches(|c: char| c == '=' || c.is_whitespace())
        .trim_end();
    if value.is_empty() {
        return Err(Failure::usage(format!("\\set {name} needs a value")));
    }
    let literal = value.parse::<f64>().is_ok_and(f64::is_finite)
        || value.eq_ignore_ascii_case("true")
        || value.eq_ignore_ascii_case("false")
        || (value.len() > 1 && value.starts_with('\'') && value.ends_with('\''));
    if literal {
        return Ok(format!("SET {name} = {value}"));
    }
    Ok(format!("SET {name} = '{}'", value.replace('\'', "''")))
}

fn unquote(text: &str) -> String {
    let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.map_or_else(|| text.to_owned(), |inner| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_their_arguments() {
        for (line, command) in [
            ("\\d", Command::Relations(Kinds::All)),
            (" \\d  a.b ; ", Command::Describe("a.b".into())),
            ("\\dt;", Command::Relations(Kinds::Tables)),
            ("\\timing", Command::Timing(None)),
            ("\\x on", Command::Expanded(Some(true))),
            ("\\o", Command::Output(None)),
            ("\\o 'a b.csv'", Command::Output(Some("a b.csv".into()))),
            ("\\format JSON", Command::Format(Format::Json)),
            ("\\null", Command::Null(String::new())),
            ("\\maxrows 0", Command::MaxRows(0)),
            ("\\set device cpu", Command::Sql("SET device = 'cpu'".into())),
            ("\\set a.b=10", Command::Sql("SET a.b = 10".into())),
            ("\\set v = true", Command::Sql("SET v = true".into())),
            ("\\set v it's", Command::Sql("SET v = 'it''s'".into())),
            ("\\set v 'x y'", Command::Sql("SET v = 'x y'".into())),
            ("\\show", Command::Sql("SHOW ALL".into())),
            ("\\show device", Command::Sql("SHOW device".into())),
            ("\\q", Command::Quit),
        ] {
            assert_eq!(Command::parse(line).unwrap(), command, "{line}");
        }
    }

    #[test]
    fn wrong_commands_say_what_is_wrong() {
        for (line, says) in [
            ("\\nope", "\\nope"),
            ("\\format xml", "\"xml\""),
            ("\\format", "needs one of"),
            ("\\x maybe", "maybe"),
            ("\\i", "needs a file"),
            ("\\maxrows many", "\"many\""),
            ("\\set device", "needs a value"),
            ("\\dt extra", "takes nothing"),
        ] {
            let failure = Command::parse(line).unwrap_err();
            assert!(failure.message.contains(says), "{line}: {failure}");
        }
    }

    #[test]
    fn every_named_command_is_known() {
        for name in NAMES {
            let message = Command::parse(name).err().map(|f| f.message).unwrap_or_default();
            assert!(!message.contains("expected a command"), "{name}");
            assert!(name == "\\?" || HELP.contains(name), "{name} is not in the help");
        }
    }
}
