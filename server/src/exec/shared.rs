//! What several pipelines read: made when the first of them asks for it, kept until the last one has it.
//!
//! In: how many pipelines of the graph read each; which of them asked, and which never will. Out: the rows or the table that was
//! made, for each that asks. Whoever has some keeps the memory in use; beyond that nothing is held. It makes nothing.

use std::cell::RefCell;
use std::sync::Arc;

use crate::batch::DeviceBatch;
use crate::operator::Table;
use crate::pipeline::{PipelineGraph, PipelineId};

/// What a pipeline made. Nobody writes to it.
#[derive(Debug, Clone)]
pub(super) enum Made {
    Rows(Vec<DeviceBatch>),
    Table(Arc<Table>),
}

/// What whoever asks for a pipeline's rows is to do.
#[derive(Debug)]
pub(super) enum Asked {
    /// Make them: nobody else will ask.
    Alone,
    /// Make them, and have them kept.
    First,
    /// Take these.
    Later(Made),
}

/// The pipelines of one run.
#[derive(Debug)]
pub(super) struct Shared {
    places: RefCell<Vec<Place>>,
}

#[derive(Debug, Default)]
struct Place {
    /// Those that have not asked yet.
    readers: usize,
    is_asked: bool,
    kept: Option<Made>,
}

impl Shared {
    /// Nothing is made yet.
    pub(super) fn of(graph: &PipelineGraph) -> Self {
        let mut places = Vec::new();
        places.resize_with(graph.pipelines.len(), Place::default);
        for id in 0..graph.pipelines.len() {
            graph.reads(id).for_each(|read| places[read].readers += 1);
        }
        Self {
            places: RefCell::new(places),
        }
    }

    /// Whether every reader has asked or given up: nothing is kept for nobody.
    pub(super) fn is_settled(&self) -> bool {
        let places = self.places.borrow();
        places
            .iter()
            .all(|place| place.readers == 0 && place.kept.is_none())
    }

    /// One of its readers asks for what pipeline `id` makes.
    pub(super) fn ask(&self, id: PipelineId) -> Asked {
        let place = &mut self.places.borrow_mut()[id];
        // The root and what makes values have none.
        place.readers = place.readers.saturating_sub(1);
        place.is_asked = true;
        let made = match place.readers {
            0 => place.kept.take(),
            _ => place.kept.clone(),
        };
        match made {
            Some(made) => Asked::Later(made),
            None if place.readers == 0 => Asked::Alone,
            None => Asked::First,
        }
    }

    /// Keeps what pipeline `id` made if somebody may still ask for it.
    pub(super) fn keep(&self, id: PipelineId, made: &Made) {
        let place = &mut self.places.borrow_mut()[id];
        if place.readers > 0 {
            place.kept = Some(made.clone());
        }
    }

    /// One of its readers will never ask for what pipeline `id` makes. Whether nobody else has asked or will, so that it never
    /// asks for what it reads either.
    pub(super) fn give_up(&self, id: PipelineId) -> bool {
        let place = &mut self.places.borrow_mut()[id];
        place.readers = place.readers.saturating_sub(1);
        if place.readers == 0 {
            place.kept = None;
        }
        place.readers == 0 && !place.is_asked
    }
}

#[cfg(test)]
mod tests;
