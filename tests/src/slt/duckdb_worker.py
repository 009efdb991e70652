"""DuckDB behind a pipe: requests are JSON lines, answers are a JSON line each and a result's Arrow stream.

Request: {"connection": N, "sql": S}, or {"connection": N, "setup": [S, ...]} to open connection N afresh.
Answer: {"error": TEXT}, or {"arrow_bytes": B} followed by B bytes of an Arrow IPC stream.
"""

import json
import sys
import warnings

import duckdb
import pyarrow as pa

# DuckDB advises another call for results of which a copy would hurt.
warnings.simplefilter("ignore")
connections = {}
answers = sys.stdout.buffer


def run(request):
    number = request["connection"]
    if "setup" in request:
        connections[number] = duckdb.connect(":memory:")
        for statement in request["setup"]:
            connections[number].execute(statement)
        return b""
    result = connections[number].execute(request["sql"])
    if result.description is None:
        return b""
    table = result.to_arrow_table()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


for line in sys.stdin:
    try:
        body = run(json.loads(line))
        header = {"arrow_bytes": len(body)}
    except Exception as error:  # whatever DuckDB raises is the answer
        body = b""
        header = {"error": f"{type(error).__name__}: {error}"}
    answers.write(json.dumps(header).encode() + b"\n" + body)
    answers.flush()
