use super::*;
use crate::config::sections::DeviceChoice;
use crate::operator::Gpu;
use crate::tpch::{self, Silent, TpchOptions};

const GROUPS: &str = "select l_returnflag, count(*) from lineitem group by l_returnflag";

fn emulated(folders: &[&Path]) -> Config {
    unlogged(folders, &[("device".to_owned(), "sim".to_owned())]).unwrap()
}

fn device(server: &LocalServer) -> std::sync::Weak<Gpu> {
    Arc::downgrade(&server.core.gpus.chosen(DeviceChoice::Sim).unwrap().unwrap())
}

#[test]
fn nothing_of_a_closed_server_uses_its_device() {
    let folder = tempfile::tempdir().unwrap();
    tpch::generate(&TpchOptions::new(0.001, folder.path()), &Silent).unwrap();
    let left = block_on(async {
        let server = LocalServer::start(emulated(&[folder.path()])).await?;
        let (gpu, core) = (device(&server), Arc::downgrade(&server.core));
        let mut session = Session::open(server.url()).await?;
        assert_eq!(session.plan(GROUPS).await?, Plan::Whole);
        assert_eq!(session.ask(GROUPS).await?.rows(), 3);
        // One is planned, or runs and has kernels compiled, while the server is closed.
        let other = "select max(l_tax), l_linenumber + 3 from lineitem group by l_linenumber + 3";
        let running = tokio::spawn(async move { session.ask(other).await });
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(
            server.close(Duration::from_secs(60)).await,
            "the device is closed"
        );
        assert!(gpu.upgrade().is_none());
        // It was faster, or it was stopped.
        drop(running.await);
        Ok(core)
    });
    assert!(left.unwrap().upgrade().is_none(), "the server is dropped");
}

#[test]
fn a_server_is_closed_whatever_comes_of_the_work() {
    let mut gpu = std::sync::Weak::new();
    let outcome: Result<()> = block_on(with_server(emulated(&[]), async |server| {
        gpu = device(server);
        assert!(gpu.upgrade().is_some());
        Err(Error::data("it failed"))
    }));
    assert_eq!(outcome.unwrap_err().message(), "it failed");
    assert!(gpu.upgrade().is_none());
}
