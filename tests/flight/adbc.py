"""What people do with ADBC's Flight SQL driver in Python, on a server with the TPC-H tables."""

import datetime
import decimal
import json
import threading
import time

import pyarrow

import common
from common import connect, execute, fails, metric, rows, value, wait_metric

# 400 MB of numbers that differ, so that nothing shares memory.
LONG_RESULT = """
    select value as a, value + 1 as b, value + 2 as c, value + 3 as d, value + 4 as e
    from generate_series(1, 10000000)
"""


def check_select_types(setup):
    with connect(setup) as connection:
        found = rows(connection, """
            select arrow_cast(1, 'Int8') as i8, arrow_cast(2, 'UInt64') as u64, -3 as i64, 1.5::float as f32,
                   2.5::double as f64, 12.34::decimal(9, 2) as dec, 'text ✓' as s, true as b, null as n,
                   date '2024-02-29' as d, timestamp '2024-02-29T12:34:56.789' as ts, x'00ff' as bytes,
                   [1, 2, 3] as list, {a: 1, b: 'x'} as st
        """)
    assert found == [(
        1, 2, -3, 1.5, 2.5, decimal.Decimal("12.34"), "text ✓", True, None,
        datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, 34, 56, 789000), b"\x00\xff",
        [1, 2, 3], {"a": 1, "b": "x"},
    )], found


def check_select_tables(setup):
    with connect(setup) as connection:
        assert value(connection, "select count(*) from nation") == 25
        assert value(connection, "select count(*) from orders") == 15000
        with connection.cursor() as cursor:
            cursor.execute("select n_name, n_nationkey from nation order by n_nationkey limit 2")
            assert [column[0] for column in cursor.description] == ["n_name", "n_nationkey"]
            assert cursor.fetchone() == ("ALGERIA", 0)
            assert cursor.fetchmany(5) == [("ARGENTINA", 1)]
            assert cursor.fetchone() is None


def check_empty_results(setup):
    with connect(setup) as connection, connection.cursor() as cursor:
        cursor.execute("select n_name, n_nationkey from nation where n_nationkey > 100")
        table = cursor.fetch_arrow_table()
        assert table.num_rows == 0 and table.column_names == ["n_name", "n_nationkey"], table.schema


def check_text_survives(setup):
    with connect(setup) as connection:
        for text in ["a & b", "<tag/>", "quote ' inside", "%_\\", "日本語 🚀", "line\nbreak\ttab", ""]:
            assert value(connection, f"select '{text.replace(chr(39), chr(39) * 2)}'") == text, text
            assert value(connection, "select ?", (text,)) == text, text


def check_streams_before_the_end(setup):
    with connect(setup) as connection, connection.cursor() as cursor:
        cursor.execute(LONG_RESULT)
        reader = cursor.fetch_record_batch()
        first = reader.read_next_batch()
        running = metric(setup, "warpflight_queries_running")
        assert first.num_rows > 0 and running == 1, f"{first.num_rows} rows, {running} queries run"
        assert first.num_rows < 10_000_000, "the whole result came as one batch"
        seen = first.num_rows + sum(batch.num_rows for batch in reader)
        assert seen == 10_000_000, seen
        wait_metric(setup, "warpflight_queries_running", 0, 2)


def check_hang_up_stops_the_query(setup):
    connection = connect(setup)
    cursor = connection.cursor()
    cursor.execute("select sum(a.value * b.value % 7) from generate_series(1, 100000) a, generate_series(1, 1000000) b "
                   "union all select value from generate_series(1, 10000000000)")
    wait_metric(setup, "warpflight_queries_running", 1, 5)
    started = time.monotonic()
    cursor.close()
    connection.close()
    wait_metric(setup, "warpflight_queries_running", 0, 2)
    assert time.monotonic() - started < 2


def check_cancel_from_another_thread(setup):
    with connect(setup) as connection, connection.cursor() as cursor:
        cursor.execute("select value from generate_series(1, 10000000000)")
        reader = cursor.fetch_record_batch()
        reader.read_next_batch()
        threading.Timer(0.2, cursor.adbc_cancel).start()

        def drain():
            for _ in reader:
                pass

        fails(drain, "cancel")
        wait_metric(setup, "warpflight_queries_running", 0, 2)


