-- What a DuckDB connection runs before a file of statements.
--
-- Settings in which DuckDB offers the behaviour of PostgreSQL, which warpflight follows too.
SET TimeZone = 'UTC';
SET integer_division = true;
SET default_null_order = 'nulls_last_on_asc_first_on_desc';
