//! The Flight SQL face: what clients send comes in here and results leave from here. Nothing
//! outside this module knows gRPC.

pub mod frame;