def check_parameters(setup):
    with connect(setup) as connection:
        for parameter in [42, -(2**62), 1.25, "text", "", True, None, b"\x00\x01", datetime.date(1999, 12, 31),
                          datetime.datetime(2001, 2, 3, 4, 5, 6), decimal.Decimal("-12345.6789")]:
            found = value(connection, "select ?", (parameter,))
            assert found == parameter and type(found) is type(parameter), f"bound {parameter!r}, found {found!r}"
        assert rows(connection, "select $2::varchar || $2, $1::int", (1, "x")) == [("xx", 1)]
        names = "select n_name from nation where n_nationkey between ? and ? order by 1"
        assert rows(connection, names, (3, 5)) == [("CANADA",), ("EGYPT",), ("ETHIOPIA",)]
        assert value(connection, "select count(*) from nation where n_name = ?", ("CHINA",)) == 1
        assert value(connection, "select count(*) from nation where n_name = ?", (None,)) == 0
        assert value(connection, "select cast(? as varchar)", (7,)) == "7"
        day = datetime.date(1995, 3, 15)
        by_value = value(connection, "select count(*) from orders where o_orderdate < ?", (day,))
        assert by_value == value(connection, "select count(*) from orders where o_orderdate < date '1995-03-15'")
        price = decimal.Decimal("200000.00")
        by_value = value(connection, "select count(*) from orders where o_totalprice > ?", (price,))
        assert by_value == value(connection, "select count(*) from orders where o_totalprice > 200000.00") > 0


def check_parameters_that_do_not_fit(setup):
    with connect(setup) as connection:
        fails(lambda: rows(connection, "select ? + ?", (1,)), "found 1 value", "expected 2")
        by_name = "select * from nation where n_nationkey = ?"
        fails(lambda: rows(connection, by_name, ("not a number",)), "not a number")
        assert value(connection, "select 1") == 1


def check_parameter_schema(setup):
    with connect(setup) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_prepare("select * from nation where n_nationkey = ? and n_name = ?")
        assert len(schema) == 2, schema
        assert pyarrow.types.is_integer(schema.field(0).type), schema
        assert "string" in str(schema.field(1).type), schema


def check_prepared_many_times(setup):
    with connect(setup) as connection, connection.cursor() as cursor:
        for key in range(25):
            cursor.execute("select n_nationkey from nation where n_nationkey = ?", (key,))
            assert cursor.fetchall() == [(key,)]


def check_executemany(setup):
    with connect(setup) as connection, connection.cursor() as cursor:
        cursor.execute("create table people (id int, name varchar, born date, paid decimal(9, 2))")
        people = [
            (1, "Ana", datetime.date(1980, 1, 2), decimal.Decimal("10.50")),
            (2, None, None, None),
            (3, "Zoë", datetime.date(2000, 2, 29), decimal.Decimal("-0.01")),
        ]
        cursor.executemany("insert into people values (?, ?, ?, ?)", people)
        assert cursor.rowcount in (3, -1), cursor.rowcount
        assert rows(connection, "select * from people order by id") == people
        cursor.execute("insert into people (id) values (4)")
        assert value(connection, "select count(*) from people") == 4


def check_schema_before_execution(setup):
    started = metric(setup, "warpflight_queries_started_total")
    with connect(setup) as connection, connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema("select n_name, count(*) as c, avg(n_nationkey) from nation group by 1")
        assert schema.names[:2] == ["n_name", "c"], schema
        assert schema.field("c").type == pyarrow.int64(), schema
        cursor.execute("select n_name, count(*) as c, avg(n_nationkey) from nation group by 1")
        assert cursor.fetch_arrow_table().schema.equals(schema), "the schema changed"
    assert metric(setup, "warpflight_queries_started_total") >= started


def check_session_tables(setup):
    with connect(setup) as mine, connect(setup) as other:
        execute(mine, "create table t (a int, b varchar)")
        execute(mine, "insert into t values (1, 'x'), (2, 'y')")
        execute(mine, "create view v as select a * 10 as a from t")
        execute(mine, "create table copy as select * from nation where n_nationkey < 3")
        assert rows(mine, "select * from v order by a") == [(10,), (20,)]
        assert value(mine, "select count(*) from copy") == 3
        for name in ["t", "v", "copy"]:
            fails(lambda: rows(other, f"select * from {name}"), name, "not found")
        execute(other, "create table t (only_mine double)")
        assert rows(mine, "select * from t order by a") == [(1, "x"), (2, "y")]
        fails(lambda: execute(mine, "create table t (a int)"), "t", "already exists")
        execute(mine, "drop view v")
        execute(mine, "drop table t")
        fails(lambda: rows(mine, "select * from t"), "not found")


