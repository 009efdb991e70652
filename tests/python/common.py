"""What the checks in Python share: running the one that was asked for, connecting, looking at the server."""

import json
import sys
import time
import urllib.request

import adbc_driver_flightsql.dbapi


def main(functions):
    """Runs `check_NAME` with the fields of the JSON object that follows its name."""
    name, setup = sys.argv[1], json.loads(sys.argv[2])
    functions[f"check_{name}"](setup)


def connect(setup, **options):
    """A connection, so a session of its own."""
    options = {name: str(value) for name, value in options.items()}
    return adbc_driver_flightsql.dbapi.connect(setup["url"], db_kwargs=options, autocommit=True)


def rows(connection, sql, parameters=None):
    """All rows of a query, as tuples."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def value(connection, sql, parameters=None):
    """The only value of a query's result."""
    found = rows(connection, sql, parameters)
    assert len(found) == 1 and len(found[0]) == 1, f"{sql}: found {found}, expected one value"
    return found[0][0]


def execute(connection, sql):
    """Runs a statement that returns no rows."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


def fails(call, *words):
    """Calls what must fail with a message that has these words; the error."""
    try:
        result = call()
    except Exception as error:
        for word in words:
            assert word.lower() in str(error).lower(), f"expected {word!r} in the error, found: {error}"
        return error
    raise AssertionError(f"expected an error with {words}, found {result!r}")


def metric(setup, name):
    """A metric's value, summed over its labels if the name has none."""
    with urllib.request.urlopen(f"http://{setup['http']}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    values = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    values = [float(number) for series, number in values if name in (series, series.split("{")[0])]
    assert values, f"no metric {name}"
    return sum(values)


def wait_metric(setup, name, expected, seconds):
    """Waits until a metric has this value; how long that took."""
    started = time.monotonic()
    while (found := metric(setup, name)) != expected:
        elapsed = time.monotonic() - started
        assert elapsed < seconds, f"{name} is {found} after {elapsed:.1f} s, expected {expected}"
        time.sleep(0.02)
    return time.monotonic() - started
