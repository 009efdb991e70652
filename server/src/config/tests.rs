use super::*;

#[test]
fn names_are_unique_and_every_default_reads_back() {
    let mut names = std::collections::BTreeSet::new();
    let mut config = Config::default();
    for definition in definitions() {
        assert!(
            names.insert(definition.name),
            "{} is defined twice",
            definition.name
        );
        config.set(definition.name, &definition.default).unwrap();
        assert_eq!(config.show(definition.name).unwrap(), definition.default);
        assert!(!definition.doc.is_empty());
    }
}

/// The file names each option once, commented with its own text, at its default.
#[test]
fn the_default_file_and_the_definitions_are_in_step() {
    let mut expected = String::new();
    let mut section = "";
    for definition in definitions() {
        if definition.section != section {
            section = definition.section;
            expected.push_str(&format!("\n[{section}]\n"));
        }
        for line in definition.doc.lines() {
            expected.push_str(&format!("# {}\n", line.trim()));
        }
        let default = toml_of(&definition);
        expected.push_str(&format!(
            "# Takes {}.\n{} = {default}\n\n",
            definition.takes, definition.name
        ));
    }
    if std::env::var_os("WARPFLIGHT_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/default.toml");
        let old = std::fs::read_to_string(path).unwrap();
        let (head, tail) = parts(&old);
        std::fs::write(path, format!("{head}{}\n{tail}", expected.trim())).unwrap();
        return;
    }
    let (_, tail) = parts(DEFAULT_TOML);
    let body = &DEFAULT_TOML[DEFAULT_TOML.find("\n[server]").unwrap()..DEFAULT_TOML.len() - tail.len()];
    assert_eq!(
        body.trim(),
        expected.trim(),
        "run with WARPFLIGHT_BLESS=1 to rewrite config/default.toml"
    );

    let mut config = Config::default();
    config.apply_toml(DEFAULT_TOML).unwrap();
    for definition in definitions() {
        assert_eq!(
            config.show(definition.name).unwrap(),
            definition.default,
            "{}",
            definition.name
        );
    }
}

/// What stands before the first section, and from the lists on.
fn parts(text: &str) -> (&str, &str) {
    let head = text.find("[server]").unwrap_or(0);
    let tail = text.find("# Lists").unwrap_or(text.len());
    (&text[..head], &text[tail..])
}

fn toml_of(definition: &Definition) -> String {
    match definition.default.as_str() {
        "" if definition.takes.starts_with("a list") => "[]".to_owned(),
        flag @ ("true" | "false") => flag.to_owned(),
        number if number.parse::<i64>().is_ok() => number.to_owned(),
        text => format!("{text:?}"),
    }
}

fn refusal(text: &str) -> String {
    Config::default().apply_toml(text).unwrap_err().to_string()
}

#[test]
fn unknown_keys_and_bad_values_are_refused_by_name() {
    assert_eq!(
        refusal("[server]\nlisen = \"x\""),
        "unknown key server.lisen, did you mean listen?"
    );
    assert_eq!(refusal("[sever]\n"), "unknown key sever, did you mean server?");
    assert_eq!(
        refusal("[limits]\nquery_timeout = \"soon\""),
        "option query_timeout: found \"soon\", expected a length of time, for example 500ms, 30s, 5min, 1h or 0"
    );
    assert!(refusal("[limits]\nquery_timeout = 5").contains("option query_timeout: found \"5\""));
    assert!(refusal("[engine]\ndevice = \"abacus\"").contains("one of auto, cuda, sim, cpu"));
    assert!(
        refusal("[[table]]\nname = \"t\"\nlocation = \"x\"\nformta = \"csv\"").contains("[[table]] \"t\"")
    );
    assert!(refusal("[[user]]\nname = \"u\"").contains("password_hash"));
    assert!(refusal("listen = ").contains("TOML"));
}

#[test]
fn profiles_can_be_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config");
    let mut profiles = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let applied = Config::default().apply_toml(&text);
        applied.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        profiles += 1;
    }
    assert!(profiles >= 2);
}

/// What the image and the compose file set must be options.
#[test]
fn images_set_options_that_exist() {
    let known: Vec<String> = definitions().iter().map(Definition::variable).collect();
    let mut found = 0;
    for file in ["Dockerfile", "compose.yaml"] {
        let path = format!("{}/../docker/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        for word in text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')) {
            if word.starts_with("WARPFLIGHT_") {
                assert!(known.iter().any(|variable| variable == word), "{file}: {word}");
                found += 1;
            }
        }
    }
    assert!(found >= 7, "{found}");
}
