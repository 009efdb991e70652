//! Who is asking, and what that user may do.

pub mod password;
pub mod rights;
pub mod tokens;
pub mod users;
