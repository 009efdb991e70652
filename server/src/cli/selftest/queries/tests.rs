use super::*;
use crate::cli::local;

#[test]
fn what_reaches_a_limit_beside_others_runs_again_alone() {
    let config = local::unlogged(&[], &[("device".into(), "sim".into())]).unwrap();
    let case = Case {
        name: String::new(),
        sql: "select 1 as one".into(),
        order: Order::All,
    };
    let tried = local::with_server(config, async |server| {
        for jobs in [1, 2] {
            let tally = Arc::new(Tally::new(2, None, false));
            let turns = Arc::new(Turns::new(jobs, Arc::clone(&tally)));
            let mut sessions = Sessions::open(server.url(), &turns).await?;
            assert_eq!(sessions.run(&case).await.unwrap().refused, None);
            assert!(!tally.summary().contains("reached a limit"));
            sessions.set("result_size_max", "1").await?;
            let reason = sessions.run(&case).await.unwrap_err();
            assert!(reason.contains("result_size_max"), "{reason}");
            let is_told = tally.summary().contains("1 reached a limit beside others");
            assert_eq!(is_told, jobs > 1, "{}", tally.summary());
        }
        Ok(())
    });
    local::block_on(tried).unwrap();
}
