//! The types that an option can have: how a value is read from text, what it takes, how it is shown.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A type of option: read from text (a flag, the environment, `SET`) or from TOML, shown by `SHOW`.
pub trait OptionValue: Sized + Clone + Send + Sync + 'static {
    /// Reads a value; `None` if the text is not one.
    fn parse(text: &str) -> Option<Self>;
    /// What it takes, for messages and `--help`.
    fn takes() -> String;
    /// The text that [`OptionValue::parse`] reads back.
    fn show(&self) -> String;
    /// The text of a TOML value, if TOML's type fits.
    fn text_of(value: &toml::Value) -> Option<String> {
        match value {
            toml::Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl OptionValue for bool {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => Some(true),
            "false" | "off" | "no" | "0" => Some(false),
            _ => None,
        }
    }
    fn takes() -> String {
        "true or false".into()
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn text_of(value: &toml::Value) -> Option<String> {
        value.as_bool().map(|flag| flag.to_string())
    }
}

/// A count: a whole number from 0.
impl OptionValue for usize {
    fn parse(text: &str) -> Option<Self> {
        text.replace('_', "").parse().ok()
    }
    fn takes() -> String {
        "a whole number from 0".into()
    }
    fn show(&self) -> String {
        self.to_string()
    }
    fn text_of(value: &toml::Value) -> Option<String> {
        value.as_integer().map(|number| number.to_string())
    }
}

impl OptionValue for String {
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn takes() -> String {
        "text".into()
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl OptionValue for SocketAddr {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse().ok(),
            None => text.parse().ok(),
        }
    }
    fn takes() -> String {
        "an address and a port, for example 127.0.0.1:32010 or [::1]:32010".into()
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

const BYTE_UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

impl OptionValue for Bytes {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text
            .find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.'))
            .unwrap_or(text.len());
        let (number, unit) = (text[..digits].replace('_', ""), text[digits..].trim());
        let factor = match unit {
            "" => 1,
            unit => {
                BYTE_UNITS
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(unit))?
                    .1
            }
        };
        match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(factor).map(Bytes),
            // As f64 only for values like "1.5 GiB", far from where f64 loses whole bytes that matter.
            Err(_) if !unit.is_empty() => number
                .parse::<f64>()
                .ok()
                .map(|n| Bytes((n * factor as f64) as u64)),
            Err(_) => None,
        }
    }
    fn takes() -> String {
        "a number of bytes, for example 2147483648, 512MiB or 2GiB".into()
    }
    fn show(&self) -> String {
        let unit = BYTE_UNITS[..4]
            .iter()
            .rev()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => format!("{}{name}", self.0 / factor),
            None => self.0.to_string(),
        }
    }
    fn text_of(value: &toml::Value) -> Option<String> {
        match value {
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// A length of time, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// The length, unless it is 0, which options use for "no limit".
    pub fn limit(self) -> Option<std::time::Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

const TIME_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl OptionValue for Duration {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().ok()?;
        let factor = match text[digits..].trim() {
            "" if number == 0 => 1,
            unit => TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1,
        };
        number
            .checked_mul(factor)
            .map(|ms| Duration(std::time::Duration::from_millis(ms)))
    }
    fn takes() -> String {
        "a length of time, for example 500ms, 30s, 5min, 1h or 0".into()
    }
    fn show(&self) -> String {
        let ms = self.0.as_millis() as u64;
        match TIME_UNITS
            .iter()
            .find(|(_, factor)| ms != 0 && ms.is_multiple_of(*factor))
        {
            Some((unit, factor)) => format!("{}{unit}", ms / factor),
            None => "0".into(),
        }
    }
    fn text_of(value: &toml::Value) -> Option<String> {
        match value {
            toml::Value::Integer(0) => Some("0".into()),
            toml::Value::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// A path, or nothing: the empty text.
impl OptionValue for Option<PathBuf> {
    fn parse(text: &str) -> Option<Self> {
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    }
    fn takes() -> String {
        "a path, or nothing".into()
    }
    fn show(&self) -> String {
        self.as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default()
    }
}

/// A list of texts, separated by commas where it is written as one text.
impl OptionValue for Vec<String> {
    fn parse(text: &str) -> Option<Self> {
        Some(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }
    fn takes() -> String {
        "a list of texts (separated by commas in a flag or the environment)".into()
    }
    fn show(&self) -> String {
        self.join(",")
    }
    fn text_of(value: &toml::Value) -> Option<String> {
        let items: Option<Vec<&str>> = value.as_array()?.iter().map(toml::Value::as_str).collect();
        Some(items?.join(","))
    }
}

/// Declares an enum whose variants are an option's values.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $crate::config::value::OptionValue for $name {
            fn parse(text: &str) -> Option<Self> {
                match text.to_ascii_lowercase().as_str() {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
            fn takes() -> String {
                let values: &[&str] = &[$($text),+];
                format!("one of {}", values.join(", "))
            }
            fn show(&self) -> String {
                match self { $(Self::$variant => $text.into()),+ }
            }
        }
    };
}
pub(crate) use choice;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_and_show_units() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("1KiB", 1024),
            ("1.5 GiB", 3 << 29),
            ("2gib", 2 << 30),
            ("3MB", 3_000_000),
        ] {
            assert_eq!(Bytes::parse(text), Some(Bytes(bytes)), "{text}");
            assert_eq!(Bytes::parse(&Bytes(bytes).show()), Some(Bytes(bytes)));
        }
        for text in ["", "-1", "1.5", "GiB", "1 parsec", "99999999999TiB"] {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, ms) in [
            ("0", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("5min", 300_000),
            ("1h", 3_600_000),
        ] {
            let duration = Duration(std::time::Duration::from_millis(ms));
            assert_eq!(Duration::parse(text), Some(duration), "{text}");
            assert_eq!(duration.show(), text);
        }
        for text in ["30", "-1s", "s", "1 fortnight", ""] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
    }
}
