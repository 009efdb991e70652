//! Scans that become smaller when the tables of the joins behind them are there.
//!
//! In: ranges of the keys of those tables, and the tables themselves. Out: less to read. A scan for which there is hope of that is opened, and not read
//! ahead if what it waits for is small: see [`super::Schedule`].

use std::sync::Arc;

use super::super::metrics::PipelineMetrics;
use super::seek::Seeking;
use super::{EndOnDrop, Opening, Scans, State, host_bytes};
use crate::operator::{Result, TableKeys};
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

    /// Leaves out of pipeline `id`'s scan what no narrowing wants, and has its rows looked for by `tables` where that is worth
    /// it; what was begun before stays. To be called when [`Self::keys_sync`] has said by what it is narrowed, before the
    /// scan is run.
    pub(in crate::exec) fn narrow_sync(
        &self,
        id: PipelineId,
        by: &[Narrowing],
        tables: &[TableKeys],
    ) -> Result<()> {
        let shared = &*self.shared;
        shared.wait_for(|state| {
            let is_waiting = |index| state.schedule.opening(index) == Opening::Waiting;
            let index = state.index_of(id).filter(|&index| is_waiting(index));
            index.is_none_or(|index| state.scans[index].is_late).then_some(())
        })?;
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
        let narrowed = match by.is_empty() {
            true => None,
            false => scan.narrowed_sync(begun, by)?,
        };
        let search = shared.lock().scans[index].search.clone();
        let seeking = search.sought(narrowed.as_ref().unwrap_or(&scan), tables);
        let mut state = shared.lock();
        state.schedule.let_on(index, narrowed.as_ref().map(host_bytes));
        // What looks by filters alone goes on with what it has found out.
        if narrowed.is_some() || seeking.as_ref().is_some_and(Seeking::asks_tables) {
            state.scans[index].seeking = seeking.map(Arc::new);
        }
        if let Some(narrowed) = narrowed {
            state.scans[index].scan = Some(Arc::new(narrowed));
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
        self.narrow_sync(id, &[nothing], &[])?;
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
