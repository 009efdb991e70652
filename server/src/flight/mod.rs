//! The Flight SQL face.

pub mod health;
pub mod listen;
pub mod tls;
