//! What the compiler cannot check: who may import whom, and where some things may stand at all.
//!
//! The rules are those of the house style. The sizes of files are printed, as information.

#![allow(clippy::print_stdout, reason = "sizes are this test's report")]

use std::fs;
use std::path::{Path, PathBuf};

/// A module of the server may name these modules of the server, and no others.
///
/// `cli` and `core` put everything together and may name all; what knows DataFusion may translate its errors.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    (
        "flight",
        &[
            "core", "query", "sql", "session", "security", "catalog", "config", "error", "socket", "random",
            "observe",
        ],
    ),
    (
        "query",
        &[
            "session", "sql", "catalog", "config", "error", "random", "offload", "pipeline", "exec", "batch",
            "observe",
        ],
    ),
    (
        "session",
        &["sql", "catalog", "security", "config", "error", "random", "exec"],
    ),
    (
        "sql",
        &["session", "catalog", "config", "error", "security", "observe"],
    ),
    ("catalog", &["config", "error", "security", "random"]),
    ("security", &["config", "error", "random", "session"]),
    ("observe", &["config", "error", "socket"]),
    ("socket", &["error", "config"]),
    ("tpch", &["error"]),
    ("random", &["error"]),
    ("config", &["error"]),
    ("error", &["error_datafusion"]),
    ("error_datafusion", &["error"]),
    ("error_device", &["error"]),
    (
        "exec",
        &["operator", "scan", "batch", "pipeline", "config", "error"],
    ),
    (
        "operator",
        &["pipeline", "scan", "batch", "error", "error_device"],
    ),
    ("scan", &["batch", "catalog", "error", "error_device"]),
    ("batch", &["error", "error_device"]),
    // Of a scan and of columns: what is read, and how values are held.
    ("offload", &["pipeline", "scan", "batch"]),
    ("pipeline", &["scan", "batch"]),
];

/// What stands only in these files and folders of the server.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("tonic::", &["flight", "cli/sql", "cli/serve"]),
    ("prost::", &["flight", "cli/sql"]),
    ("arrow_flight::", &["flight", "cli/sql"]),
    ("env::var", &["config"]),
    ("env::vars", &["config"]),
    ("clap::", &["cli", "main.rs"]),
    ("unsafe {", &[]),
    ("unsafe fn", &[]),
    ("unsafe impl", &[]),
];

/// What stands in no file of `kernels`.
const NOT_IN_KERNELS: &[&str] = &["arrow::", "datafusion::", "tokio::", "warpflight::", "env::var"];

/// A file longer than this is looked at again.
const LINES_TO_LOOK_AT: usize = 300;

struct Source {
    /// Below the crate's `src`.
    path: PathBuf,
    text: String,
}

impl Source {
    fn module(&self) -> String {
        let first = self
            .path
            .components()
            .next()
            .expect("a file has a name")
            .as_os_str()
            .to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    /// Whether it is a test as a whole.
    fn is_test(&self) -> bool {
        let mut names = self
            .path
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned());
        names.any(|name| ["tests", "tests.rs", "fake.rs", "testing.rs"].contains(&name.as_str()))
    }

    /// Its lines of code with their numbers: no comments, nothing from the tests at its end on.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = self.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        let code = if self.is_test() { "" } else { code };
        let lines = code.lines().enumerate().map(|(number, line)| (number + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn sources(crate_folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(crate_folder)
        .join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the folder can be listed").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            sources.push(Source {
                path: path.strip_prefix(root).expect("it lies below").to_owned(),
                text,
            });
        }
    }
}

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The modules that a line names by `crate::`, several within braces too.
fn imported(line: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = Vec::new();
    for after in line.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            Some(list) => names.extend(list.split(',').map(|name| word(name.trim()))),
            None => names.push(word(after)),
        }
    }
    names.retain(|name| name.chars().next().is_some_and(char::is_lowercase));
    names
}

#[test]
fn modules_import_what_they_may() {
    let mut complaints = Vec::new();
    for source in sources("server") {
        let module = source.module();
        if ["cli", "core", "lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            complaints.push(format!(
                "module {module}: not in this test's list of who may import whom"
            ));
            continue;
        };
        for (number, line) in source.code() {
            for name in imported(line) {
                if name != module && name != "error_datafusion" && !allowed.contains(&name.as_str()) {
                    complaints.push(format!(
                        "server/src/{}:{number}: {module} imports {name}",
                        source.path.display()
                    ));
                }
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn some_things_stand_in_few_places() {
    let mut complaints = Vec::new();
    for source in sources("server") {
        for (number, line) in source.code() {
            for (word, places) in ONLY_IN {
                if line.contains(word) && !places.iter().any(|place| source.path.starts_with(place)) {
                    complaints.push(format!(
                        "server/src/{}:{number}: {word} stands only in {places:?}",
                        source.path.display()
                    ));
                }
            }
        }
    }
    for source in sources("kernels") {
        for (number, line) in source.code() {
            for word in NOT_IN_KERNELS.iter().filter(|word| line.contains(**word)) {
                complaints.push(format!(
                    "kernels/src/{}:{number}: found {word}",
                    source.path.display()
                ));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn every_module_says_what_it_is() {
    let mut complaints = Vec::new();
    for folder in ["server", "kernels", "tests"] {
        for source in sources(folder) {
            if !source.is_test() && !source.text.starts_with("//!") {
                complaints.push(format!(
                    "{folder}/src/{}: does not begin with //!",
                    source.path.display()
                ));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn sizes() {
    let mut all: Vec<(usize, String)> = Vec::new();
    for folder in ["server", "kernels", "tests"] {
        for source in sources(folder) {
            all.push((
                source.text.lines().count(),
                format!("{folder}/src/{}", source.path.display()),
            ));
        }
    }
    all.sort();
    println!("{} files, median {} lines", all.len(), all[all.len() / 2].0);
    for (lines, path) in all
        .iter()
        .rev()
        .take_while(|(lines, _)| *lines > LINES_TO_LOOK_AT)
    {
        println!("{lines:>5} {path}");
    }
}
