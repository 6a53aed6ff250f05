//! Callbacks of single records, kept by batch: those of one type lie side by side, so that a record's
//! own callback costs no allocation of its own.

use core::any::Any;

use klamm::Report;

use crate::completion::covers;
use crate::delivery::{Delivered, outcome};
use crate::error::DeliveryError;
use crate::hooks::quietly;

/// What a record's own callback is told, once.
pub(crate) type Told = Result<Delivered, DeliveryError>;

/// The callbacks of a batch's records, in their order.
#[derive(Default)]
pub(crate) struct Callbacks(Vec<Box<dyn Row>>);

impl Callbacks {
    /// Adds one for the record with this index, which is higher than those before. `usual` is how many
    /// a batch may have.
    pub(crate) fn add<F>(&mut self, index: u16, callback: F, usual: usize)
    where
        F: FnOnce(Told) + Send + 'static,
    {
        if let Some(last) = self.0.last_mut() {
            let last: &mut dyn Any = &mut **last;
            if let Some(row) = last.downcast_mut::<RowOf<F>>() {
                row.0.push((index, callback));
                return;
            }
        }
        let mut row = RowOf(Vec::with_capacity(usual));
        row.0.push((index, callback));
        self.0.push(Box::new(row));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|row| row.len()).sum()
    }

    /// Takes out those that a report is about.
    pub(crate) fn take(&mut self, report: &Report) -> Self {
        let taken = self.0.iter_mut().filter_map(|row| row.take(report)).collect();
        self.0.retain(|row| row.len() > 0);
        Self(taken)
    }

    /// Calls all of them; without a report nothing more will be known.
    pub(crate) fn call(self, report: Option<&Report>) {
        self.0.into_iter().for_each(|row| row.call(report));
    }
}

/// Callbacks of one type.
trait Row: Any + Send {
    fn len(&self) -> usize;
    fn take(&mut self, report: &Report) -> Option<Box<dyn Row>>;
    fn call(self: Box<Self>, report: Option<&Report>);
}

struct RowOf<F>(Vec<(u16, F)>);

impl<F: FnOnce(Told) + Send + 'static> Row for RowOf<F> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn take(&mut self, report: &Report) -> Option<Box<dyn Row>> {
        let is_its = |(index, _): &(u16, F)| covers(report, *index);
        let ends = [self.0.first(), self.0.last()];
        let taken = if ends.into_iter().flatten().all(is_its) {
            core::mem::take(&mut self.0)
        } else {
            self.0.extract_if(.., |one| is_its(one)).collect()
        };
        (!taken.is_empty()).then(|| Box::new(Self(taken)) as Box<dyn Row>)
    }

    fn call(self: Box<Self>, report: Option<&Report>) {
        for (index, callback) in self.0 {
            let told = report.map_or(Err(DeliveryError::DriverFailed), |r| outcome(r, index));
            quietly(|| callback(told));
        }
    }
}
