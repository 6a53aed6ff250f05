//! What may have to wait: an operation is tried, and where the core says "not now", it takes its
//! place in a queue. Threads park between two tries, tasks are pending; the rest is the same.

use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use klamm::{Record, RecordId, TopicId};

use crate::batch::{Batch, BatchDelivery};
use crate::callbacks::Told;
use crate::delivery::Delivery;
use crate::error::SendError;
use crate::gate::{Gate, Ticket};
use crate::handle::{Driver, Handle};
use crate::interceptor::Outgoing;
use crate::shared::{Inner, Refusal, Shared, Target};

/// Records that `post_all` takes under one lock: enough to make the lock cheap, few enough to let
/// the driver in between.
const RECORDS_A_LOCK: usize = 64;

/// Drivers that a call starts, at most.
pub(crate) const RENEWALS: usize = 2;

/// What an operation does with the core, if it can; `Gate` is the one at which it is the first.
type Act<'a, T> = dyn FnMut(&mut Inner, klamm::Instant, Option<Gate>) -> Result<T, Refusal> + 'a;

/// Something that may have to wait. Dropped before it is ready, it has done nothing, and its place
/// in the queue is given up.
pub trait Operation {
    /// What comes of it.
    type Output;
    /// Why nothing did.
    type Error;

    /// Tries. With a waker it may be pending: the waker is called when it is worth another try.
    /// Without one it never waits.
    fn poll(&mut self, waker: Option<&Waker>) -> Poll<Result<Self::Output, Self::Error>>;

    /// Where it waits.
    fn waiting(&self) -> &Waiting;

    /// Tries once.
    ///
    /// # Errors
    /// It was refused, also with what waiting would heal.
    fn now(mut self) -> Result<Self::Output, Self::Error>
    where
        Self: Sized,
    {
        loop {
            if let Poll::Ready(result) = self.poll(None) {
                return result;
            }
        }
    }
}

/// A place in a queue, and how long one may keep it.
pub struct Waiting {
    place: Option<(Arc<Shared>, Ticket)>,
    since: Option<Instant>,
    limit: Duration,
    /// What it waits for.
    last: klamm::SendError,
}

impl Waiting {
    fn new<D: Driver>(handle: &Handle<D>) -> Self {
        Self::up_to(handle.options().max_block)
    }

    fn up_to(limit: Duration) -> Self {
        Self { place: None, since: None, limit, last: klamm::SendError::Full }
    }

    /// What is left of `max.block.ms`. The operation ends when it is tried after that.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.since.map(|since| since.elapsed()).unwrap_or_default())
    }

    /// Tries `act`, at once or in turn.
    fn poll<D: Driver, T>(
        &mut self,
        handle: &Handle<D>,
        waker: Option<&Waker>,
        act: &mut Act<'_, T>,
    ) -> Poll<Result<T, SendError>> {
        // A driver may be dead when it begins: the runtime is shutting down.
        for _ in 0..=RENEWALS {
            let step = match self.place.take() {
                Some((shared, ticket)) => self.again(&shared, ticket, waker, act),
                None => {
                    let (shared, now) = handle.current_at()?;
                    self.first(&shared, now, waker, act)
                }
            };
            match step {
                Step::Done(result) => return Poll::Ready(result),
                Step::Pending => return Poll::Pending,
                Step::Dead(shared) => {
                    handle.renew(&shared)?;
                }
            }
        }
        Poll::Ready(Err(SendError::DriverFailed))
    }

    fn first<T>(
        &mut self,
        shared: &Arc<Shared>,
        now: klamm::Instant,
        waker: Option<&Waker>,
        act: &mut Act<'_, T>,
    ) -> Step<T> {
        let _panic = shared.tell_of_panic();
        let mut inner = shared.lock();
        if inner.dead {
            return Step::Dead(Arc::clone(shared));
        }
        let refusal = match act(&mut inner, now, None) {
            Ok(value) => {
                shared.release(inner);
                return Step::Done(Ok(value));
            }
            Err(refusal) => refusal,
        };
        let ticket = match (waker, refusal.gate()) {
            // In a callback: waiting for itself would be for ever.
            (Some(waker), Some(gate)) if !shared.is_driver() => {
                inner.gates.join(gate, waker.clone())
            }
            _ => {
                shared.release(inner);
                return Step::Done(Err(SendError::Refused(refusal.error)));
            }
        };
        shared.release(inner);
        self.since.get_or_insert_with(Instant::now);
        self.last = refusal.error;
        self.again(shared, ticket, waker, act)
    }

    /// In the queue: tries if it is our turn.
    fn again<T>(
        &mut self,
        shared: &Arc<Shared>,
        mut ticket: Ticket,
        waker: Option<&Waker>,
        act: &mut Act<'_, T>,
    ) -> Step<T> {
        let _panic = shared.tell_of_panic();
        let mut inner = shared.lock();
        let mut last = self.last;
        let result = loop {
            if inner.dead {
                inner.gates.leave(&ticket);
                shared.release(inner);
                return Step::Dead(Arc::clone(shared));
            }
            if inner.closing {
                break Err(SendError::Refused(klamm::SendError::Closed));
            }
            if inner.gates.may_try(&ticket) {
                let refusal = match act(&mut inner, shared.clock.now(), Some(ticket.gate)) {
                    Ok(value) => break Ok(value),
                    Err(refusal) => refusal,
                };
                last = refusal.error;
                self.last = last;
                match refusal.gate() {
                    None => break Err(SendError::Refused(last)),
                    Some(other) if other != ticket.gate => {
                        // First into the other queue, then out of this one: the order is kept.
                        let waker = waker.cloned().unwrap_or_else(|| Waker::noop().clone());
                        let next = inner.gates.join(other, waker);
                        inner.gates.leave(&ticket);
                        ticket = next;
                        continue;
                    }
                    Some(_) => {}
                }
            }
            let waited = self.since.map(|since| since.elapsed()).unwrap_or_default();
            let Some(waker) = waker.filter(|_| waited < self.limit) else {
                break Err(SendError::TimedOut { waited, last });
            };
            inner.gates.set_waker(&ticket, waker);
            shared.release(inner);
            self.place = Some((Arc::clone(shared), ticket));
            return Step::Pending;
        };
        inner.gates.leave(&ticket);
        shared.release(inner);
        Step::Done(result)
    }
}

