//! The emulation catches what it is there to catch: each kernel here has one planted bug.

use std::path::PathBuf;

use warpflight_kernels::{
    Args, Buffer, Device, DeviceError, DeviceOptions, ErrorWord, Grid, KernelSource, Reservation, SimOptions,
    Stream, View,
};

fn open(sim: SimOptions) -> Device {
    let compiler = std::env::var_os("CXX").map(PathBuf::from);
    let cache_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("modules"));
    let options = DeviceOptions {
        cache_dir,
        sim: SimOptions { compiler, ..sim },
        ..DeviceOptions::sim()
    };
    Device::open(&options).expect("the emulation opens")
}

struct Bench {
    device: Device,
    stream: Stream,
    reservation: Reservation,
}

impl Bench {
    fn new(sim: SimOptions) -> Self {
        let device = open(sim);
        let stream = device.stream().expect("stream");
        let reservation = device.reserve(1 << 24).expect("reservation");
        Self {
            device,
            stream,
            reservation,
        }
    }

    /// Compiles `body` as the kernel `planted(u32* data, u64 count)` and runs it on a block of 64 threads over 64
    /// numbers, 0 to 63.
    fn run(&self, body: &str) -> Result<Vec<u32>, DeviceError> {
        let data = self
            .stream
            .upload_values(&self.reservation, &(0..64u32).collect::<Vec<_>>())?;
        self.run_on(body, data.view(), Grid::new(1, 64))?;
        self.stream.read_sync(data.view())
    }

    fn run_on(&self, body: &str, data: View<'_>, grid: Grid) -> Result<(), DeviceError> {
        let text = format!("WF_KERNEL(1024) planted(u32* data, u64 count) {{\n{body}\n}}\n");
        let module = self
            .device
            .module(&KernelSource::generated("planted", text, &["planted"]))?;
        let args = Args::new().view(data).value(data.len_bytes() as u64 / 4);
        self.stream.launch(&module.kernel("planted")?, grid, &args)?;
        self.stream.synchronize_sync()
    }

    fn allocate(&self, bytes: usize) -> Buffer {
        self.stream.allocate(&self.reservation, bytes).expect("allocated")
    }
}

/// Runs `body` under several seeds: each must fail, name the kernel and say `words`.
#[track_caller]
fn caught(body: &str, words: &str) {
    for seed in 0..4 {
        let error = Bench::new(SimOptions {
            seed,
            ..SimOptions::default()
        })
        .run(body)
        .expect_err("planted bug");
        assert_eq!(error.kernel(), Some("planted"), "{error}");
        assert!(error.to_string().contains(words), "seed {seed}: {error}");
    }
}

#[track_caller]
fn fine(body: &str) {
    for seed in 0..4 {
        let outcome = Bench::new(SimOptions {
            seed,
            ..SimOptions::default()
        })
        .run(body);
        assert!(outcome.is_ok(), "seed {seed}: {outcome:?}");
    }
}

const NEIGHBOUR: &str = "
  __shared__ u32 tile[64];
  tile[threadIdx.x] = 7;
  __syncthreads();
  tile[threadIdx.x] = data[threadIdx.x];
  BARRIER
  data[threadIdx.x] = tile[63 - threadIdx.x];";

#[test]
fn a_missing_barrier_is_a_race() {
    caught(&NEIGHBOUR.replace("BARRIER", ""), "race in shared memory");
    fine(&NEIGHBOUR.replace("BARRIER", "__syncthreads();"));
    // A warp barrier is not enough between warps, and is enough within one.
    caught(
        &NEIGHBOUR.replace("BARRIER", "__syncwarp();"),
        "race in shared memory",
    );
    fine(
        &NEIGHBOUR
            .replace("BARRIER", "__syncwarp();")
            .replace("63 - threadIdx.x", "threadIdx.x ^ 31u"),
    );
    caught(
        &NEIGHBOUR
            .replace("BARRIER", "")
            .replace("63 - threadIdx.x", "threadIdx.x ^ 31u"),
        "race in shared",
    );
}

