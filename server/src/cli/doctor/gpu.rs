//! NVIDIA driver, GPUs and run-time compiler, as the device layer finds them, and what the GPU that would be used does
//! at best: copies, compiling, a few of the kernels' own checks.

use std::time::{Duration, Instant};

use kernels::cuda::{
    DriverState, GpuFacts, NvrtcCompiler, NvrtcState, Probe, nvcomp_version, probe, use_nvcomp_folder,
    use_nvrtc_folder,
};
use kernels::selftest::{self, measure_rates_sync};
use kernels::{Compiler, Device, DeviceKind, KernelSource};

use super::finding::Finding;
use crate::config::Config;
use crate::config::sections::{DeviceChoice, GpuOptions, Nvcomp};
use crate::core::kernel_cache;
use crate::error::Result;
use crate::exec::Gpus;

const SECTION: &str = "GPU";

/// The beginnings of the names of the checks that are run: one of each kind of work.
const CHECKS: [&str; 4] = ["device/", "prelude/block_scan", "parquet/codes", "sort/order"];
const SEED: u64 = 1;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    match config.engine.device {
        DeviceChoice::Cpu => {
            vec![Finding::of(SECTION, "device").ok("not looked for: the option device is cpu")]
        }
        DeviceChoice::Sim => of_device(config, None),
        DeviceChoice::Auto | DeviceChoice::Cuda => {
            let mut findings = Vec::new();
            if let Some(folder) = &config.gpu.nvrtc_folder
                && let Err(error) = use_nvrtc_folder(folder)
            {
                findings
                    .push(Finding::of(SECTION, "nvrtc_folder").warn(error, "mend the option nvrtc_folder"));
            }
            let found = probe();
            findings.extend(of_probe(&found));
            if found.is_usable() {
                findings.extend(nvcomp(&config.gpu));
                let gpu = found
                    .gpus
                    .iter()
                    .find(|gpu| gpu.ordinal as usize == config.gpu.gpu);
                findings.extend(of_device(config, gpu));
            }
            findings
        }
    }
}

/// The library for zstd and gzip pages: queries run without it too.
fn nvcomp(options: &GpuOptions) -> Vec<Finding> {
    let finding = Finding::of(SECTION, "nvCOMP");
    if options.nvcomp == Nvcomp::Off {
        return vec![
            finding.ok("not asked for (nvcomp = off): zstd and gzip pages are decompressed by the CPU"),
        ];
    }
    let mut findings = Vec::new();
    if let Some(folder) = &options.nvcomp_folder
        && let Err(error) = use_nvcomp_folder(folder)
    {
        findings.push(Finding::of(SECTION, "nvcomp_folder").warn(error, "mend the option nvcomp_folder"));
    }
    findings.push(of_nvcomp(finding, nvcomp_version()));
    findings
}

fn of_nvcomp(finding: Finding, found: Result<String, String>) -> Finding {
    match found {
        Ok(version) => finding.ok(format!("{version}, for zstd and gzip pages")),
        Err(reason) => finding.warn(
            format!("{reason}: zstd and gzip pages are decompressed by the CPU"),
            "install nvidia-libnvcomp-cu13 from PyPI and say where with nvcomp_folder, or set nvcomp = off",
        ),
    }
}

/// What the device that queries would run on does, opened as `serve` opens it.
fn of_device(config: &Config, gpu: Option<&GpuFacts>) -> Vec<Finding> {
    // Before anything else is compiled: what the first query of a process would meet.
    let first = gpu.map(|gpu| first_compile(&gpu.architecture));
    let environment = crate::config::store_environment();
    let gpus = Gpus::new(&config.gpu, kernel_cache(&environment));
    let start = Instant::now();
    let finding = Finding::of(SECTION, "device");
    let choice = match config.engine.device {
        DeviceChoice::Auto => DeviceChoice::Cuda,
        named => named,
    };
    let opened = match gpus.chosen(choice) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Vec::new(),
        Err(error) => {
            let advice = match config.engine.device {
                DeviceChoice::Auto => "queries run on the CPU until it is mended",
                _ => "`serve` will not start: mend it, or set device = auto or cpu",
            };
            return vec![match config.engine.device {
                DeviceChoice::Auto => finding.warn(error.message(), advice),
                _ => finding.missing(error.message(), advice),
            }];
        }
    };
    let info = opened.device.info();
    let mut findings = vec![finding.ok(format!(
        "{}, {}, its library kernels ready after {}",
        info.label(),
        info.name,
        short(start.elapsed())
    ))];
    if info.kind == DeviceKind::Cuda {
        findings.extend(rates(&opened.device, first));
    }
    findings.push(checks(&opened.device));
    findings
}

/// Time of the first kernel that this process compiles.
fn first_compile(architecture: &str) -> Result<Duration, String> {
    let text = "WF_KERNEL(32) first(u64* out) { out[wf_grid_thread()] = 1; }";
    let source = KernelSource::generated("first", text, &["first"]);
    let start = Instant::now();
    NvrtcCompiler::new(architecture)
        .and_then(|compiler| compiler.compile(&source))
        .map_err(|error| error.to_string())?;
    Ok(start.elapsed())
}

fn rates(device: &Device, first: Option<Result<Duration, String>>) -> Vec<Finding> {
    let copies = Finding::of(SECTION, "copies");
    let compiling = Finding::of(SECTION, "compiling");
    let measured = match measure_rates_sync(device) {
        Ok(measured) => measured,
        Err(error) => {
            return vec![copies.warn(error, "look for other programs on the GPU with `nvidia-smi`")];
        }
    };
    let gigabytes = |rate: f64| format!("{:.1} GB/s", rate / 1e9);
    let found = format!(
        "{} to the device, {} to the host, {} within the device",
        gigabytes(measured.to_device),
        gigabytes(measured.to_host),
        gigabytes(measured.on_device)
    );
    let compiling = match first {
        Some(Err(error)) => compiling.warn(
            error,
            "queries fail or run on the CPU: mend the run-time compiler",
        ),
        Some(Ok(first)) => compiling.ok(format!(
            "{} for the first kernel of a process, {} for the next",
            short(first),
            short(measured.compile)
        )),
        None => compiling.ok(format!("{} for a small kernel", short(measured.compile))),
    };
    vec![copies.ok(found), compiling]
}

