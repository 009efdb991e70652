//! The device layer and the kernels of warpflight: every launch and every unsafe block.