enum Step<T> {
    Done(Result<T, SendError>),
    Pending,
    /// Another generation is needed.
    Dead(Arc<Shared>),
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // In a child process there is nobody else in the parent's queue, and its lock may be stuck.
        if let Some((shared, ticket)) = self.place.take()
            && shared.process.is_this()
        {
            let mut inner = shared.lock();
            inner.gates.leave(&ticket);
            shared.release(inner);
        }
    }
}

/// What the sender of a record gets.
pub(crate) enum Want<F> {
    Nothing,
    Delivery,
    Callback(Option<F>),
}

/// A record on its way in; its output is a `Delivery` if one was asked for. `F` is the callback's type.
pub struct Sending<'h, D, F = fn(Told)> {
    handle: &'h Handle<D>,
    target: Target<'h>,
    partition: Option<i32>,
    record: Outgoing<'h>,
    want: Want<F>,
    waiting: Waiting,
}

impl<'h, D: Driver, F> Sending<'h, D, F> {
    pub(crate) fn new(
        handle: &'h Handle<D>,
        target: Target<'h>,
        partition: Option<i32>,
        record: &Record<'h>,
        want: Want<F>,
    ) -> Self {
        let hooks = &handle.options().hooks;
        let record = Outgoing::new(hooks, target.name(), partition, record);
        Self { handle, target, partition, record, want, waiting: Waiting::new(handle) }
    }
}

impl<D: Driver, F: FnOnce(Told) + Send + 'static> Operation for Sending<'_, D, F> {
    type Output = Option<Delivery>;
    type Error = SendError;

    fn poll(&mut self, waker: Option<&Waker>) -> Poll<Result<Self::Output, SendError>> {
        let Self { handle, target, partition, record, want, waiting } = self;
        let (hear, mut queue) = (handle.options().instruments.hear(), 0);
        let result = waiting.poll(handle, waker, &mut |inner, now, mine| {
            let to = inner.queue_up(*target, mine)?;
            let id = record
                .with(*partition, |partition, record| inner.accept(to, partition, record, now))?;
            if hear {
                queue = inner.core.stats().buffered;
            }
            Ok(match want {
                Want::Nothing => None,
                Want::Delivery => Some(Delivery::new(inner.completions.of(id), id.index)),
                Want::Callback(callback) => {
                    if let Some(callback) = callback.take() {
                        inner.completions.call_back(id, callback);
                    }
                    None
                }
            })
        });
        handle.tell_of_sender(target, u64::from(matches!(result, Poll::Ready(Ok(_)))), queue);
        handle.tell_of_refusal(target, &result);
        result
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}

/// Many records on their way in; its output is their number, as is that of an error. `F` hears of the
/// id of each as it is accepted, under the lock.
pub struct Posting<'h, D, I, F> {
    handle: &'h Handle<D>,
    target: Target<'h>,
    partition: Option<i32>,
    records: I,
    accepted_one: F,
    group: Vec<Outgoing<'h>>,
    accepted: u64,
    /// Of the group.
    done: usize,
    waiting: Waiting,
}

impl<'h, D, I, F> Posting<'h, D, I, F>
where
    D: Driver,
    I: Iterator<Item = Record<'h>>,
    F: FnMut(RecordId),
{
    pub(crate) fn new(
        handle: &'h Handle<D>,
        target: Target<'h>,
        partition: Option<i32>,
        records: I,
        accepted_one: F,
    ) -> Self {
        let waiting = Waiting::new(handle);
        let group = Vec::with_capacity(RECORDS_A_LOCK);
        Self {
            handle,
            target,
            partition,
            records,
            accepted_one,
            group,
            accepted: 0,
            done: 0,
            waiting,
        }
    }
}

