//! Who may do what: passwords at rest.

pub mod password;
