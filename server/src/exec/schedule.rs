//! What the threads of a query's scans do next.
//!
//! In: how large partitions are; which were fetched, decoded and taken. Out: the next one to fetch or to decode. The scan
//! whose batches are taken comes first, and the oldest of its partitions may always go on, so that it never waits for
//! room that others hold. Scans after it are read ahead within bounds of their own, so that the next one has its first
//! partitions on the device when the last of the present one are computed. It knows neither files nor devices.

use std::collections::BTreeMap;

/// Bytes that the partitions of a query may take: in host memory from the beginning of their fetch, on the device from
/// their reservation, until they are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) host: usize,
    /// Of scans that nobody takes from yet.
    pub(super) host_ahead: usize,
    pub(super) device: usize,
    /// Of scans that nobody takes from yet.
    pub(super) device_ahead: usize,
    /// If less device memory than this is left, those give theirs back.
    pub(super) device_short: usize,
}

impl Bounds {
    /// Shares of what can be pinned, and of what queries have on the device.
    pub(super) fn of(pinned_bytes: usize, device_bytes: usize) -> Self {
        Self {
            host: pinned_bytes / 2,
            host_ahead: pinned_bytes / 8,
            device: device_bytes / 8,
            device_ahead: device_bytes / 16,
            device_short: device_bytes / 8,
        }
    }
}

/// A scan that joins may make smaller waits for them if what they read is smaller by this factor: reading it takes so
/// little of the time of both.
const SMALL_TIMES: usize = 8;

/// How far a scan is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Waiting,
    Opened,
    Failed,
}

/// A partition of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) scan: usize,
    pub(super) partition: usize,
    /// How often the scan had let go of what was read of it: what is under way since before does not count.
    epoch: usize,
}

/// Something to do. What is fetched is an `F`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<F> {
    Fetch {
        at: At,
    },
    /// In so many device bytes. Says [`Schedule::placed`] when it has them.
    Decode {
        at: At,
        item: F,
        bytes: usize,
    },
}

impl<F> Next<F> {
    pub(super) fn scan(&self) -> usize {
        match self {
            Self::Fetch { at } | Self::Decode { at, .. } => at.scan,
        }
    }
}

/// One scan.
#[derive(Debug)]
struct Line<F, D> {
    opening: Opening,
    is_begun: bool,
    is_ended: bool,
    /// Nothing more of it is fetched.
    has_failed: bool,
    /// Joins may leave some of it out, when the scans that they are made of were read.
    waits_for: Option<Vec<usize>>,
    /// Its partitions are being chosen anew.
    is_held: bool,
    epoch: usize,
    /// Host bytes of each partition.
    host_bytes: Vec<usize>,
    /// How many partitions were begun to be fetched, have their device memory, and were taken. Memory is given in order,
    /// so that the oldest never waits for what later ones hold.
    begun: usize,
    placed: usize,
    taken: usize,
    host_held: usize,
    device_held: usize,
    /// With their device bytes.
    fetched: BTreeMap<usize, (F, usize)>,
    device_bytes: BTreeMap<usize, usize>,
    decoded: BTreeMap<usize, D>,
}

impl<F, D> Line<F, D> {
    fn new() -> Self {
        Self {
            opening: Opening::Waiting,
            is_begun: false,
            is_ended: false,
            has_failed: false,
            waits_for: None,
            is_held: false,
            epoch: 0,
            host_bytes: Vec::new(),
            begun: 0,
            placed: 0,
            taken: 0,
            host_held: 0,
            device_held: 0,
            fetched: BTreeMap::new(),
            device_bytes: BTreeMap::new(),
            decoded: BTreeMap::new(),
        }
    }

    /// Back to where nothing of it was read.
    fn let_go(&mut self) -> Left<F, D> {
        self.epoch += 1;
        (self.begun, self.placed) = (0, 0);
        self.has_failed = false;
        (self.host_held, self.device_held) = (0, 0);
        self.device_bytes.clear();
        (
            std::mem::take(&mut self.fetched),
            std::mem::take(&mut self.decoded),
        )
    }
}

/// What was fetched or decoded and not taken.
pub(super) type Left<F, D> = (BTreeMap<usize, (F, usize)>, BTreeMap<usize, D>);

