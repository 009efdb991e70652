//! Compiled modules on disk: found again by another process, keyed by what goes into them, whole or not used.

use std::fs;
use std::path::{Path, PathBuf};

use warpflight_kernels::module::{DiskCache, ModuleKey, build_cache};
use warpflight_kernels::{Args, Device, DeviceOptions, Grid, KernelSource, SimOptions};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("module_cache")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn open(cache_dir: &Path) -> Device {
    let sim = SimOptions {
        compiler: std::env::var_os("CXX").map(PathBuf::from),
        ..SimOptions::default()
    };
    let options = DeviceOptions {
        cache_dir: Some(cache_dir.to_owned()),
        sim,
        ..DeviceOptions::sim()
    };
    Device::open(&options).expect("the emulation opens")
}

fn source(addend: u32) -> KernelSource {
    let text = "WF_KERNEL(32) adds(u32* out) { out[threadIdx.x] = threadIdx.x + ADDEND; }";
    KernelSource::generated("adds", text, &["adds"]).define("ADDEND", addend)
}

/// Runs the kernel and says whether it was compiled for that.
fn run(device: &Device, addend: u32) -> bool {
    let module = device.module(&source(addend)).expect("module");
    let stream = device.stream().expect("stream");
    let reservation = device.reserve(1 << 12).expect("reservation");
    let out = stream.allocate(&reservation, 128).expect("buffer");
    let kernel = module.kernel("adds").expect("kernel");
    stream
        .launch(&kernel, Grid::new(1, 32), &Args::new().buffer(&out))
        .expect("launched");
    let expected: Vec<u32> = (0..32).map(|at| at + addend).collect();
    assert_eq!(stream.read_sync::<u32>(out.view()).expect("read"), expected);
    module.was_compiled()
}

#[test]
fn a_second_process_compiles_nothing() {
    let folder = folder("second");
    assert!(run(&open(&folder), 1));
    let again = open(&folder);
    assert!(!run(&again, 1), "found on disk");
    assert!(run(&again, 2), "another shape is another entry");
    assert_eq!(
        fs::read_dir(&folder).expect("folder").count(),
        2,
        "no drafts are left"
    );
}

#[test]
fn a_damaged_entry_is_compiled_again() {
    let folder = folder("damaged");
    assert!(run(&open(&folder), 1));
    let entry = fs::read_dir(&folder)
        .expect("folder")
        .flatten()
        .next()
        .expect("an entry")
        .path();
    let whole = fs::read(&entry).expect("readable");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&whole[..whole.len() / 2], &[], &flipped] {
        fs::write(&entry, damaged).expect("written");
        assert!(run(&open(&folder), 1), "damaged: compiled");
        assert!(!run(&open(&folder), 1), "and mended");
    }
}

#[test]
fn a_cache_that_cannot_be_written_does_not_stop_a_query() {
    let folder = folder("unwritable");
    fs::create_dir_all(folder.parent().expect("parent")).expect("made");
    fs::write(&folder, "a file where the folder should be").expect("written");
    let device = open(&folder);
    assert!(run(&device, 1));
    assert!(
        device
            .take_cache_error()
            .is_some_and(|error| error.to_string().contains("unwritable"))
    );
    assert_eq!(device.take_cache_error(), None);
}

#[test]
fn modules_are_compiled_side_by_side_and_ahead_of_time() {
    let folder = folder("ahead");
    let device = open(&folder);
    let sources: Vec<KernelSource> = (0..4).map(source).collect();
    let sources: Vec<&KernelSource> = sources.iter().collect();
    let disk = DiskCache::new(folder);
    assert_eq!(build_cache(&device.compiler(), &disk, &sources, 2), Ok(4));
    assert_eq!(build_cache(&device.compiler(), &disk, &sources, 2), Ok(0));
    let modules = device.modules(&sources, 2);
    assert!(
        modules
            .iter()
            .all(|module| module.as_ref().is_ok_and(|module| !module.was_compiled()))
    );
    let keys: Vec<_> = sources
        .iter()
        .map(|source| ModuleKey::of(source, &*device.compiler()))
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn concurrent_requests_share_one_compilation() {
    let device = open(&folder("shared"));
    let compiled: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| device.module(&source(9)).expect("module")))
            .collect();
        let modules: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().expect("joins"))
            .collect();
        modules
            .iter()
            .filter(|module| !std::sync::Arc::ptr_eq(module, &modules[0]))
            .count()
    });
    assert_eq!(compiled, 0);
}

#[test]
fn a_cache_has_a_bound() {
    let folder = folder("bound");
    let device = open(&folder);
    let disk = DiskCache::new(folder.clone());
    let sources: Vec<KernelSource> = (0..5).map(source).collect();
    for source in &sources {
        let key = ModuleKey::of(source, &*device.compiler());
        disk.publish(&key, b"an image").expect("published");
        // File systems tell times apart by some milliseconds only.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    fs::write(folder.join(".a draft of now"), "").expect("written");
    disk.prune(2).expect("pruned");
    let kept: Vec<bool> = sources
        .iter()
        .map(|source| disk.load(&ModuleKey::of(source, &*device.compiler())).is_some())
        .collect();
    assert_eq!(kept, [false, false, false, true, true]);
    assert!(
        folder.join(".a draft of now").exists(),
        "somebody may still finish it"
    );
}