#[test]
fn a_missing_barrier_gives_wrong_answers_under_some_seed() {
    let right: Vec<u32> = (0..64).rev().collect();
    let answers = |body: &str| -> Vec<bool> {
        let of = |seed| {
            let sim = SimOptions {
                seed,
                check_races: false,
                ..SimOptions::default()
            };
            Bench::new(sim).run(body).expect("races are not checked") == right
        };
        (0..8).map(of).collect()
    };
    assert!(
        answers(&NEIGHBOUR.replace("BARRIER", "__syncthreads();"))
            .iter()
            .all(|&right| right)
    );
    assert!(answers(&NEIGHBOUR.replace("BARRIER", "")).contains(&false));
}

#[test]
fn accesses_out_of_bounds_are_caught() {
    caught("data[threadIdx.x + 1] = 5;", "write of 4 bytes out of bounds");
    caught(
        "if (threadIdx.x == 3) data[0] = data[64];",
        "0 bytes past the end of an allocation of 256 bytes",
    );
    caught(
        "data[threadIdx.x] = *(data - 1);",
        "read of 4 bytes out of bounds",
    );
    caught("*(u32*)0 = 1;", "outside device and shared memory");
    caught(
        "__shared__ u32 tile[4]; tile[threadIdx.x] = 1;",
        "outside device and shared memory",
    );
    caught(
        "WF_DYNAMIC_SHARED(u32, tile); tile[threadIdx.x] = 1;",
        "of 0 bytes of dynamic shared memory",
    );
    caught("memcpy(data, data + 1, 256);", "read of 256 bytes out of bounds");
    caught("atomicAdd(&data[64], 1u);", "out of bounds");
    caught("data[0] = *(u32*)((u64)data + 2);", "misaligned");
    caught(
        "static int counter = 0; counter++;",
        "outside device and shared memory",
    );
}

#[test]
fn reads_of_unwritten_memory_are_caught() {
    let bench = Bench::new(SimOptions::default());
    let data = bench.allocate(256);
    let read = "if (threadIdx.x == 5) data[0] = data[5] + 1;";
    let error = bench
        .run_on(read, data.view(), Grid::new(1, 64))
        .expect_err("unwritten");
    assert!(
        error
            .to_string()
            .contains("planted failed: block (0,0,0) thread (5,0,0): read of 4 bytes that were never")
    );
    let error = bench.stream.read_sync::<u32>(data.view()).expect_err("unwritten");
    assert!(
        error
            .to_string()
            .contains("never written: byte 0 of an allocation of 256 bytes"),
        "{error}"
    );
    bench.stream.fill(data.view(), 0).expect("filled");
    bench
        .run_on(read, data.view(), Grid::new(1, 64))
        .expect("written now");
    caught(
        "__shared__ u32 tile[64]; data[threadIdx.x] = tile[threadIdx.x];",
        "shared memory at offset",
    );
}

#[test]
fn freed_memory_is_out_of_bounds() {
    let bench = Bench::new(SimOptions::default());
    let freed = bench.allocate(8).address();
    let error = bench
        .run(&format!("data[0] = *(u32*){freed}ull;"))
        .expect_err("freed");
    assert!(error.to_string().contains("out of bounds"), "{error}");
}

#[test]
fn divergence_ends_in_an_error_not_a_hang() {
    caught(
        "if (threadIdx.x < 7)\n __syncthreads();\nelse\n __syncthreads();",
        "divergent barrier",
    );
    caught(
        "if (threadIdx.x < 7) __syncthreads(); else __shfl_sync(~0u, 1, 0);",
        "deadlock",
    );
    caught(
        "if (threadIdx.x % 2) __shfl_sync(~0u, 1, 0); else __syncthreads();",
        "deadlock",
    );
    caught("__shfl_sync(1u, data[0], 0);", "leaves the caller out");
    caught(
        "if (threadIdx.x % 2) data[0] = __shfl_sync(0xaaaaaaaau, 1u, 0);",
        "does not take part",
    );
    caught("while (((volatile u32*)data)[0] == 0) { }", "livelock");
}

