//! The `warpflight` binary.

fn main() {}
