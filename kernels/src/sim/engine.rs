//! Streams of the emulation. Comes in: operations, queued without running. Goes out: their effects, when somebody
//! asks how far a stream is. Which stream goes next is drawn from the seed, so that a missing wait shows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::runtime::{Runtime, SimKernel};
use crate::api::{RawBatch, RawEvent, RawStream};
use crate::error::{DeviceError, Result};
use crate::error_word::ErrorFlags;
use crate::launch::{Grid, PackedArgs};

/// A host pointer that an operation carries to the time when it runs.
#[derive(Clone, Copy)]
pub(crate) struct HostPointer(pub(crate) *mut u8);
// SAFETY: whoever queued the operation vouched that the memory stays valid until it has run.
unsafe impl Send for HostPointer {}

pub(crate) enum Operation {
    ToDevice {
        device: u64,
        host: HostPointer,
        bytes: usize,
    },
    ToHost {
        host: HostPointer,
        device: u64,
        bytes: usize,
    },
    Copy {
        target: u64,
        source: u64,
        bytes: usize,
    },
    Fill {
        address: u64,
        byte: u8,
        bytes: usize,
    },
    Launch {
        name: String,
        kernel: Box<SimKernel>,
        grid: Grid,
        args: PackedArgs,
        seed: u64,
    },
    Unpack {
        batch: RawBatch,
    },
    Record {
        event: RawEvent,
        turn: u64,
    },
    Wait {
        event: RawEvent,
        turn: u64,
    },
    Release {
        address: u64,
    },
    /// An error word that nobody read goes: nothing may have been raised.
    ExpectZero {
        address: u64,
    },
}

#[derive(Default)]
struct SimStream {
    queue: VecDeque<Operation>,
    /// The first error of the stream: it is reported once, by whoever waits next.
    error: Option<DeviceError>,
    last_kernel: String,
}

/// An event is recorded again and again; each time is a turn.
#[derive(Default, Clone)]
struct SimEvent {
    recorded: u64,
    /// Records that no stream has come to yet. An event that is used again may have several, on streams that run in any
    /// order: who waits for one does not wait for, and is not let on by, another.
    pending: BTreeSet<u64>,
    stream: Option<RawStream>,
    when: Option<Instant>,
}

pub(crate) struct Engine {
    runtime: &'static Runtime,
    streams: BTreeMap<RawStream, SimStream>,
    events: BTreeMap<RawEvent, SimEvent>,
    next_handle: u64,
    random: u64,
    in_order: bool,
    check_races: bool,
}

impl Engine {
    pub(crate) fn new(runtime: &'static Runtime, seed: u64, check_races: bool) -> Self {
        Self {
            runtime,
            streams: BTreeMap::new(),
            events: BTreeMap::new(),
            next_handle: 1,
            random: seed,
            in_order: seed == 0,
            check_races,
        }
    }

