//! Tests of the whole server: what they share.

pub mod python;
pub mod slt;
