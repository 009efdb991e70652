//! Tests of the whole server: what they share.
