//! Opening scans: each in a task of its own, at once or when the values are there that say what it leaves out.

use std::sync::Arc;

use datafusion::error::DataFusionError;

use super::{Opening, Scans, Shared, host_bytes, ms, start_threads};
use crate::error::Error;
use crate::pipeline::PipelineId;
use crate::scan::{Scan, ScanSpec};

/// How far the scans of a run are opened.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) tasks: Vec<tokio::task::JoinHandle<()>>,
    /// Those that are opened later, by their numbers.
    pub(super) left: Vec<(usize, Arc<ScanSpec>)>,
}

impl Scans {
    /// Starts opening those scans up to pipeline `id`'s that waited for the values of subqueries, which are there now.
    pub(in crate::exec) fn open_before(&self, id: PipelineId) {
        let ids: Vec<PipelineId> = self.shared.lock().scans.iter().map(|scan| scan.id).collect();
        let left = std::mem::take(&mut self.opening.borrow_mut().left);
        let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|(index, _)| ids[*index] <= id);
        self.opening.borrow_mut().left = later;
        for (index, spec) in now {
            self.shared.lock().scans[index].is_late = false;
            self.open(index, spec);
        }
    }

    pub(super) fn open(&self, index: usize, spec: Arc<ScanSpec>) {
        let (context, shared) = (Arc::clone(&self.context), Arc::clone(&self.shared));
        let partition_bytes = self.partition_bytes;
        let unpacker = self.shared.gpu.device.unpacker();
        let task = self.handle.spawn(async move {
            let unopened = Unopened { shared, index };
            let opened = Scan::open(spec, &context, partition_bytes, unpacker).await;
            unopened.opened(opened);
        });
        self.opening.borrow_mut().tasks.push(task);
    }
}

/// A scan that is being opened: if its task goes away, that is said.
struct Unopened {
    shared: Arc<Shared>,
    index: usize,
}

impl Unopened {
    fn opened(&self, opened: Result<Scan, DataFusionError>) {
        let shared = &self.shared;
        let (mut keys, search, is_patient) = {
            let running = &shared.lock().scans[self.index];
            (running.keys.clone(), running.search.clone(), running.is_patient)
        };
        let mut seeking = None;
        if let Ok(scan) = &opened {
            keys.retain(|key| scan.is_clustered(key.column));
            seeking = search.sought(scan, &[]);
        }
        let mut state = shared.lock();
        if shared.is_stopped() {
            return;
        }
        match opened {
            Ok(scan) => {
                tracing::trace!(
                    pipeline = state.scans[self.index].id,
                    opened_ms = ms(shared.begun),
                    partitions = scan.partitions(),
                    row_groups_pruned = scan.row_groups_pruned(),
                    "scan opened"
                );
                let before = (is_patient || !keys.is_empty()).then(|| state.scans[self.index].before.clone());
                state.schedule.opened(self.index, host_bytes(&scan), before);
                state.scans[self.index].keys = keys;
                state.scans[self.index].seeking = seeking.map(Arc::new);
                let partitions = scan.partitions();
                state.scans[self.index].scan = Some(Arc::new(scan));
                if let Err(error) = start_threads(shared, &mut state, partitions) {
                    state.fail(self.index, error.into());
                }
            }
            Err(error) => state.fail(self.index, error),
        }
        drop(state);
        shared.changed.notify_all();
    }
}

impl Drop for Unopened {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.schedule.opening(self.index) == Opening::Waiting {
            let error = Error::internal("a scan was not opened to the end");
            state.fail(self.index, error.into());
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}