#[test]
fn threads_that_have_ended_are_not_waited_for() {
    fine(
        "if (threadIdx.x > 40) return;\n__syncthreads();\ndata[threadIdx.x] = __shfl_sync(~0u, data[threadIdx.x], 0);",
    );
}

#[test]
fn an_error_that_nobody_reads_is_reported() {
    let bench = Bench::new(SimOptions::default());
    let text = "WF_KERNEL(32) raises(WfError* error) { wf_raise(error, WF_OVERFLOW, threadIdx.x + 3); }";
    let module = bench
        .device
        .module(&KernelSource::generated("raises", text, &["raises"]))
        .expect("compiles");
    let raise = |word: &ErrorWord| {
        let kernel = module.kernel("raises").expect("kernel");
        bench
            .stream
            .launch(&kernel, Grid::new(1, 32), &Args::new().view(word.view()))
            .expect("launched");
    };
    let checked = ErrorWord::new(&bench.stream, &bench.reservation).expect("word");
    raise(&checked);
    let error = checked.check_sync(&bench.stream, "raises").expect_err("raised");
    assert_eq!(
        error,
        DeviceError::Data {
            kernel: "raises".to_owned(),
            flags: 1,
            item: 3
        }
    );
    drop(checked);
    bench
        .stream
        .synchronize_sync()
        .expect("an error that was read is over");

    let unchecked = ErrorWord::new(&bench.stream, &bench.reservation).expect("word");
    raise(&unchecked);
    drop(unchecked);
    let error = bench.stream.synchronize_sync().expect_err("nobody read the word");
    assert_eq!(
        error.to_string(),
        "kernel raises failed: error word dropped unread: arithmetic overflow"
    );
}

#[test]
fn launches_are_checked_before_they_run() {
    let bench = Bench::new(SimOptions::default());
    let source = KernelSource::generated("two", "WF_KERNEL(32) two(u32* a, u64 b) {}", &["two"]);
    let kernel = bench
        .device
        .module(&source)
        .and_then(|module| module.kernel("two"))
        .expect("compiles");
    let launch = |grid, args: &Args<'_>| {
        bench
            .stream
            .launch(&kernel, grid, args)
            .expect_err("refused")
            .to_string()
    };
    let args = Args::new().value(0u64).value(1u32);
    assert!(launch(Grid::new(1, 32), &args).contains("parameters take [8, 8] bytes, arguments have [8, 4]"));
    let args = Args::new().value(0u64).value(1u64);
    assert!(launch(Grid::new(1, 2048), &args).contains("a block of 2048 threads"));
    let broken = KernelSource::generated("broken", "WF_KERNEL(32) broken(u32* a) { a = ; }", &["broken"]);
    let error = bench
        .device
        .module(&broken)
        .expect_err("does not compile")
        .to_string();
    assert!(
        error.contains("kernel broken does not compile") && error.contains("broken.cu:1"),
        "{error}"
    );
}

#[test]
fn a_missing_wait_between_streams_shows_under_some_seed() {
    // The address is hidden in a number, so that the device layer does not know of the use.
    let outcome = |seed: u64, wait: bool| {
        let bench = Bench::new(SimOptions {
            seed,
            ..SimOptions::default()
        });
        let other = bench.device.stream().expect("stream");
        let data = bench.allocate(256);
        bench.stream.fill(data.view(), 1).expect("filled");
        if wait {
            other.wait(&bench.stream.record().expect("event")).expect("waits");
        }
        let text =
            "WF_KERNEL(64) reads(u64 address, u32* out) { out[threadIdx.x] = ((u32*)address)[threadIdx.x]; }";
        let module = bench
            .device
            .module(&KernelSource::generated("reads", text, &["reads"]))
            .expect("compiles");
        let out = other.allocate(&bench.reservation, 256).expect("allocated");
        let args = Args::new().value(data.address()).buffer(&out);
        other
            .launch(&module.kernel("reads").expect("kernel"), Grid::new(1, 64), &args)
            .expect("launched");
        other.synchronize_sync().is_ok()
    };
    assert!((0..8).all(|seed| outcome(seed, true)));
    assert!((0..8).any(|seed| !outcome(seed, false)));
}