def check_served_tables_stay(setup):
    with connect(setup) as connection:
        fails(lambda: execute(connection, "drop table nation"))
        fails(lambda: execute(connection, "insert into nation values (99, 'x', 1, 'y')"))
        assert value(connection, "select count(*) from nation") == 25


def objects(connection, **filters):
    return connection.adbc_get_objects(**filters).read_all().to_pylist()


def check_get_objects(setup):
    with connect(setup) as connection:
        execute(connection, "create table mine (a int)")
        catalogs = objects(connection, depth="catalogs")
        names = [catalog["catalog_name"] for catalog in catalogs]
        assert "warpflight" in names, catalogs
        (catalog,) = objects(connection, depth="db_schemas", catalog_filter="warpflight")
        schemas = [schema["db_schema_name"] for schema in catalog["catalog_db_schemas"]]
        assert "public" in schemas, schemas
        (catalog,) = objects(connection, depth="tables", catalog_filter="warpflight", db_schema_filter="public")
        (schema,) = catalog["catalog_db_schemas"]
        tables = {table["table_name"]: table["table_type"] for table in schema["db_schema_tables"]}
        expected = {"nation", "region", "supplier", "customer", "part", "partsupp", "orders", "lineitem", "mine"}
        assert expected <= set(tables), tables
        types = connection.adbc_get_table_types()
        assert set(tables.values()) <= set(types), f"{tables}, types {types}"
        (catalog,) = objects(connection, depth="all", db_schema_filter="public", table_name_filter="nation")
        ((table,),) = [schema["db_schema_tables"] for schema in catalog["catalog_db_schemas"]]
        columns = [(column["column_name"], column["ordinal_position"]) for column in table["table_columns"]]
        assert columns == [("n_nationkey", 1), ("n_name", 2), ("n_regionkey", 3), ("n_comment", 4)], columns


def check_get_objects_filters(setup):
    def tables(connection, **filters):
        found = objects(connection, depth="tables", **filters)
        schemas = [schema for catalog in found for schema in catalog["catalog_db_schemas"] or []]
        return sorted(table["table_name"] for schema in schemas for table in schema["db_schema_tables"] or []
                      if schema["db_schema_name"] == "public")

    with connect(setup) as connection:
        assert tables(connection, table_name_filter="part%") == ["part", "partsupp"]
        assert tables(connection, table_name_filter="_ation") == ["nation"]
        assert tables(connection, table_name_filter="no such table") == []
        assert tables(connection, catalog_filter="nowhere") == []
        assert tables(connection, table_types_filter=["no such type"]) == []
        (catalog,) = objects(connection, depth="columns", table_name_filter="nation", column_name_filter="%key",
                             db_schema_filter="public")
        ((table,),) = [schema["db_schema_tables"] for schema in catalog["catalog_db_schemas"]]
        assert [column["column_name"] for column in table["table_columns"]] == ["n_nationkey", "n_regionkey"], table


def check_get_info(setup):
    with connect(setup) as connection:
        info = connection.adbc_get_info()
        assert info["vendor_name"] == "warpflight", info
        assert info["vendor_version"], info
        types = connection.adbc_get_table_types()
        assert types and len(types) == len(set(types)), types


def check_get_table_schema(setup):
    with connect(setup) as connection:
        schema = connection.adbc_get_table_schema("nation")
        assert schema.names == ["n_nationkey", "n_name", "n_regionkey", "n_comment"], schema
        with connection.cursor() as cursor:
            cursor.execute("select * from nation")
            assert cursor.fetch_arrow_table().schema.types == schema.types, schema
        schema = connection.adbc_get_table_schema("orders", catalog_filter="warpflight", db_schema_filter="public")
        assert schema.names[0] == "o_orderkey", schema
        fails(lambda: connection.adbc_get_table_schema("no_such_table"))


def check_current_catalog_and_schema(setup):
    with connect(setup) as connection:
        connection.adbc_current_catalog = "warpflight"
        connection.adbc_current_db_schema = "public"
        assert connection.adbc_current_catalog == "warpflight"
        assert connection.adbc_current_db_schema == "public"
        assert value(connection, "select count(*) from nation") == 25
        connection.adbc_current_db_schema = "information_schema"
        assert value(connection, "select count(*) from tables where table_name = 'nation'") == 1

        def set_unknown():
            connection.adbc_current_catalog = "nowhere"

        fails(set_unknown, "catalog")


