//! One definition an option: its section, name, type, default, scope and what it means.
//!
//! [`options!`] turns a list of definitions into a struct of typed values and a table of
//! [`Definition`]s; the file, the environment, flags, `SET` and `SHOW` all go through that table.

use crate::error::Error;

/// Who can set an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The operator, at start: file, environment, flag.
    Server,
    /// The operator, and each session for itself: `SET`, `SetSessionOptions`.
    Session,
}

/// What is known of one option, without its value.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The table of the file that it stands in.
    pub section: &'static str,
    /// Its name, unique over all sections.
    pub name: &'static str,
    /// What it means, in a sentence or a few.
    pub doc: &'static str,
    /// What it takes.
    pub takes: String,
    /// Its default, as text.
    pub default: String,
    /// Who can set it.
    pub scope: Scope,
    /// The text of a TOML value, if TOML's type fits.
    pub text_of: fn(&toml::Value) -> Option<String>,
}

impl Definition {
    /// The error for a value that is not one of it.
    pub fn refusal(&self, found: &str) -> Error {
        Error::sql(format!(
            "option {}: found {found:?}, expected {}",
            self.name, self.takes
        ))
    }

    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("WARPFLIGHT_{}", self.name.to_ascii_uppercase())
    }

    /// The command-line flag that sets it, without the dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

/// Declares a section: `section "name" struct { /// doc  name: Type = default, Scope; ... }`.
macro_rules! options {
    ($(#[$struct_doc:meta])* section $section:literal $struct:ident {
        $($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $scope:ident;)+
    }) => {
        $(#[$struct_doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $struct { $($(#[doc = $doc])+ pub $name: $type,)+ }

        impl Default for $struct {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl $struct {
            /// The definitions of this section, in order.
            pub fn definitions() -> Vec<$crate::config::option::Definition> {
                use $crate::config::value::OptionValue;
                let defaults = Self::default();
                vec![$($crate::config::option::Definition {
                    section: $section,
                    name: stringify!($name),
                    doc: concat!($($doc, "\n"),+).trim(),
                    takes: <$type as OptionValue>::takes(),
                    default: OptionValue::show(&defaults.$name),
                    scope: $crate::config::option::Scope::$scope,
                    text_of: <$type as OptionValue>::text_of,
                }),+]
            }

            /// Sets an option of this section from text. `None`: no such option here;
            /// `Some(false)`: the text is not a value of it.
            pub fn set(&mut self, name: &str, text: &str) -> Option<bool> {
                use $crate::config::value::OptionValue;
                match name {
                    $(stringify!($name) => Some(match <$type as OptionValue>::parse(text) {
                        Some(value) => { self.$name = value; true }
                        None => false,
                    }),)+
                    _ => None,
                }
            }

            /// The value of an option of this section, as text.
            pub fn show(&self, name: &str) -> Option<String> {
                use $crate::config::value::OptionValue;
                match name {
                    $(stringify!($name) => Some(OptionValue::show(&self.$name)),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use options;
