use super::*;
use crate::cli::local;

fn case(sql: &str) -> Case {
    Case {
        name: String::new(),
        sql: sql.to_owned(),
        order: Order::All,
    }
}

#[test]
fn what_reaches_a_limit_beside_others_runs_again_alone() {
    let flags = [("device", "sim"), ("device_memory_limit", "1MiB")];
    let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = local::unlogged(&[], &flags).unwrap();
    let large = case("select value from generate_series(1, 200000) order by value % 1000, value");
    let small = case("select value from generate_series(1, 200) order by value % 10, value");
    let tried = local::with_server(config, async |server| {
        for jobs in [1, 2] {
            let tally = Arc::new(Tally::new(2, None, false));
            let turns = Arc::new(Turns::new(jobs, Arc::clone(&tally)));
            let mut sessions = Sessions::open(server.url(), &turns).await?;
            let reason = sessions.run(&large).await.unwrap_err();
            assert!(reason.contains("device_memory_limit"), "{reason}");
            assert!(!reason.contains("verify"), "a limit is no difference: {reason}");
            let ran = sessions.run(&small).await.unwrap();
            assert_eq!((ran.plan, ran.refused), (Plan::Whole, None));
            let is_told = tally.summary().contains("1 reached a limit beside others");
            assert_eq!(is_told, jobs > 1, "{}", tally.summary());
        }
        Ok(())
    });
    local::block_on(tried).unwrap();
}
