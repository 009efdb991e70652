-- What a DuckDB connection runs before a file of statements.
--
-- Settings in which DuckDB offers the behaviour of PostgreSQL, which warpflight follows too.
SET TimeZone = 'UTC';
SET integer_division = true;
SET default_null_order = 'nulls_last_on_asc_first_on_desc';

-- Functions that DuckDB has under another name.
CREATE MACRO octet_length(s) AS strlen(s);
CREATE MACRO btrim(s, characters) AS trim(s, characters);
CREATE MACRO nvl(a, b) AS coalesce(a, b);
CREATE MACRO nvl2(a, b, c) AS CASE WHEN a IS NOT NULL THEN b ELSE c END;
CREATE MACRO nanvl(a, b) AS CASE WHEN isnan(a) THEN b ELSE a END;
CREATE MACRO regexp_like(s, pattern) AS regexp_matches(s, pattern);
CREATE MACRO regexp_count(s, pattern) AS len(regexp_extract_all(s, pattern));
CREATE MACRO approx_distinct(x) AS approx_count_distinct(x);
CREATE MACRO date_bin(width, instant, origin) AS time_bucket(width, instant, origin);
CREATE MACRO array_min(list) AS list_min(list);
CREATE MACRO array_max(list) AS list_max(list);
