//! The Flight SQL face.

pub mod command;
