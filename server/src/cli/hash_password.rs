//! `warpflight hash-password`: reads a password, prints the argon2id string for the configuration.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::Args;

use crate::error::{Error, Result};
use crate::security::password;

/// What `warpflight hash-password` takes.
#[derive(Debug, Args)]
pub struct HashPasswordArgs {
    /// Read the password from standard input (one line) and do not ask twice
    #[arg(long)]
    stdin: bool,
}

/// Reads, hashes, prints.
pub fn run(args: &HashPasswordArgs) -> Result<()> {
    let read = |e: io::Error| Error::data(format!("cannot read the password: {e}"));
    let password = if args.stdin {
        first_line(&mut io::stdin().lock()).map_err(read)?
    } else if io::stdin().is_terminal() {
        let first = rpassword::prompt_password("password: ").map_err(read)?;
        let second = rpassword::prompt_password("the same again: ").map_err(read)?;
        if first != second {
            return Err(Error::sql("the two passwords differ"));
        }
        first
    } else {
        return Err(Error::sql(
            "standard input is not a terminal: pass --stdin to read the password from it",
        ));
    };
    let phc = password::hash(&password)?;
    writeln!(io::stdout(), "{phc}").map_err(|e| Error::data(format!("cannot print the hash: {e}")))
}

/// The first line, without its line end; only that much is read.
fn first_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_its_spaces_and_loses_its_end() {
        assert_eq!(first_line(&mut " a b \r\nrest\n".as_bytes()).unwrap(), " a b ");
        assert_eq!(first_line(&mut "no end".as_bytes()).unwrap(), "no end");
        assert_eq!(first_line(&mut "".as_bytes()).unwrap(), "");
    }
}