def check_set_and_show(setup):
    with connect(setup) as connection, connect(setup) as other:
        execute(connection, "set batch_rows = 100")
        assert rows(connection, "show batch_rows") == [("batch_rows", "100")]
        assert rows(other, "show batch_rows") == [("batch_rows", "8192")]
        with connection.cursor() as cursor:
            cursor.execute("select * from orders")
            assert cursor.fetch_record_batch().read_next_batch().num_rows <= 15000
        execute(connection, "reset batch_rows")
        assert rows(connection, "show batch_rows") == [("batch_rows", "8192")]
        fails(lambda: execute(connection, "set no_such_option = 1"), "no_such_option")
        fails(lambda: execute(connection, "set batch_rows = 'many'"), "batch_rows", "many")
        fails(lambda: execute(connection, "set memory_limit = '1GiB'"), "memory_limit")
        names = {row[0] for row in rows(connection, "show all")}
        assert {"batch_rows", "query_timeout", "datafusion.execution.target_partitions"} <= names, names


def check_session_options(setup):
    with connect(setup) as connection:
        session = connection.adbc_connection
        prefix = "adbc.flight.sql.session."
        session.set_options(**{f"{prefix}option.batch_rows": "256"})
        assert rows(connection, "show batch_rows") == [("batch_rows", "256")]
        options = json.loads(session.get_option(f"{prefix}options"))
        assert str(options["batch_rows"]) == "256", options
        assert options["catalog"] == "warpflight" and options["schema"] == "public", options
        fails(lambda: session.set_options(**{f"{prefix}option.no_such_option": "1"}), "no_such_option")
        fails(lambda: session.set_options(**{f"{prefix}option.batch_rows": "many"}), "batch_rows")
        session.set_options(**{f"{prefix}optionerase.batch_rows": ""})
        assert rows(connection, "show batch_rows") == [("batch_rows", "8192")]


def check_cookies(setup):
    with connect(setup, **{"adbc.flight.sql.rpc.with_cookie_middleware": "true"}) as connection:
        execute(connection, "create table kept (a int)")
        execute(connection, "insert into kept values (1)")
        assert value(connection, "select count(*) from kept") == 1


def check_many_clients(setup):
    failures = []

    def work(number):
        try:
            with connect(setup) as connection:
                for step in range(10):
                    found = value(connection, "select ? * 100 + count(*) from nation", (number * 10 + step,))
                    assert found == (number * 10 + step) * 100 + 25, found
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def check_wide_rows(setup):
    # One row of 3 MB, and rows that fill many messages.
    with connect(setup) as connection:
        assert len(value(connection, "select repeat('x', 3000000)")) == 3_000_000
        with connection.cursor() as cursor:
            cursor.execute("select repeat('y', 1000) from generate_series(1, 20000)")
            table = cursor.fetch_arrow_table()
        assert table.num_rows == 20000 and all(len(text) == 1000 for text in table.column(0).to_pylist())


def check_user_and_password(setup):
    credentials = {"username": "ana", "password": "correct horse"}
    with connect(setup, **credentials) as connection:
        assert value(connection, "select count(*) from nation") == 25
    wrong = {"username": "ana", "password": "wrong"}
    fails(lambda: rows(connect(setup, **wrong), "select 1"), "unauthenticated")
    fails(lambda: rows(connect(setup), "select 1"), "unauthenticated")
    header = {"adbc.flight.sql.authorization_header": "Bearer made-up"}
    fails(lambda: rows(connect(setup, **header), "select 1"), "unauthenticated")


def check_tls(setup):
    authority = {"adbc.flight.sql.client_option.tls_root_certs": setup["ca"]}
    with connect(setup, **authority) as connection:
        assert value(connection, "select 1") == 1
    fails(lambda: rows(connect(setup), "select 1"), "certificate")


def check_mutual_tls(setup):
    authority = {"adbc.flight.sql.client_option.tls_root_certs": setup["ca"]}
    own = {
        "adbc.flight.sql.client_option.mtls_cert_chain": setup["certificate"],
        "adbc.flight.sql.client_option.mtls_private_key": setup["key"],
    }
    with connect(setup, **authority, **own) as connection:
        assert value(connection, "select 1") == 1
    fails(lambda: rows(connect(setup, **authority), "select 1"))


def check_unsupported_is_said(setup):
    with connect(setup) as connection, connection.cursor() as cursor:
        batch = pyarrow.record_batch({"a": [1, 2]})
        fails(lambda: cursor.adbc_ingest("ingested", batch, mode="create"), "not")
        fails(lambda: execute(connection, "begin transaction"), "transaction")
        assert value(connection, "select 1") == 1


if __name__ == "__main__":
    common.main(globals())
