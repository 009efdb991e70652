//! Processor and memory.

use super::finding::Finding;
use crate::config::Config;
use crate::observe::machine::{self, Cgroup};
use crate::observe::units;

/// Less than this for all queries together is little.
const MEMORY_LITTLE_BYTES: u64 = 1 << 30;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    vec![cpu(), memory(), memory_limit(config)]
}

fn cpu() -> Finding {
    let finding = Finding::of("Machine", "CPU");
    let usable = machine::cpu_cores();
    let model = machine::cpu_model().unwrap_or_else(|| "of unknown model".into());
    let of_all = machine::physical_cpu_cores()
        .map(|all| format!(" of {all}"))
        .unwrap_or_default();
    let quota = Cgroup::of_this_process().cpu_quota();
    let quota = quota
        .map(|cores| format!(", container limit {cores:.1}"))
        .unwrap_or_default();
    let found = format!("{model}, {usable}{of_all} cores usable{quota}");
    match usable {
        1 => finding.warn(found, "one core serves one query at a time: give it more"),
        _ => finding.ok(found),
    }
}

fn memory() -> Finding {
    let finding = Finding::of("Machine", "memory");
    let Some(physical) = machine::physical_memory_bytes() else {
        return finding.warn("unknown: /proc/meminfo cannot be read", "set memory_limit");
    };
    let container = match Cgroup::of_this_process().memory_limit_bytes() {
        Some(limit) => format!(", container limit {}", units::bytes(limit)),
        None => ", no container limit".to_owned(),
    };
    let available = machine::available_memory_bytes()
        .map(|bytes| format!(", {} available now", units::bytes(bytes)))
        .unwrap_or_default();
    finding.ok(format!("{}{container}{available}", units::bytes(physical)))
}

fn memory_limit(config: &Config) -> Finding {
    let finding = Finding::of("Machine", "memory_limit");
    let limit = machine::memory_limit(config);
    let source = match config.limits.memory_limit.0 {
        0 => "60 % of what there is",
        _ => "as configured",
    };
    let found = format!("{} for all queries together, {source}", units::bytes(limit));
    match machine::memory_bytes() {
        Some(all) if limit > all => finding.warn(
            format!("{found}, more than the {} that there is", units::bytes(all)),
            "lower memory_limit: the kernel would kill the server before queries spill",
        ),
        _ if limit < MEMORY_LITTLE_BYTES => finding.warn(
            found,
            "larger joins and aggregates will spill or fail: give it 1 GiB or more",
        ),
        _ => finding.ok(found),
    }
}
