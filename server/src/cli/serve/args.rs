//! The arguments of `serve`: its own, and one flag for each option of the configuration.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::config::option::{Definition, Scope};

/// What `serve` was asked for.
#[derive(Debug, Clone, Default)]
pub struct ServeArgs {
    /// The configuration file.
    pub config: Option<PathBuf>,
    /// Make and serve the sample.
    pub demo: bool,
    /// Options by name, as texts.
    pub options: Vec<(String, String)>,
}

impl Args for ServeArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .env("WARPFLIGHT_CONFIG")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Read options, tables, users and stores from this file; see config/default.toml");
        let demo = Arg::new("demo").long("demo").action(ArgAction::SetTrue).help(
            "Write a TPC-H sample (scale 0.1) to warpflight-demo/ if it is not there yet, and serve it",
        );
        let command = command.arg(config).arg(demo);
        crate::config::definitions()
            .into_iter()
            .fold(command, |command, definition| command.arg(flag(&definition)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(definition: &Definition) -> Arg {
    let doc: Vec<&str> = definition.doc.lines().map(str::trim).collect();
    let default = match definition.default.as_str() {
        "" => String::new(),
        default => format!(", default {default}"),
    };
    let session = match definition.scope {
        Scope::Session => ", session",
        Scope::Server => "",
    };
    let is_list = definition.takes.starts_with("a list");
    Arg::new(definition.name)
        .long(definition.flag())
        .value_name(if is_list { "TEXT,..." } else { "VALUE" })
        .action(ArgAction::Append)
        .help_heading(format!("Options of [{}]", definition.section))
        .help(format!(
            "{} [{}{default}{session}]",
            doc.join(" "),
            definition.variable()
        ))
}

impl FromArgMatches for ServeArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>("config").cloned();
        self.demo = matches.get_flag("demo");
        for definition in crate::config::definitions() {
            let Some(values) = matches.get_many::<String>(definition.name) else {
                continue;
            };
            let values: Vec<&str> = values.map(String::as_str).collect();
            // A list may be given piece by piece; of anything else, the last one counts.
            let text = match definition.takes.starts_with("a list") {
                true => values.join(","),
                false => values.last().copied().unwrap_or_default().to_owned(),
            };
            self.options.push((definition.name.to_owned(), text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> ServeArgs {
        let command = ServeArgs::augment_args(Command::new("serve"));
        ServeArgs::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
    }

    #[test]
    fn every_option_is_a_flag() {
        for definition in crate::config::definitions() {
            let flag = format!("--{}", definition.flag());
            let args = parse(&["serve", &flag, &definition.default]);
            assert_eq!(args.options, [(definition.name.to_owned(), definition.default)]);
        }
    }

    #[test]
    fn lists_add_up_and_the_last_value_counts() {
        let args = parse(&[
            "serve", "--data", "a", "--data", "b,c", "--log", "info", "--log", "warn", "--demo",
        ]);
        assert_eq!(
            args.options,
            [("log".into(), "warn".into()), ("data".into(), "a,b,c".into())]
        );
        assert!(args.demo);
    }
}
