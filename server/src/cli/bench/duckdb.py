"""Runs queries on DuckDB for `warpflight bench`: a JSON object a line in, one a line out."""

import decimal
import json
import math
import sys
import time


def answer(value):
    print(json.dumps(value), flush=True)


def cell(value):
    """Numbers for floating-point ones, text for all that is exact."""
    if value is None or isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return str(value)


try:
    import duckdb

    connection = duckdb.connect()
    # It would write to the output that answers go to.
    connection.execute("set enable_progress_bar = false")
    setup = json.loads(sys.stdin.readline())
    if setup["cold"]:
        try:
            connection.execute("set enable_external_file_cache = false")
        except duckdb.Error:
            pass  # A version that has no such cache.
    for table, files in setup["tables"].items():
        listed = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
        connection.execute(f"create view {table} as from read_parquet([{listed}])")
    answer({"version": duckdb.__version__})
except Exception as error:
    answer({"error": f"{type(error).__name__}: {error}"})
    sys.exit(1)

for line in sys.stdin:
    try:
        sql = json.loads(line)["sql"]
        start = time.perf_counter()
        rows = connection.execute(sql).fetchall()
        seconds = time.perf_counter() - start
        answer({"seconds": seconds, "rows": [[cell(value) for value in row] for row in rows]})
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
