"""One TPC-H query on the server, through ADBC, and on DuckDB: the same rows in the same order.

What counts as the same:
- decimals on both sides: equal, whatever their scales;
- floats on both sides: to 1e-9 relative;
- a decimal of ours where DuckDB has a float (averages and quotients of decimals): the float lies within one unit
  of the decimal's last place, or 1e-9 relative if that is more;
- everything else: equal.
The query's first line names the columns that it sorts by: these come in the same sequence, rows with equal ones in
any order. Where a LIMIT may cut through rows with equal keys, only the keys of those last rows are compared.
"""

import decimal
import pathlib

import adbc_driver_flightsql.dbapi
import duckdb

import common

SORTED_BY = "-- sorted by: "
RELATIVE = 1e-9
# The copy that `warpflight bench tpch` asks too.
QUERIES = pathlib.Path(__file__).parents[2] / "server" / "src" / "tpch" / "queries"


def check_query(setup):
    text = (QUERIES / f"{setup['query']}.sql").read_text()
    with adbc_driver_flightsql.dbapi.connect(setup["url"], autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(text)
            ours = cursor.fetch_arrow_table()
    theirs = on_duckdb(text, pathlib.Path(setup["data"]))
    compare(text, ours, theirs)
    print(f"{setup['query']}: {ours.num_rows} rows equal")


def on_duckdb(text, data):
    connection = duckdb.connect()
    for location in sorted(data.iterdir()):
        pattern = location / "*.parquet" if location.is_dir() else location
        connection.execute(f"create view {location.stem} as from read_parquet('{pattern}')")
    return connection.execute(text).to_arrow_table()


def compare(text, ours, theirs):
    assert ours.column_names == theirs.column_names, f"columns {ours.column_names}, DuckDB has {theirs.column_names}"
    assert ours.num_rows == theirs.num_rows, f"{ours.num_rows} rows, DuckDB has {theirs.num_rows}"
    assert ours.num_rows > 0, "no rows: the query tests nothing"
    first = text.splitlines()[0]
    key_names = first.removeprefix(SORTED_BY).split(", ") if first.startswith(SORTED_BY) else []
    keys = [ours.column_names.index(name) for name in key_names]
    our_rows, their_rows = rows_of(ours), rows_of(theirs)
    for number, (our_row, their_row) in enumerate(zip(our_rows, their_rows)):
        for key in keys:
            assert same(our_row[key], their_row[key]), (
                f"row {number}, sorted by {ours.column_names[key]}: {our_row[key]!r}, DuckDB has {their_row[key]!r}"
            )
    tied = last_tie(their_rows, keys) if "\nlimit " in text else 0
    whole = len(our_rows) - tied
    groups = list(zip(sort_within_keys(our_rows[:whole], keys), sort_within_keys(their_rows[:whole], keys)))
    for number, (our_row, their_row) in enumerate(groups):
        for name, our_value, their_value in zip(ours.column_names, our_row, their_row):
            assert same(our_value, their_value), (
                f"row {number}, column {name}: {our_value!r}, DuckDB has {their_value!r}"
            )


def rows_of(table):
    return list(zip(*(column.to_pylist() for column in table.columns)))


def sort_within_keys(rows, keys):
    """Rows with equal keys, which may come in any order, in one order."""
    sorted_rows, group = [], []
    for row in rows:
        if group and any(row[key] != group[0][key] for key in keys):
            sorted_rows += sorted(group, key=sortable)
            group = []
        group.append(row)
    return sorted_rows + sorted(group, key=sortable)


def sortable(row):
    return [(value is not None, f"{float(value):.6e}" if is_number(value) else str(value)) for value in row]


def last_tie(rows, keys):
    """How many rows at the end have equal keys, if more than one."""
    count = 0
    while count < len(rows) and all(rows[-1 - count][key] == rows[-1][key] for key in keys):
        count += 1
    return count if count > 1 else 0


def is_number(value):
    return isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool)


def same(ours, theirs):
    if not (is_number(ours) and is_number(theirs)):
        return ours == theirs
    if not isinstance(ours, float) and not isinstance(theirs, float):
        return ours == theirs
    tolerance = RELATIVE * max(abs(float(ours)), abs(float(theirs)))
    if isinstance(ours, decimal.Decimal):
        tolerance = max(tolerance, float(decimal.Decimal(1).scaleb(ours.as_tuple().exponent)))
    return abs(float(ours) - float(theirs)) <= tolerance


if __name__ == "__main__":
    common.main(globals())
