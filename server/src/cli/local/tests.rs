use super::*;
use crate::config::sections::DeviceChoice;

fn emulated() -> Config {
    unlogged(&[], &[("device".to_owned(), "sim".to_owned())]).unwrap()
}

/// Rows that are uploaded, so that they are grouped on the device.
const GROUPS: &str = "select value % 7, count(*) from generate_series(1, 5000) group by value % 7";

#[test]
fn nothing_of_a_closed_server_uses_its_device() {
    let left = block_on(async {
        let server = LocalServer::start(emulated()).await?;
        let gpu = server.core.gpus.chosen(DeviceChoice::Sim)?.unwrap();
        let (gpu, core) = (Arc::downgrade(&gpu), Arc::downgrade(&server.core));
        let mut session = Session::open(server.url()).await?;
        assert_eq!(session.ask(GROUPS).await?.rows(), 7);
        // One is planned and running while the server is closed.
        let running = tokio::spawn(async move { session.ask(&format!("{GROUPS} limit 3")).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
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
    let outcome: Result<()> = block_on(with_server(emulated(), async |server| {
        gpu = Arc::downgrade(&server.core.gpus.chosen(DeviceChoice::Sim)?.unwrap());
        assert!(gpu.upgrade().is_some());
        Err(Error::data("it failed"))
    }));
    assert_eq!(outcome.unwrap_err().message(), "it failed");
    assert!(gpu.upgrade().is_none());
}