/// All scans of a query. What is fetched is an `F`, what is decoded a `D`.
#[derive(Debug)]
pub(super) struct Schedule<F, D> {
    bounds: Bounds,
    lines: Vec<Line<F, D>>,
    /// Scans whose batches are taken; the last one is the one that is waited for.
    taking: Vec<usize>,
}

impl<F, D> Schedule<F, D> {
    /// `scans` scans, none opened.
    pub(super) fn new(scans: usize, bounds: Bounds) -> Self {
        Self {
            bounds,
            lines: (0..scans).map(|_| Line::new()).collect(),
            taking: Vec::new(),
        }
    }

    /// A scan has partitions of so many host bytes. It may become smaller when the scans `before` it were read, if there
    /// are some named: it is not read ahead then, unless they take long to read.
    pub(super) fn opened(&mut self, scan: usize, host_bytes: Vec<usize>, before: Option<Vec<usize>>) {
        let line = &mut self.lines[scan];
        line.opening = Opening::Opened;
        line.host_bytes = host_bytes;
        line.waits_for = before;
    }

    /// Nothing more of a scan is begun until [`Self::let_on`]; how many of its partitions were.
    pub(super) fn hold(&mut self, scan: usize) -> usize {
        self.lines[scan].is_held = true;
        self.lines[scan].begun
    }

    /// A scan goes on, with these partitions if others than before; those that were begun are the same.
    pub(super) fn let_on(&mut self, scan: usize, host_bytes: Option<Vec<usize>>) {
        let line = &mut self.lines[scan];
        line.is_held = false;
        if let Some(host_bytes) = host_bytes {
            line.host_bytes = host_bytes;
        }
    }

    /// Whether a scan is not read ahead: that would be lost, and the scans before it are read soon.
    fn waits(&self, scan: usize) -> bool {
        let line = &self.lines[scan];
        let Some(before) = line.waits_for.as_ref().filter(|_| !line.is_begun) else {
            return false;
        };
        let is_open = |&before: &usize| self.lines[before].opening != Opening::Waiting;
        let bytes = |line: &Line<F, D>| line.host_bytes.iter().sum::<usize>();
        let before_bytes: usize = before.iter().map(|&before| bytes(&self.lines[before])).sum();
        !before.iter().all(is_open) || before_bytes.saturating_mul(SMALL_TIMES) <= bytes(line)
    }

    pub(super) fn failed_to_open(&mut self, scan: usize) {
        self.lines[scan].opening = Opening::Failed;
    }

    pub(super) fn opening(&self, scan: usize) -> Opening {
        self.lines[scan].opening
    }

    /// A scan's batches are taken from now on; false if they were before.
    pub(super) fn begin(&mut self, scan: usize) -> bool {
        if std::mem::replace(&mut self.lines[scan].is_begun, true) {
            return false;
        }
        self.taking.push(scan);
        true
    }

    /// Nobody takes from a scan any more.
    pub(super) fn end(&mut self, scan: usize) -> Left<F, D> {
        self.taking.retain(|&taking| taking != scan);
        self.lines[scan].is_ended = true;
        self.lines[scan].let_go()
    }

    /// Nobody takes from any.
    pub(super) fn end_all(&mut self) -> Vec<Left<F, D>> {
        (0..self.lines.len()).map(|scan| self.end(scan)).collect()
    }

    /// The scan whose batches are waited for, or will be next.
    fn current(&self) -> Option<usize> {
        let next = || self.lines.iter().position(|line| !line.is_ended);
        self.taking.last().copied().or_else(next)
    }

    /// The current scan, then the others in their order.
    fn order(&self) -> impl Iterator<Item = usize> + use<F, D> {
        let current = self.current();
        let others = (0..self.lines.len()).filter(move |&scan| Some(scan) != current);
        current.into_iter().chain(others)
    }

    /// What `held` says of all scans but the current one.
    fn ahead(&self, held: impl Fn(&Line<F, D>) -> usize) -> usize {
        let current = self.current();
        let others = self.lines.iter().enumerate();
        others
            .filter(|(scan, _)| Some(*scan) != current)
            .map(|(_, line)| held(line))
            .sum()
    }

    /// What to do next, if there is something that may be done.
    pub(super) fn next(&mut self) -> Option<Next<F>> {
        self.next_decode().or_else(|| self.next_fetch())
    }

