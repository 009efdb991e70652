-- Statements over `types` (all types, with NULLs), `dense` (no NULLs, no dictionaries, many groups) and `nothing`
-- (no rows). Each section's name is part of a check's name; rows of a section marked "in order" are compared one by
-- one, those of the others as sets.

-- section: columns
select * from types;
select * from dense;
select * from nothing;
select id, i8, i16, i32, i64 from types;
select id, u8, u16, u32, u64 from types;
select id, f32, f64 from types;
select id, b from types;
select id, d9, d18, d38 from types;
select id, day, at_ms, at_us, at_ns, clock from types;
select id, code, text, bin from types;
select text from types where false;

-- section: filters
select id from types where i32 > 0;
select id from types where i32 is null;
select id from types where i32 is not null and f64 > 100;
select id from types where not (i32 > 0);
select id from types where i32 > 0 or i64 < 0;
select id from types where i8 between -20 and 20;
select id from types where i8 not between -20 and 20;
select id from types where i16 in (1, 2, 3, 500, -7);
select id from types where i16 not in (1, 2, 3);
select id from types where wide = 9223372036854775807;
select id from types where u64 > 9223372036854775807;
select id from types where b;
select id from types where b is not true;
select id from types where b is false;
select id from types where i8 is distinct from i16;
select id from types where i8 is not distinct from i16;
select id from types where d9 > 1000.50;
select id from types where d18 between -10 and 10.5;
select id from types where d38 < 0;
select id from types where day >= date '1995-01-01' and day < date '1996-01-01';
select id from types where at_us > timestamp '2001-09-09 01:46:40';
select id from types where f64 > 0 and f32 < 500;
select id from types where code = 'beta';
select id from types where code in ('alpha', 'gamma', 'nope');
select id from types where code < 'delta';
select id from types where text = '';
select id from dense where k % 7 = 3;
select id from dense where f > 0.5 and k between 10 and 200;
select * from nothing where i32 > 0;

-- section: numbers
select id, i32 + 1 as a, i32 - 2 as b, i32 * 3 as c from types;
select id, i64 / 7 as a, i64 % 7 as b from types;
select id, -i32 as a, abs(i32) as b from types;
select id, i8 + i16 as a, i16 * i32 as b from types;
select id, f64 * 2 + f32 as a, f64 / 3 as b from types;
select id, round(f64) as a, floor(f64) as b, ceil(f64) as c from types;
select id, sqrt(abs(f64)) as a from types;
select id, cast(i32 as bigint) as a, cast(i32 as double) as b, cast(i8 as smallint) as c from types;
select id, cast(f64 as bigint) as a from types;
select id, cast(i32 as varchar) as a from types;
select id, cast(d18 as double) as a from types;
select id, d9 + d18 as a, d9 - d18 as b, d9 * d18 as c from types;
select id, d9 * (1 - 0.05) as a, d9 / 3 as b from types;
select id, d9 + i32 as a from types;
select id, d38 + 1 as a from types;
select id, cast(d18 as decimal(12, 1)) as a from types;
select i64 / (i64 - i64) from types where i64 is not null;

-- section: conditions
select id, case when i32 > 0 then 'plus' when i32 < 0 then 'minus' else 'none' end as a from types;
select id, case when i32 > 0 then i32 end as a from types;
select id, case code when 'alpha' then 1 when 'beta' then 2 end as a from types;
select id, coalesce(i32, i64, 0) as a from types;
select id, nullif(i8, 0) as a from types;
select id, i32 > 0 and b as a, i32 > 0 or b as c, not b as d from types;
select id, i32 is null as a, i32 = i32 as c from types;
select id, greatest(i8, 5) as a, least(i8, 5) as c from types;

-- section: dates
select id, extract(year from day) as y, extract(month from day) as m, extract(day from day) as d from types;
select id, extract(quarter from day) as q, extract(dow from day) as w, extract(doy from day) as n from types;
select id, extract(hour from at_us) as h, extract(minute from at_us) as m from types;
select id, date_trunc('month', day) as a from types;
select id, date_trunc('hour', at_us) as a, date_trunc('year', at_ms) as b from types;
select id, day + interval '3' day as a, day - interval '1' month as b from types;
select id, at_us + interval '90' minute as a from types;
select id, cast(at_us as date) as a, cast(day as timestamp) as b from types;
select id, at_ns < at_us as a from types;

-- section: strings
select id, length(text) as a, upper(code) as b, lower(code) as c from types;
select id, octet_length(text) as a, character_length(text) as b from types;
select id, substring(text, 2, 3) as a, substr(code, 2) as b from types;
select id, trim(text) as a, ltrim(text) as b, rtrim(text) as c from types;
select id, code || '-' || text as a from types;
select id, concat(code, text) as a from types;
select id, replace(text, 'a', 'xyz') as a from types;
select id, strpos(text, 'a') as a, starts_with(text, 'a') as b from types;
select id from types where text like 'a%';
select id from types where text like '%b%';
select id from types where text like '%c';
select id from types where text like '_b%';
select id from types where text not like '%a%b%';
select id from types where text ilike '%A%';
select id, left(text, 2) as a, right(text, 2) as b from types;
select id from types where code || 'x' = 'betax';

