//! NVIDIA driver, GPUs and run-time compiler.
//!
//! Looked for without calling any of them: in what the driver shows under `/proc`, and where the dynamic linker
//! looks for libraries.

use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::config::sections::DeviceChoice;

const SECTION: &str = "GPU";

/// Folders that hold CUDA's libraries on common systems.
const LIBRARY_FOLDERS: [&str; 7] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/cuda/lib64",
    "/usr/local/cuda/targets/x86_64-linux/lib",
    "/usr/local/lib",
];

pub(super) fn findings(device: DeviceChoice) -> Vec<Finding> {
    if device == DeviceChoice::Cpu {
        return vec![Finding::of(SECTION, "device").ok("not looked for: the option device is cpu")];
    }
    vec![driver(Path::new("/proc/driver/nvidia")), compiler()]
}

fn driver(folder: &Path) -> Finding {
    let finding = Finding::of(SECTION, "driver");
    let Ok(version) = std::fs::read_to_string(folder.join("version")) else {
        return finding.warn(
            "no NVIDIA driver is loaded: queries run on the CPU",
            "with an NVIDIA GPU, install its driver (580 or later); in a container, add --gpus all",
        );
    };
    let version = version
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("NVRM version:")
        .trim();
    match gpus(folder) {
        none if none.is_empty() => finding.warn(
            format!("{version}; it shows no GPU: queries run on the CPU"),
            "see `nvidia-smi`; in a container, add --gpus all",
        ),
        names => finding.ok(format!("{version}\n{}", names.join("\n"))),
    }
}

/// The models of the GPUs that the driver shows.
fn gpus(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder.join("gpus")) else {
        return Vec::new();
    };
    let model = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path().join("information")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(format!(
            "{} at {}",
            line.trim(),
            entry.file_name().to_string_lossy()
        ))
    };
    let mut names: Vec<String> = entries.flatten().filter_map(model).collect();
    names.sort();
    names
}

fn compiler() -> Finding {
    let finding = Finding::of(SECTION, "run-time compiler");
    match find_library("libnvrtc.so") {
        Some(path) => finding.ok(format!("NVRTC at {}", path.display())),
        None => finding.warn(
            "NVRTC (libnvrtc.so) is not found: queries run on the CPU",
            "install it: the package cuda-nvrtc-13-0, or nvidia-cuda-nvrtc from PyPI",
        ),
    }
}

fn find_library(name: &str) -> Option<PathBuf> {
    let in_folder = |folder: &&str| {
        let entries = std::fs::read_dir(folder).ok()?;
        entries.flatten().map(|entry| entry.path()).find(|path| {
            path.file_name()
                .is_some_and(|file| file.to_string_lossy().starts_with(name))
        })
    };
    LIBRARY_FOLDERS.iter().find_map(in_folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Mark;

    #[test]
    fn what_the_driver_shows() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(driver(folder.path()).mark, Mark::Warn);
        let version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05\nGCC version: 12\n";
        std::fs::write(folder.path().join("version"), version).unwrap();
        assert!(driver(folder.path()).found.contains("580.95.05; it shows no GPU"));
        let gpu = folder.path().join("gpus/0000:01:00.0");
        std::fs::create_dir_all(&gpu).unwrap();
        std::fs::write(
            gpu.join("information"),
            "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ: 1\n",
        )
        .unwrap();
        let found = driver(folder.path());
        assert_eq!(found.mark, Mark::Ok);
        assert!(
            found.found.ends_with("\nNVIDIA H100 80GB HBM3 at 0000:01:00.0"),
            "{}",
            found.found
        );
    }
}