impl<'h, D, I, F> Operation for Posting<'h, D, I, F>
where
    D: Driver,
    I: Iterator<Item = Record<'h>>,
    F: FnMut(RecordId),
{
    type Output = u64;
    type Error = (u64, SendError);

    fn poll(&mut self, waker: Option<&Waker>) -> Poll<Result<u64, (u64, SendError)>> {
        loop {
            if self.done == self.group.len() {
                // The iterator's own work is done before the lock is taken.
                self.group.clear();
                let Self { handle, target, partition, records, group, .. } = self;
                let hooks = &handle.options().hooks;
                let records = records.by_ref().take(RECORDS_A_LOCK);
                if hooks.see_records() {
                    let changed = |r| Outgoing::new(hooks, target.name(), *partition, &r);
                    group.extend(records.map(changed));
                } else {
                    // A record of which no reference is taken is made where it lies in the group.
                    group.extend(records.map(Outgoing::Plain));
                }
                self.done = 0;
                if self.group.is_empty() {
                    return Poll::Ready(Ok(self.accepted));
                }
                // Every group waits for up to `max.block.ms`.
                self.waiting = Waiting::new(self.handle);
            }
            let Self {
                handle,
                target,
                partition,
                accepted_one,
                group,
                accepted,
                done,
                waiting,
                ..
            } = self;
            let hear = handle.options().instruments.hear();
            let (before, mut queue) = (*accepted, 0);
            let result = waiting.poll(handle, waker, &mut |inner, now, mine| {
                let to = inner.queue_up(*target, mine)?;
                for record in &group[*done..] {
                    let id = record.with(*partition, |partition, record| {
                        inner.accept(to, partition, record, now)
                    })?;
                    accepted_one(id);
                    *done += 1;
                    *accepted += 1;
                }
                if hear {
                    queue = inner.core.stats().buffered;
                }
                Ok(())
            });
            handle.tell_of_sender(target, *accepted - before, queue);
            handle.tell_of_refusal(target, &result);
            match result {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err((self.accepted, error))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}

/// A batch of the application's own on its way in.
pub struct Batching<'h, D> {
    handle: &'h Handle<D>,
    target: Target<'h>,
    partition: Option<i32>,
    batch: &'h Batch,
    waiting: Waiting,
}

impl<'h, D: Driver> Batching<'h, D> {
    pub(crate) fn new(
        handle: &'h Handle<D>,
        target: Target<'h>,
        partition: Option<i32>,
        batch: &'h Batch,
    ) -> Self {
        Self { handle, target, partition, batch, waiting: Waiting::new(handle) }
    }
}

impl<D: Driver> Operation for Batching<'_, D> {
    type Output = BatchDelivery;
    type Error = SendError;

    fn poll(&mut self, waker: Option<&Waker>) -> Poll<Result<BatchDelivery, SendError>> {
        let Self { handle, target, partition, batch, waiting } = self;
        let (mut records, mut queue) = (0, 0);
        let result = waiting.poll(handle, waker, &mut |inner, now, mine| {
            let to = inner.queue_up(*target, mine)?;
            let id = inner.accept_batch(to, *partition, batch, now)?;
            (records, queue) = (u64::from(batch.records()), inner.core.stats().buffered);
            let first = Delivery::new(inner.completions.of(id), id.index);
            Ok(BatchDelivery::new(first, batch.records()))
        });
        handle.tell_of_sender(target, records, queue);
        handle.tell_of_refusal(target, &result);
        result
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}

/// A question for a topic's partitions.
pub struct Asking<'h, D> {
    handle: &'h Handle<D>,
    target: Target<'h>,
    waiting: Waiting,
}

impl<'h, D: Driver> Asking<'h, D> {
    pub(crate) fn new(handle: &'h Handle<D>, target: Target<'h>) -> Self {
        Self { handle, target, waiting: Waiting::new(handle) }
    }
}

impl<D: Driver> Operation for Asking<'_, D> {
    type Output = i32;
    type Error = SendError;

    fn poll(&mut self, waker: Option<&Waker>) -> Poll<Result<i32, SendError>> {
        let Self { handle, target, waiting } = self;
        waiting.poll(handle, waker, &mut |inner, _, _| inner.partitions(*target))
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}

/// A topic to be registered; never pending.
pub struct Registering<'h, D> {
    handle: &'h Handle<D>,
    name: &'h str,
    waiting: Waiting,
}

impl<'h, D: Driver> Registering<'h, D> {
    pub(crate) fn new(handle: &'h Handle<D>, name: &'h str) -> Self {
        Self { handle, name, waiting: Waiting::up_to(Duration::ZERO) }
    }
}

impl<D: Driver> Operation for Registering<'_, D> {
    type Output = (TopicId, Arc<str>);
    type Error = SendError;

    fn poll(&mut self, _: Option<&Waker>) -> Poll<Result<Self::Output, SendError>> {
        let Self { handle, name, waiting } = self;
        waiting.poll(handle, None, &mut |inner, _, _| inner.register(name))
    }

    fn waiting(&self) -> &Waiting {
        &self.waiting
    }
}
