use super::*;
use crate::config::sections::DeviceChoice;

fn opened() -> (Arc<Gpus>, Arc<Gpu>) {
    let cache = std::env::temp_dir().join("warpflight-test-modules");
    let gpus = Gpus::new(&GpuOptions::default(), Some(cache));
    let gpu = gpus.chosen(DeviceChoice::Sim).unwrap().unwrap();
    (gpus, gpu)
}

#[test]
fn a_device_is_closed_when_the_last_thread_is_done_with_it() {
    let (gpus, gpu) = opened();
    let left = Arc::downgrade(&gpu);
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        // Memory and a stream of it outlive the handle.
        let stream = gpu.device.stream().unwrap();
        drop(gpu);
        sender.send(Instant::now()).unwrap();
        drop(stream);
    });
    assert!(gpus.close_sync(Duration::from_secs(20)));
    let closed = Instant::now();
    assert!(receiver.try_recv().unwrap() <= closed, "it was waited for");
    assert!(left.upgrade().is_none());
    thread.join().unwrap();
    let refused = gpus.chosen(DeviceChoice::Sim).unwrap_err();
    assert!(refused.message().contains("the server has ended"), "{refused}");
    assert!(gpus.close_sync(Duration::ZERO), "nothing is left to be closed");
}

#[test]
fn a_device_that_stays_in_use_does_not_hold_the_end() {
    let (gpus, gpu) = opened();
    let start = Instant::now();
    assert!(!gpus.close_sync(Duration::from_millis(100)));
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(Arc::strong_count(&gpu), 1);
}
