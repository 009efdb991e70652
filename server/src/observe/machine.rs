//! What this machine, or this container, has: processors, memory, disk.
//!
//! In: the kernel's files (`/proc`, cgroups of both versions). Out: numbers. What a file does not say is
//! `None`, never a guess.

use std::path::{Path, PathBuf};

use crate::config::Config;

/// The share of memory that queries may use, unless `memory_limit` says otherwise.
const MEMORY_SHARE_PERCENT: u64 = 60;

/// What queries may use together where nothing is known of the machine's memory.
const MEMORY_UNKNOWN_BYTES: u64 = 4 << 30;

/// Bytes for the operators of all queries together: `memory_limit`, or 60 % of the smaller of the
/// machine's and the container's memory.
pub fn memory_limit(config: &Config) -> u64 {
    match config.limits.memory_limit.0 {
        0 => memory_bytes().map_or(MEMORY_UNKNOWN_BYTES, |bytes| bytes / 100 * MEMORY_SHARE_PERCENT),
        bytes => bytes,
    }
}

/// The smaller of the machine's and the container's memory.
pub fn memory_bytes() -> Option<u64> {
    [
        physical_memory_bytes(),
        Cgroup::of_this_process().memory_limit_bytes(),
    ]
    .into_iter()
    .flatten()
    .min()
}

/// The machine's memory.
pub fn physical_memory_bytes() -> Option<u64> {
    kib_line(&read("/proc/meminfo")?, "MemTotal:")
}

/// Memory that could be had without swapping.
pub fn available_memory_bytes() -> Option<u64> {
    kib_line(&read("/proc/meminfo")?, "MemAvailable:")
}

/// Memory of this process that is held in RAM.
pub fn resident_bytes() -> Option<u64> {
    kib_line(&read("/proc/self/status")?, "VmRSS:")
}

/// The name of the processor.
pub fn cpu_model() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Processors that this process may use: its affinity, and the container's quota.
pub fn cpu_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Processors that the machine has online.
pub fn physical_cpu_cores() -> Option<usize> {
    let text = read("/proc/cpuinfo")?;
    let count = text.lines().filter(|line| line.starts_with("processor")).count();
    (count > 0).then_some(count)
}

fn read(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The number of a line `NAME  123 kB`, in bytes.
fn kib_line(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The control groups of a process: of version 2 (`unified`), or one folder a controller of version 1.
#[derive(Debug, Clone, Default)]
pub struct Cgroup {
    unified: Vec<PathBuf>,
    memory: Vec<PathBuf>,
    cpu: Vec<PathBuf>,
}

impl Cgroup {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        Self::of(
            Path::new("/sys/fs/cgroup"),
            &read("/proc/self/cgroup").unwrap_or_default(),
        )
    }

    /// Those that the text of `/proc/self/cgroup` names, below `root`. A limit of a parent holds as well, and in a
    /// container the named folder may be out of sight: its own files then lie at the root.
    fn of(root: &Path, text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
                continue;
            };
            let folders = |base: PathBuf| -> Vec<PathBuf> {
                let named = base.join(path.trim_start_matches('/'));
                named
                    .ancestors()
                    .take_while(|folder| folder.starts_with(&base))
                    .map(Path::to_owned)
                    .collect()
            };
            match controllers {
                "" => found.unified = folders(root.to_owned()),
                _ => {
                    for controller in controllers.split(',') {
                        match controller {
                            "memory" => found.memory = folders(root.join("memory")),
                            "cpu" => found.cpu = folders(root.join("cpu")),
                            _ => {}
                        }
                    }
                }
            }
        }
        found
    }

    /// The least memory limit on the way up; `None` if there is none.
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        // Version 1 says "no limit" with a number just below 2^63.
        const NO_LIMIT: u64 = 1 << 60;
        let limits = |folders: &[PathBuf], file: &str| {
            let parsed = folders
                .iter()
                .filter_map(|folder| read(folder.join(file))?.trim().parse::<u64>().ok());
            parsed.filter(|&limit| limit < NO_LIMIT).min()
        };
        let (unified, version_1) = (
            limits(&self.unified, "memory.max"),
            limits(&self.memory, "memory.limit_in_bytes"),
        );
        [unified, version_1].into_iter().flatten().min()
    }

    /// The least quota of processor time on the way up, in processors; `None` if there is none.
    pub fn cpu_quota(&self) -> Option<f64> {
        let unified = self.unified.iter().filter_map(|folder| {
            let text = read(folder.join("cpu.max"))?;
            let (quota, period) = text.trim().split_once(' ')?;
            ratio(quota, period)
        });
        let version_1 = self.cpu.iter().filter_map(|folder| {
            let (quota, period) = (
                read(folder.join("cpu.cfs_quota_us"))?,
                read(folder.join("cpu.cfs_period_us"))?,
            );
            ratio(quota.trim(), period.trim())
        });
        unified.chain(version_1).min_by(f64::total_cmp)
    }
}

/// `quota / period`; `None` for "max" and for -1, which both mean none.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Bytes;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn limits_of_version_2_hold_on_the_way_up() {
        let root = tempfile::TempDir::new().unwrap();
        write(root.path(), "a/memory.max", "2000\n");
        write(root.path(), "a/b/memory.max", "max\n");
        write(root.path(), "a/b/cpu.max", "150000 100000\n");
        write(root.path(), "a/cpu.max", "max 100000\n");
        let cgroup = Cgroup::of(root.path(), "0::/a/b\n");
        assert_eq!(
            (cgroup.memory_limit_bytes(), cgroup.cpu_quota()),
            (Some(2000), Some(1.5))
        );
        assert_eq!(Cgroup::of(root.path(), "0::/other\n").memory_limit_bytes(), None);
    }

    #[test]
    fn limits_of_version_1_and_those_seen_from_inside_a_container() {
        let root = tempfile::TempDir::new().unwrap();
        write(
            root.path(),
            "memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        write(root.path(), "memory/x/memory.limit_in_bytes", "3000\n");
        write(root.path(), "cpu/cpu.cfs_quota_us", "200000\n");
        write(root.path(), "cpu/cpu.cfs_period_us", "100000\n");
        let text = "5:cpu,cpuacct:/unseen/path\n4:memory:/x\n0::/\n";
        let cgroup = Cgroup::of(root.path(), text);
        assert_eq!(
            (cgroup.memory_limit_bytes(), cgroup.cpu_quota()),
            (Some(3000), Some(2.0))
        );
        write(root.path(), "cpu/cpu.cfs_quota_us", "-1\n");
        assert_eq!(Cgroup::of(root.path(), text).cpu_quota(), None);
    }

    #[test]
    fn this_machine_has_memory_and_processors() {
        let memory = memory_bytes().unwrap();
        assert!(memory > 1 << 27 && memory <= physical_memory_bytes().unwrap());
        assert!(cpu_cores() >= 1);
        assert!(resident_bytes().unwrap() < memory);
        let mut config = Config::default();
        assert_eq!(memory_limit(&config), memory / 100 * 60);
        config.limits.memory_limit = Bytes(17);
        assert_eq!(memory_limit(&config), 17);
    }
}
