//! The joins of one pipeline, in their order: a batch goes through all of them before the next one comes.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::super::{Gpu, KernelTimes, Result};
use super::lookups::Lookups;
use super::pairs::Pairs;
use super::{Joined, Table};
use crate::batch::{DeviceBatch, Space};
use crate::pipeline::Stage;

/// Takes what leaves the last join, and says whether to go on.
pub type Leaving<'a> = dyn FnMut(DeviceBatch, Space) -> Result<ControlFlow<()>> + 'a;

/// See the module.
#[derive(Debug)]
pub struct Joins {
    links: Vec<Link>,
    is_void: bool,
}

#[derive(Debug)]
enum Link {
    Lookups(Lookups),
    Pairs(Box<Pairs>),
    /// Columns put where the joins behind expect them: for each, where it stands.
    Order(Vec<usize>),
}

impl Joins {
    /// The joins of `stages` with their tables.
    pub fn new(stages: &[Stage], tables: Vec<Arc<Table>>) -> Self {
        let mut links = Vec::new();
        let mut lookups: Vec<Joined> = Vec::new();
        let mut is_void = false;
        for (stage, table) in stages.iter().zip(tables) {
            let joined = Joined::new(stage, table);
            is_void |= joined.table.is_void(&joined.join);
            if joined.look().finding().is_none() {
                links.extend(ended(&mut lookups));
                links.push(Link::Pairs(Box::new(Pairs::new(joined))));
                continue;
            }
            let is_last = joined.look().is_last();
            lookups.push(joined);
            if is_last {
                links.extend(ended(&mut lookups));
            }
        }
        links.extend(ended(&mut lookups));
        Self { links, is_void }
    }

    /// These and then those of `after`, which see columns in `order` if there is one.
    pub(super) fn then(mut self, order: Option<Vec<usize>>, after: Self) -> Self {
        self.links.extend(order.map(Link::Order));
        self.links.extend(after.links);
        self.is_void |= after.is_void;
        self
    }

    /// Whether no row of the source can leave, because a table is empty; what is left in others still can.
    pub fn is_void(&self) -> bool {
        self.is_void
    }

    /// Sends the rows of `batch`, which `space` holds, through all joins.
    pub fn push_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        batch: DeviceBatch,
        space: &Space,
        out: &mut Leaving<'_>,
    ) -> Result<ControlFlow<()>> {
        push(&mut self.links, gpu, times, batch, space, out)
    }

    /// Sends what is left in tables through the joins after them, when all rows have been seen.
    pub fn finish_sync(
        &mut self,
        gpu: &Gpu,
        times: &KernelTimes,
        out: &mut Leaving<'_>,
    ) -> Result<ControlFlow<()>> {
        let mut links = &mut self.links[..];
        while let [link, after @ ..] = links {
            if let Some(joined) = link.last()
                && let Some(rest) = joined.rest_sync(gpu)?
                && push(after, gpu, times, rest, joined.table.space(), out)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
            links = after;
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Link {
    /// The join of it that may have rows left.
    fn last(&self) -> Option<&Joined> {
        match self {
            Self::Lookups(lookups) => lookups.last(),
            Self::Pairs(pairs) => Some(pairs.joined()),
            Self::Order(_) => None,
        }
    }
}

fn ended(lookups: &mut Vec<Joined>) -> Option<Link> {
    match lookups.is_empty() {
        true => None,
        false => Some(Link::Lookups(Lookups::new(std::mem::take(lookups)))),
    }
}

fn push(
    links: &mut [Link],
    gpu: &Gpu,
    times: &KernelTimes,
    batch: DeviceBatch,
    space: &Space,
    out: &mut Leaving<'_>,
) -> Result<ControlFlow<()>> {
    match links {
        [] => out(batch, space.clone()),
        [Link::Lookups(lookups), after @ ..] => match lookups.apply_sync(gpu, times, batch, space)? {
            Some(batch) => push(after, gpu, times, batch, space, out),
            None => Ok(ControlFlow::Continue(())),
        },
        [Link::Pairs(pairs), after @ ..] => pairs.apply_sync(gpu, times, &batch, space, &mut |batch| {
            push(after, gpu, times, batch, space, out)
        }),
        [Link::Order(order), after @ ..] => {
            let columns = order.iter().map(|&at| batch.columns[at].clone()).collect();
            let batch = DeviceBatch { columns, ..batch };
            push(after, gpu, times, batch, space, out)
        }
    }
}
