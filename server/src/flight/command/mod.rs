//! The commands of Flight SQL, one file each.

pub mod catalogs;
pub mod cross_reference;
pub mod db_schemas;
pub mod exported_keys;
mod foreign_keys;
pub mod imported_keys;
mod listing;
pub mod primary_keys;
pub mod sql_info;
mod sql_type;
pub mod table_types;
pub mod tables;
pub mod xdbc_type_info;
