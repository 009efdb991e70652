//! Pipelines as specifications: typed expressions and what becomes of their values, cut at the breakers.
//!
//! In: DataFusion's physical expressions and operators, read by [`crate::offload`]. Out: plain values that print
//! themselves, and the CUDA C++ text of their kernels. It launches nothing and holds no data.

pub mod expr;
