//! Scans that become smaller when the tables of the joins behind them are there.
//!
//! In: ranges of the keys of those tables. Out: less to read. A scan for which there is hope of that is opened, and not read
//! ahead if what it waits for is small: see [`super::Schedule`].

use std::sync::Arc;

use super::super::metrics::PipelineMetrics;
use super::{EndOnDrop, Opening, Scans, State, host_bytes};
use crate::operator::Result;
use crate::pipeline::{PipelineId, ScanKey};
use crate::scan::Narrowing;

impl Scans {
    /// The keys of joins by which there is hope to leave some of pipeline `id`'s scan out, when it is opened; none if it
    /// reads no scan, or one that cannot be opened.
    pub(in crate::exec) fn keys_sync(&self, id: PipelineId) -> Result<Vec<ScanKey>> {
        let shared = &*self.shared;
        let has_keys = |state: &State| {
            let index = state.index_of(id)?;
            (!state.scans[index].keys.is_empty()).then_some(index)
        };
        let Some(index) = has_keys(&shared.lock()) else {
            return Ok(Vec::new());
        };
        let keys = shared.wait_for(|state| match state.schedule.opening(index) {
            // It is opened when what is made now is there: by which joins there is hope is not known yet.
            Opening::Waiting if state.scans[index].is_late => Some(state.scans[index].keys.clone()),
            Opening::Waiting => None,
            Opening::Opened => Some(state.scans[index].keys.clone()),
            Opening::Failed => Some(Vec::new()),
        });
        Ok(keys?)
    }

    /// Leaves out of pipeline `id`'s scan what no narrowing wants; what was begun before stays. To be called when
    /// [`Self::keys_sync`] has said by what, before the scan is run.
    pub(in crate::exec) fn narrow_sync(&self, id: PipelineId, by: &[Narrowing]) -> Result<()> {
        let shared = &*self.shared;
        let held = {
            let mut state = shared.lock();
            state.index_of(id).and_then(|index| {
                let scan = state.scans[index].scan.clone()?;
                Some((index, scan, state.schedule.hold(index)))
            })
        };
        let Some((index, scan, begun)) = held else {
            return Ok(());
        };
        let narrowed = scan.narrowed_sync(begun, by)?;
        let filters = shared.lock().scans[index].filters.clone();
        let seeking = match (&narrowed, filters) {
            (Some(narrowed), Some(filters)) => filters.sought(narrowed).map(Arc::new),
            _ => None,
        };
        let mut state = shared.lock();
        state.schedule.let_on(index, narrowed.as_ref().map(host_bytes));
        if let Some(narrowed) = narrowed {
            state.scans[index].scan = Some(Arc::new(narrowed));
            state.scans[index].seeking = seeking;
        }
        drop(state);
        shared.changed.notify_all();
        Ok(())
    }

    /// Reads nothing of pipeline `id`'s scan, because no row of it can leave its joins.
    pub(in crate::exec) fn leave_out_sync(&self, id: PipelineId, metrics: &PipelineMetrics) -> Result<()> {
        let Some(&ScanKey { column, .. }) = self.keys_sync(id)?.first() else {
            return Ok(());
        };
        let nothing = Narrowing {
            column,
            ranges: Vec::new(),
        };
        self.narrow_sync(id, &[nothing])?;
        let index = self.shared.begin(id)?;
        let _ended = EndOnDrop {
            shared: &self.shared,
            index,
        };
        let (scan, counters) = {
            let state = self.shared.lock();
            let running = &state.scans[index];
            (running.scan.clone(), Arc::clone(&running.counters))
        };
        if let Some(scan) = scan {
            scan.count_pruned(&counters);
        }
        metrics.scanned(&counters.now());
        Ok(())
    }
}