    fn next_decode(&mut self) -> Option<Next<F>> {
        let current = self.current();
        let ahead = self.ahead(|line| line.device_held);
        for scan in self.order() {
            let line = &mut self.lines[scan];
            let Some(&(_, bytes)) = line.fetched.get(&line.placed) else {
                continue;
            };
            let may = match Some(scan) == current {
                true => line.placed == line.taken || line.device_held + bytes <= self.bounds.device,
                false => ahead + bytes <= self.bounds.device_ahead,
            };
            if !may {
                continue;
            }
            let partition = line.placed;
            if let Some((item, bytes)) = line.fetched.remove(&partition) {
                line.device_held += bytes;
                line.device_bytes.insert(partition, bytes);
                let epoch = line.epoch;
                let at = At {
                    scan,
                    partition,
                    epoch,
                };
                return Some(Next::Decode { at, item, bytes });
            }
        }
        None
    }

    fn next_fetch(&mut self) -> Option<Next<F>> {
        let current = self.current();
        let ahead = self.ahead(|line| line.host_held);
        let held: usize = self.lines.iter().map(|line| line.host_held).sum();
        for scan in self.order() {
            if self.waits(scan) {
                continue;
            }
            let line = &mut self.lines[scan];
            let Some(&bytes) = line.host_bytes.get(line.begun) else {
                continue;
            };
            if line.is_ended || line.has_failed || line.is_held {
                continue;
            }
            let may = match Some(scan) == current {
                true => line.begun == line.taken || held + bytes <= self.bounds.host,
                false => held + bytes <= self.bounds.host && ahead + bytes <= self.bounds.host_ahead,
            };
            if !may {
                // Scans behind it have to wait too.
                return None;
            }
            let at = At {
                scan,
                partition: line.begun,
                epoch: line.epoch,
            };
            line.begun += 1;
            line.host_held += bytes;
            return Some(Next::Fetch { at });
        }
        None
    }

    /// The line of a partition, if what becomes of it still counts.
    fn line(&mut self, at: At) -> Option<&mut Line<F, D>> {
        Some(&mut self.lines[at.scan]).filter(|line| line.epoch == at.epoch)
    }

    /// A partition is in host memory, and takes so many bytes of the device. Gives it back if nobody wants it.
    pub(super) fn fetched(&mut self, at: At, item: F, bytes: usize) -> Option<F> {
        match self.line(at) {
            Some(line) => line
                .fetched
                .insert(at.partition, (item, bytes))
                .map(|(item, _)| item),
            None => Some(item),
        }
    }

    /// A partition has its device memory, or will never have it.
    pub(super) fn placed(&mut self, at: At) {
        if let Some(line) = self.line(at) {
            line.placed += 1;
        }
    }

    /// A partition is on the device, or has failed, after which no more are fetched. Gives it back if nobody wants it.
    pub(super) fn decoded(&mut self, at: At, item: D, has_failed: bool) -> Option<D> {
        match self.line(at) {
            Some(line) => {
                line.has_failed |= has_failed;
                line.decoded.insert(at.partition, item)
            }
            None => Some(item),
        }
    }

    /// A partition, if it is decoded. Partitions are taken in order.
    pub(super) fn take(&mut self, scan: usize, partition: usize) -> Option<D> {
        let line = &mut self.lines[scan];
        let item = line.decoded.remove(&partition)?;
        line.taken = partition + 1;
        line.host_held = line.host_held.saturating_sub(line.host_bytes[partition]);
        let bytes = line.device_bytes.remove(&partition).unwrap_or(0);
        line.device_held = line.device_held.saturating_sub(bytes);
        Some(item)
    }

    /// If device memory is short, what scans have there that nobody takes from yet; no more is decoded ahead then.
    pub(super) fn let_go(&mut self, available_bytes: usize) -> Vec<Left<F, D>> {
        if available_bytes >= self.bounds.device_short || self.ahead(|line| line.device_held) == 0 {
            return Vec::new();
        }
        self.bounds.device_ahead = 0;
        let current = self.current();
        let lines = self.lines.iter_mut().enumerate();
        lines
            .filter(|(scan, line)| Some(*scan) != current && line.device_held > 0 && line.taken == 0)
            .map(|(_, line)| line.let_go())
            .collect()
    }
}

#[cfg(test)]
mod tests;