    pub(crate) fn random(&mut self) -> u64 {
        // SplitMix64, as in the runtime.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A seed for a launch; 0, plain order, if the device's is.
    pub(crate) fn launch_seed(&mut self) -> u64 {
        if self.in_order { 0 } else { self.random() | 1 }
    }

    fn handle(&mut self) -> u64 {
        self.next_handle += 1;
        self.next_handle
    }

    pub(crate) fn create_stream(&mut self) -> RawStream {
        let stream = RawStream(self.handle());
        self.streams.insert(stream, SimStream::default());
        stream
    }

    pub(crate) fn destroy_stream(&mut self, stream: RawStream) {
        self.streams.remove(&stream);
    }

    pub(crate) fn create_event(&mut self) -> RawEvent {
        let event = RawEvent(self.handle());
        self.events.insert(event, SimEvent::default());
        event
    }

    pub(crate) fn destroy_event(&mut self, event: RawEvent) {
        self.events.remove(&event);
    }

    pub(crate) fn push(&mut self, stream: RawStream, operation: Operation) {
        self.streams.entry(stream).or_default().queue.push_back(operation);
    }

    pub(crate) fn record(&mut self, event: RawEvent, stream: RawStream) {
        let entry = self.events.entry(event).or_default();
        entry.recorded += 1;
        entry.stream = Some(stream);
        let turn = entry.recorded;
        entry.pending.insert(turn);
        self.push(stream, Operation::Record { event, turn });
    }

    pub(crate) fn wait(&mut self, stream: RawStream, event: RawEvent) {
        let turn = self.events.entry(event).or_default().recorded;
        self.push(stream, Operation::Wait { event, turn });
    }

    /// Whether an event is reached, after the device got on a little.
    pub(crate) fn is_done(&mut self, event: RawEvent) -> Result<bool> {
        if !self.reached(event) {
            self.step();
        }
        if !self.reached(event) {
            return Ok(false);
        }
        self.report(self.events.get(&event).and_then(|event| event.stream))
            .map(|()| true)
    }

    pub(crate) fn wait_sync(&mut self, event: RawEvent) -> Result<()> {
        while !self.reached(event) {
            if !self.step() {
                return Err(stuck());
            }
        }
        self.report(self.events.get(&event).and_then(|event| event.stream))
    }

    pub(crate) fn synchronize_sync(&mut self, stream: RawStream) -> Result<()> {
        while self
            .streams
            .get(&stream)
            .is_some_and(|stream| !stream.queue.is_empty())
        {
            if !self.step() {
                return Err(stuck());
            }
        }
        self.report(Some(stream))
    }

    pub(crate) fn elapsed(&self, start: RawEvent, end: RawEvent) -> Duration {
        let when = |event| self.events.get(&event).and_then(|event: &SimEvent| event.when);
        match (when(start), when(end)) {
            (Some(start), Some(end)) => end.saturating_duration_since(start),
            _ => Duration::ZERO,
        }
    }

    fn reached(&self, event: RawEvent) -> bool {
        self.events
            .get(&event)
            .is_none_or(|event| !event.pending.contains(&event.recorded))
    }

    fn report(&mut self, stream: Option<RawStream>) -> Result<()> {
        let error = stream.and_then(|stream| self.streams.get_mut(&stream)?.error.take());
        error.map_or(Ok(()), Err)
    }

    /// Runs one operation of a stream drawn among those that can go on. False if none can.
    fn step(&mut self) -> bool {
        let ready: Vec<RawStream> = self
            .streams
            .iter()
            .filter(|(_, stream)| {
                stream
                    .queue
                    .front()
                    .is_some_and(|operation| self.can_run(operation))
            })
            .map(|(&raw, _)| raw)
            .collect();
        if ready.is_empty() {
            return false;
        }
        let drawn = if self.in_order {
            0
        } else {
            self.random() as usize % ready.len()
        };
        let raw = ready[drawn];
        let Some(operation) = self
            .streams
            .get_mut(&raw)
            .and_then(|stream| stream.queue.pop_front())
        else {
            return false;
        };
        // After an error the rest of the stream does not run, but its events are reached and its memory is freed.
        let failed = self
            .streams
            .get(&raw)
            .is_some_and(|stream| stream.error.is_some());
        if let Err(error) = self.run(operation, raw, failed)
            && let Some(stream) = self.streams.get_mut(&raw)
        {
            stream.error.get_or_insert(error);
        }
        true
    }

    fn can_run(&self, operation: &Operation) -> bool {
        match operation {
            Operation::Wait { event, turn } => self
                .events
                .get(event)
                .is_none_or(|event| !event.pending.contains(turn)),
            _ => true,
        }
    }

    fn run(&mut self, operation: Operation, stream: RawStream, failed: bool) -> Result<()> {
        match operation {
            Operation::Record { event, turn } => {
                if let Some(event) = self.events.get_mut(&event) {
                    event.pending.remove(&turn);
                    event.when = Some(Instant::now());
                }
                Ok(())
            }
            Operation::Wait { .. } => Ok(()),
            Operation::Release { address } => {
                self.memory().free(address);
                Ok(())
            }
            _ if failed => Ok(()),
            Operation::Launch {
                name,
                kernel,
                grid,
                args,
                seed,
            } => {
                let outcome = self.runtime.launch(&kernel, grid, &args, seed, self.check_races);
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.last_kernel.clone_from(&name);
                }
                outcome.map_err(|reason| DeviceError::Fault { kernel: name, reason })
            }
            Operation::ExpectZero { address } => self.expect_zero(address, stream),
            copy => self.run_copy(copy).map_err(|(what, reason)| DeviceError::Fault {
                kernel: what.to_owned(),
                reason,
            }),
        }
    }

    fn expect_zero(&mut self, address: u64, stream: RawStream) -> Result<()> {
        let kernel = || {
            self.streams
                .get(&stream)
                .map(|stream| stream.last_kernel.clone())
                .unwrap_or_default()
        };
        let fault = |reason| DeviceError::Fault {
            kernel: kernel(),
            reason,
        };
        let word = self.memory().readable(address, 8).map_err(fault)?;
        // SAFETY: `readable` checked 8 bytes; error words are aligned as allocations are.
        match unsafe { word.cast::<u64>().read() } {
            0 => Ok(()),
            flags => Err(fault(format!("error word dropped unread: {}", ErrorFlags(flags)))),
        }
    }

    fn run_copy(&mut self, operation: Operation) -> Result<(), (&'static str, String)> {
        let mut memory = self.memory();
        match operation {
            Operation::ToDevice { device, host, bytes } => {
                let target = memory
                    .writable(device, bytes)
                    .map_err(|reason| ("upload", reason))?;
                // SAFETY: the target was checked, the source is vouched for by whoever queued the copy.
                unsafe { host.0.copy_to_nonoverlapping(target, bytes) };
            }
            Operation::ToHost { host, device, bytes } => {
                let source = memory
                    .readable(device, bytes)
                    .map_err(|reason| ("download", reason))?;
                // SAFETY: the source was checked, the target is vouched for by whoever queued the copy.
                unsafe { source.copy_to_nonoverlapping(host.0, bytes) };
            }
            Operation::Copy {
                target,
                source,
                bytes,
            } => {
                memory
                    .copy(target, source, bytes)
                    .map_err(|reason| ("copy", reason))?;
            }
            Operation::Fill { address, byte, bytes } => {
                let target = memory
                    .writable(address, bytes)
                    .map_err(|reason| ("fill", reason))?;
                // SAFETY: the target was checked.
                unsafe { target.write_bytes(byte, bytes) };
            }
            Operation::Unpack { batch } => {
                super::unpack::unpack(&mut memory, &batch).map_err(|reason| ("unpack", reason))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn memory(&self) -> std::sync::MutexGuard<'static, super::memory::Memory> {
        self.runtime
            .memory
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn stuck() -> DeviceError {
    DeviceError::Fault {
        kernel: "stream".to_owned(),
        reason: "every stream waits for an event that no queued work records".to_owned(),
    }
}