-- section: aggregates
select count(*) as a, count(i32) as b, count(text) as c from types;
select sum(i32) as a, sum(i64) as b, sum(u32) as c, sum(i8) as d from types;
select min(wide) as a, max(wide) as b, min(u64) as c, max(u64) as d from types;
select min(f64) as a, max(f64) as b, sum(f64) as c, avg(f64) as d from types;
select sum(d9) as a, avg(d9) as b, min(d18) as c, max(d38) as d, sum(d38) as e from types;
select min(day) as a, max(day) as b, min(at_us) as c, max(at_ns) as d from types;
select min(code) as a, max(text) as b from types;
select avg(i32) as a, avg(i8) as b from types;
select count(distinct i8) as a from types;
select count(distinct code) as a from types;
select stddev(f64) as a, variance(f64) as b from types;
select bool_and(b) as a, bool_or(b) as c from types;
select sum(i32) filter (where b) as a, count(*) filter (where i8 > 0) as c from types;
select count(*) as a, sum(i32) as b, min(text) as c, avg(f64) as d from nothing;
select sum(i32 * 2 + 1) as a from types where i32 > 10;
select sum(f * (1 - f)) as a, count(*) as b from dense where k < 1000;

-- section: groups
select code, count(*) as n from types group by code;
select code, sum(i32) as a, avg(f64) as b, min(day) as c, max(text) as d from types group by code;
select i8, count(*) as n from types group by i8;
select b, i8 % 3 as m, count(*) as n, sum(d9) as s from types group by b, i8 % 3;
select text, count(*) as n from types group by text;
select day, count(*) as n from types group by day;
select d18, count(*) as n from types group by d18;
select f32, count(*) as n from types group by f32;
select wide, count(*) as n from types group by wide;
select k, count(*) as n, sum(v) as s from dense group by k;
select id, sum(v) as s from dense group by id;
select s, count(*) as n, sum(f) as t from dense group by s;
select k % 10 as m, min(v) as a, max(v) as b, avg(f) as c from dense group by k % 10;
select k, s, count(*) as n from dense group by k, s;
select code, count(*) as n from types group by code having count(*) > 3;
select code, count(distinct i8) as n from types group by code;
select extract(year from day) as y, sum(d9) as s from types group by extract(year from day);
select code, count(*) as n from nothing group by code;
select code, sum(i32) filter (where b) as a from types group by code;
select k, sum(v) as a, sum(v) * 2 as b, count(*) + 1 as c from dense where k < 50 group by k;

-- section: distinct
select distinct code from types;
select distinct i8, b from types;
select distinct k from dense;
select distinct text from types where i32 > 0;
select distinct code from nothing;

-- section: sorts, in order
select id from types order by id;
select id from types order by id desc;
select i32, id from types order by i32, id;
select i32, id from types order by i32 desc, id;
select i32, id from types order by i32 nulls first, id desc;
select i32, id from types order by i32 desc nulls last, id;
select f64, id from types order by f64, id;
select d9, d38, id from types order by d9 desc, d38, id;
select day, at_us, id from types order by day, at_us desc, id;
select code, id from types order by code, id;
select text, id from types order by text desc, id;
select b, i8, id from types order by b, i8 desc, id;
select k, v, id from dense order by k, v desc, id;
select id, v from dense where k < 40 order by v, id;
select code, count(*) as n from types group by code order by n desc, code;
select k, sum(v) as s from dense group by k order by s, k;
select id from nothing order by id;

-- section: first rows, in order
select id, i32 from types order by i32, id limit 10;
select id, i32 from types order by i32 desc nulls last, id limit 10;
select id, f64 from types order by f64 desc, id limit 7 offset 3;
select id, text from types order by text, id limit 20;
select id, v from dense order by v desc, id limit 1;
select id, v from dense order by v, id limit 100 offset 50;
select k, sum(v) as s from dense group by k order by s desc, k limit 5;
select id from types order by id limit 0;
select id from types order by id offset 1490;
select id, d18 from types where code = 'beta' order by d18, id limit 10;
select id from nothing order by id limit 5;

-- section: limits
select count(*) as n from (select id from types limit 17);
select count(*) as n from (select id from dense limit 100 offset 20);
select count(*) as n from (select id from types where i32 > 0 limit 5);

-- section: unions
select i32 as a from types union all select k as a from dense;
select id, code from types where i8 > 0 union all select id, s from dense where k < 5;
select count(*) as n from (select id from types union all select id from dense);
select code from types union select s from dense;
select code, n from (select code, count(*) as n from types group by code) union all select 'all', count(*) from types;