fn checks(device: &Device) -> Finding {
    let finding = Finding::of(SECTION, "checks");
    let chosen = selftest::checks().into_iter();
    let chosen: Vec<_> = chosen
        .filter(|check| CHECKS.iter().any(|prefix| check.name.starts_with(prefix)))
        .collect();
    let mut failures = Vec::new();
    selftest::run(device, &chosen, SEED, |outcome| {
        if let Err(failure) = &outcome.result {
            failures.push(format!("{}: {}", outcome.name, failure.0));
        }
    });
    match failures.len() {
        0 => finding.ok(format!(
            "{} of the kernels' own passed; `warpflight selftest` runs all",
            chosen.len()
        )),
        _ => finding.missing(
            failures.join("\n"),
            "answers may be wrong: set device = cpu, and report it with the output of `warpflight selftest`",
        ),
    }
}

fn short(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

fn of_probe(found: &Probe) -> Vec<Finding> {
    vec![driver(found), compiler(&found.nvrtc)]
}

fn driver(found: &Probe) -> Finding {
    let finding = Finding::of(SECTION, "driver");
    match (&found.driver, found.gpus.as_slice()) {
        (DriverState::Missing(reason), _) => finding.warn(
            format!("{reason}: queries run on the CPU"),
            "with an NVIDIA GPU, install its driver (580 or later); in a container, add --gpus all",
        ),
        (DriverState::Ready(_), []) => finding.warn(
            "the driver shows no GPU: queries run on the CPU",
            "see `nvidia-smi`; in a container, add --gpus all",
        ),
        (DriverState::Ready(version), gpus) => {
            let (major, minor) = (version / 1000, version % 1000 / 10);
            let names: Vec<String> = gpus.iter().map(gpu).collect();
            finding.ok(format!("for CUDA {major}.{minor}\n{}", names.join("\n")))
        }
    }
}

fn gpu(facts: &GpuFacts) -> String {
    let gib = facts.memory_bytes as f64 / (1u64 << 30) as f64;
    format!(
        "{}: {}, {gib:.1} GiB, {}, {} multiprocessors",
        facts.ordinal, facts.name, facts.architecture, facts.multiprocessors
    )
}

fn compiler(found: &NvrtcState) -> Finding {
    let finding = Finding::of(SECTION, "run-time compiler");
    match found {
        NvrtcState::Ready { major, minor } => finding.ok(format!("NVRTC {major}.{minor}")),
        NvrtcState::Missing(reason) => finding.warn(
            format!("{reason}: queries run on the CPU"),
            "install it: the package cuda-nvrtc-13-0, or nvidia-cuda-nvrtc from PyPI",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Mark;

    fn machine() -> Probe {
        let gpu = GpuFacts {
            ordinal: 0,
            name: "NVIDIA H100 80GB HBM3".into(),
            memory_bytes: 80 << 30,
            architecture: "sm_90".into(),
            multiprocessors: 132,
        };
        let nvrtc = NvrtcState::Ready { major: 13, minor: 0 };
        Probe {
            driver: DriverState::Ready(13000),
            gpus: vec![gpu],
            nvrtc,
        }
    }

    #[test]
    fn a_machine_with_a_gpu() {
        let findings = of_probe(&machine());
        assert!(findings.iter().all(|finding| finding.mark == Mark::Ok));
        assert!(
            findings[0].found.starts_with("for CUDA 13.0\n"),
            "{}",
            findings[0].found
        );
        let gpu = "\n0: NVIDIA H100 80GB HBM3, 80.0 GiB, sm_90, 132 multiprocessors";
        assert!(findings[0].found.ends_with(gpu), "{}", findings[0].found);
    }

    #[test]
    fn nvcomp_is_named_with_its_version_or_what_to_do() {
        let finding = || Finding::of(SECTION, "nvCOMP");
        let found = of_nvcomp(finding(), Ok("6.0.0".into()));
        assert_eq!(
            (found.mark, found.found.as_str()),
            (Mark::Ok, "6.0.0, for zstd and gzip pages")
        );
        let missing = of_nvcomp(finding(), Err("nvCOMP is not installed".into()));
        assert_eq!(missing.mark, Mark::Warn);
        assert!(
            missing
                .advice
                .is_some_and(|advice| advice.contains("nvcomp_folder"))
        );
        let off = GpuOptions {
            nvcomp: Nvcomp::Off,
            nvcomp_folder: Some("/nowhere".into()),
            ..GpuOptions::default()
        };
        let off = nvcomp(&off);
        assert!(off.len() == 1 && off[0].mark == Mark::Ok, "{off:?}");
    }

    #[test]
    fn what_is_missing_is_a_warning_with_advice() {
        let no_gpu = Probe {
            gpus: Vec::new(),
            ..machine()
        };
        let nvrtc = NvrtcState::Missing("libnvrtc.so is not found".into());
        let nothing = Probe {
            driver: DriverState::Missing("no driver".into()),
            nvrtc,
            ..no_gpu.clone()
        };
        for finding in of_probe(&no_gpu).into_iter().take(1).chain(of_probe(&nothing)) {
            assert_eq!(finding.mark, Mark::Warn);
            assert!(finding.advice.is_some(), "{}", finding.found);
        }
    }
}
