//! NVIDIA driver, GPUs and run-time compiler, as the device layer finds them.

use kernels::cuda::{DriverState, GpuFacts, NvrtcState, Probe, probe};

use super::finding::Finding;
use crate::config::sections::DeviceChoice;

const SECTION: &str = "GPU";

/// What a GPU is good for in this version.
const NOT_YET: &str = "this version plans for GPUs but runs every query on the CPU";

pub(super) fn findings(device: DeviceChoice) -> Vec<Finding> {
    match device {
        DeviceChoice::Cpu => {
            vec![Finding::of(SECTION, "device").ok("not looked for: the option device is cpu")]
        }
        DeviceChoice::Sim => {
            vec![Finding::of(SECTION, "device").ok("not looked for: the option device is sim")]
        }
        DeviceChoice::Auto | DeviceChoice::Cuda => of_probe(&probe()),
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
            finding.ok(format!(
                "for CUDA {major}.{minor}; {NOT_YET}\n{}",
                names.join("\n")
            ))
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
            findings[0].found.starts_with("for CUDA 13.0;"),
            "{}",
            findings[0].found
        );
        let gpu = "\n0: NVIDIA H100 80GB HBM3, 80.0 GiB, sm_90, 132 multiprocessors";
        assert!(findings[0].found.ends_with(gpu), "{}", findings[0].found);
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
