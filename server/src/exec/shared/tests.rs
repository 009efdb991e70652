//! Queries that read the same rows several times, on the emulation: what is made once, the rows that DataFusion answers, and
//! memory that is free as soon as nobody reads it.

mod given;

use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{collect, execute_stream};
use futures::StreamExt;
use given::{given, many, streaming};

use super::*;
use crate::config::sections::{DebugForce, Executor};
use crate::exec::verify::compare;
use crate::pipeline::Sink;

/// With how many scans there are left, and how many pipelines are read several times.
const QUERIES: &[(&str, usize, usize)] = &[
    (
        "with r as (select k, sum(v) as total from t group by k) \
         select r.k, name, total from u, r where u.k = r.k and total = (select max(total) from r) order by r.k",
        2,
        1,
    ),
    (
        "with r as (select k, sum(v) as total from t group by k) \
         select a.k, a.total + b.total + c.total from r a join r b on a.k = b.k join r c on a.k = c.k + 1",
        1,
        1,
    ),
    (
        "select k, count(*) as n from t group by k union all select x.k as l, count(*) as m from t x group by x.k",
        1,
        1,
    ),
    (
        "with r as (select k, max(v) as m from t group by k) select a.k, b.k from r a join r b on a.m < b.m",
        1,
        1,
    ),
    (
        "with r as (select k, max(v) as m from t group by k) select a.m, count(*) from r a full join r b on a.m = b.m \
         full join r c on b.m = c.m group by a.m",
        1,
        1,
    ),
    (
        "with r as (select k, count(*) as n from t group by k), s as (select n, count(*) as m from r group by n) \
         select a.m, b.m from s a join s b on a.n = b.n",
        1,
        1,
    ),
    (
        "with r as (select id, v from t order by v desc, id limit 30) select a.id, b.id from r a join r b on a.v = b.v",
        1,
        1,
    ),
    (
        "with r as (select id, rank() over (partition by k order by v, id) as n from t) \
         select count(*) from r a join r b on a.id = b.id + 1 and a.n > b.n",
        1,
        1,
    ),
    // One table for two joins.
    (
        "select count(*), sum(a.id) from t a join t b on a.id = b.id + 1 join u c on a.k = c.k join u d on b.k = d.k \
         where c.name = 'n1' and d.name = 'n1'",
        3,
        1,
    ),
    // Not the same.
    (
        "select a.n, b.n from (select k, count(*) as n from t where id < 100 group by k) a \
         join (select k, count(*) as n from t where id < 101 group by k) b on a.k = b.k",
        2,
        0,
    ),
    (
        "select a.n, b.n from (select k, min(v) as n from t group by k) a join (select k, max(v) as n from t group by k) b on a.k = b.k",
        2,
        0,
    ),
    (
        "select a.n, b.n from (select k, count(*) as n from t group by k) a join (select k, count(*) as n from u group by k) b on a.k = b.k",
        2,
        0,
    ),
    (
        "select id from t where id < 9 union all select id from t where id < 9",
        2,
        0,
    ),
    // Where no scan says it: what is filtered, grouped, joined and put in order of the same rows.
    (
        "with r as (select k, count(*) as n from t group by k) select a.n, a.m, b.m from (select n, sum(k) as m from r where n > 13 group by n) a \
         full join (select n, sum(k) as m from r where n > 14 group by n) b on a.n = b.n",
        1,
        1,
    ),
    (
        "select a.n, b.n from (select k + 1 as k, count(*) as n from t group by k + 1) a \
         join (select k + 2 as k, count(*) as n from t group by k + 2) b on a.k = b.k",
        2,
        0,
    ),
    (
        "select a.n, b.n from (select k, count(v) as n from t group by k) a \
         join (select k, count(distinct v) as n from t group by k) b on a.k = b.k",
        2,
        0,
    ),
    (
        "select a.id, b.id from (select id, v from t order by v, id limit 50) a join (select id, v from t order by v desc, id limit 50) b on a.v = b.v",
        2,
        0,
    ),
    (
        "select a.id, b.id from (select id, v from t order by v, id limit 50) a full join (select id, v from t order by v, id limit 51) b on a.id = b.id",
        2,
        0,
    ),
    (
        "select count(*) from (select id, rank() over (partition by k order by v) as n from t) a \
         join (select id, dense_rank() over (partition by k order by v) as n from t) b on a.id = b.id and a.n > b.n",
        2,
        0,
    ),
    (
        "select a.n, b.n from (select name, count(*) as n from t join u on t.k = u.k group by name) a \
         join (select name, count(*) as n from t left join u on t.k = u.k group by name) b on a.name = b.name",
        4,
        0,
    ),
    (
        "select a.n, b.n from (select name, count(*) as n from t join u on t.k = u.k group by name) a \
         join (select name, count(*) as n from t join u on t.id = u.k group by name) b on a.name = b.name",
        3,
        1,
    ),
    // Readers that never come, or go early.
    (
        "with r as (select k, count(*) as n from t group by k) select a.n, b.n from (select * from t where id < 0) e \
         join r a on e.k = a.k join r b on a.k = b.k",
        2,
        1,
    ),
    (
        "with r as (select k, count(*) as n from t group by k) select count(*) from (select k from r union all select n from r limit 3)",
        1,
        1,
    ),
    (
        "with r as (select k, count(*) as n from t where id < 0 group by k) select a.n, b.n from r a join r b on a.k = b.k",
        1,
        1,
    ),
    (
        "with r as (select count(*) as n, max(k) as m from t where id < 0) select a.n, a.m, b.n, b.m from r a, r b",
        1,
        1,
    ),
    // A table that a subquery makes first, for a scan that is not opened before that has its value.
    (
        "select count(*) from t join u on t.k = u.k where u.name = 'n1' and t.id > \
         (select avg(t.id) from t join u on t.k = u.k where u.name = 'n1')",
        3,
        1,
    ),
    // Subqueries.
    (
        "select id from t where v > (select avg(v) from t) and id > (select max(id) / 2 from t) order by id",
        2,
        0,
    ),
    (
        "select id from t where id = (select max(id) from t where v < (select avg(v) from t))",
        3,
        0,
    ),
    (
        "select count(*) from t where id > (select id from t where id < 0)",
        2,
        0,
    ),
    (
        "select id, (select max(name) from u where k < 9) from t where id < 3 order by id",
        2,
        0,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn equal_parts_are_made_once() {
    let given = given().await;
    let mut wrong = Vec::new();
    for (sql, scans, shared) in QUERIES {
        let planned = given.planned(sql, streaming()).await;
        if many(&planned.graph) != (*scans, *shared) {
            wrong.push(format!("{:?} of {sql}: {}", many(&planned.graph), planned.graph));
        }
        let context = given.context.task_ctx();
        let found = collect(planned.device, Arc::clone(&context)).await.expect(sql);
        // The values of its subqueries are those of the same places.
        let cpu = reset_plan_states(planned.cpu).expect(sql);
        let expected = collect(Arc::clone(&cpu), context).await.expect(sql);
        compare(&cpu.schema(), &found, &expected).expect(sql);
        given.assert_all_memory_is_back(sql);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_forced_and_verified() {
    let given = given().await;
    for force in [
        DebugForce::Groups,
        DebugForce::Lists,
        DebugForce::SmallTables,
        DebugForce::Seek,
        DebugForce::Swap,
    ] {
        for executor in [Executor::Streaming, Executor::InMemory] {
            let mut engine = streaming();
            engine.debug_force = force;
            engine.executor = executor;
            engine.verify = true;
            for (sql, ..) in QUERIES {
                let planned = given.planned(sql, engine.clone()).await;
                let run = collect(planned.device, given.context.task_ctx()).await;
                run.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
        }
    }
    given.assert_all_memory_is_back("all");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_counted_once() {
    let given = given().await;
    let (sql, ..) = QUERIES[0];
    let planned = given.planned(sql, streaming()).await;
    let shared = (0..planned.graph.pipelines.len()).find(|&id| planned.graph.readers(id).count() > 1);
    let shared = shared.expect("a shared pipeline");
    collect(Arc::clone(&planned.device), given.context.task_ctx())
        .await
        .expect(sql);
    let metrics = planned.device.metrics().expect("it counts");
    let rows = metrics.sum_by_name(&format!("p{shared}_rows")).expect("its rows");
    // 40 keys and null.
    assert_eq!(rows.as_usize(), 41);
    let explained = planned.graph.to_string();
    assert!(explained.contains(" | shared by p"), "{explained}");
    // Again: values of subqueries are made anew.
    collect(planned.device, given.context.task_ctx())
        .await
        .expect(sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subquery_of_two_rows_fails() {
    let given = given().await;
    for rows in [2, 500] {
        let sql = format!("select id from t where v > (select v from t where id < {rows})");
        let planned = given.planned(&sql, streaming()).await;
        let context = given.context.task_ctx();
        let found = collect(planned.device, Arc::clone(&context))
            .await
            .expect_err(&sql);
        let expected = collect(planned.cpu, context).await.expect_err(&sql);
        let words = "Scalar subquery returned more than one row";
        assert!(found.to_string().contains(words), "{found}");
        assert!(expected.to_string().contains(words), "{expected}");
        given.assert_all_memory_is_back(&sql);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_midway_all_memory_is_back() {
    let given = given().await;
    for force in [DebugForce::None, DebugForce::Swap] {
        for (sql, ..) in QUERIES {
            for batches in [0, 1] {
                let mut engine = streaming();
                engine.debug_force = force;
                let planned = given.planned(sql, engine).await;
                let mut stream = execute_stream(planned.device, given.context.task_ctx()).expect(sql);
                for _ in 0..batches {
                    stream.next().await.transpose().expect(sql);
                }
                drop(stream);
                given.assert_all_memory_is_back(sql);
            }
        }
    }
}

#[test]
fn the_last_reader_takes_what_is_kept() {
    let shared = Shared {
        places: RefCell::new(vec![Place {
            readers: 3,
            ..Place::default()
        }]),
    };
    let held = || shared.places.borrow()[0].kept.is_some();
    assert!(matches!(shared.ask(0), Asked::First));
    shared.keep(0, &Made::Rows(Vec::new()));
    assert!(matches!(shared.ask(0), Asked::Later(Made::Rows(_))));
    assert!(held());
    assert!(matches!(shared.ask(0), Asked::Later(Made::Rows(_))));
    assert!(!held(), "nobody else asks");
}

#[test]
fn readers_that_never_ask_hold_nothing() {
    let of = |readers| Shared {
        places: RefCell::new(vec![Place {
            readers,
            ..Place::default()
        }]),
    };
    let shared = of(2);
    assert!(matches!(shared.ask(0), Asked::First));
    shared.keep(0, &Made::Rows(Vec::new()));
    assert!(!shared.give_up(0), "it was made");
    assert!(shared.places.borrow()[0].kept.is_none());
    // One that asks after all others gave up need not keep anything.
    let shared = of(2);
    assert!(!shared.give_up(0), "one is left");
    assert!(matches!(shared.ask(0), Asked::Alone));
    let shared = of(2);
    assert!(!shared.give_up(0));
    assert!(shared.give_up(0), "nobody asked");
    // What the only other reader gives up while the first has it made is not kept.
    let shared = of(2);
    assert!(matches!(shared.ask(0), Asked::First));
    assert!(!shared.give_up(0), "it is asked for");
    shared.keep(0, &Made::Rows(Vec::new()));
    assert!(shared.places.borrow()[0].kept.is_none());
}

#[test]
fn sinks_that_stream_are_not_shared() {
    // A table that its join writes to, and what is handed on as it comes.
    let queries = [
        "select a.id from t a union all select a.id from t a",
        "select count(*) from t a full join t b on a.id = b.id full join t c on b.id = c.id",
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let given = given().await;
        for sql in queries {
            let planned = given.planned(sql, streaming()).await;
            for (id, pipeline) in planned.graph.pipelines.iter().enumerate() {
                let kept = !matches!(pipeline.sink, Sink::Pass | Sink::Limit { .. } | Sink::Build(_));
                assert!(kept || planned.graph.readers(id).count() < 2, "{}", planned.graph);
            }
        }
    });
}
