//! The outcomes of all records, in a stream.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use futures_core::Stream;
use klamm::{Records, Report};

use crate::shared::Shared;
use crate::waiting::Why;

/// The outcomes of all records, from [`Producer::reports`](crate::Producer::reports): a
/// [`Stream`], and [`next`](Self::next) for those who use no combinators. It never ends.
pub struct Reports<'d, M: RawMutex = NoopRawMutex> {
    shared: &'d Shared<'d, M>,
    slot: Option<usize>,
}

impl<'d, M: RawMutex> Reports<'d, M> {
    pub(crate) fn new(shared: &'d Shared<'d, M>) -> Self {
        shared.with(|inner, _| inner.readers = inner.readers.saturating_add(1));
        Self { shared, slot: None }
    }

    /// The next report.
    ///
    /// *Cancel-safe:* a report is taken only when this is ready.
    pub async fn next(&mut self) -> Report {
        self.next_with(|report, _| *report).await
    }

    /// The next report with its records, which are forgotten afterwards: to save those that were not
    /// delivered. There are none where they are no more there as they were accepted
    /// ([`klamm::Producer::report_records`]).
    ///
    /// *Cancel-safe:* a report is taken only when this is ready.
    pub async fn next_with<R>(
        &mut self,
        mut read: impl FnMut(&Report, Option<Records<'_>>) -> R,
    ) -> R {
        poll_fn(|cx| self.poll_with(cx, &mut read)).await
    }

    fn poll_with<R>(
        &mut self,
        cx: &Context<'_>,
        read: &mut impl FnMut(&Report, Option<Records<'_>>) -> R,
    ) -> Poll<R> {
        self.shared.with(|inner, _| {
            let Some(report) = inner.core.peek_report() else {
                inner.waiters.wait(&mut self.slot, Why::Event, cx);
                return Poll::Pending;
            };
            let result = read(&report, inner.core.report_records());
            inner.take_report();
            Poll::Ready(result)
        })
    }
}

impl<M: RawMutex> Stream for Reports<'_, M> {
    type Item = Report;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Report>> {
        self.poll_with(cx, &mut |report, _| *report).map(Some)
    }
}

impl<M: RawMutex> Drop for Reports<'_, M> {
    fn drop(&mut self) {
        self.shared.with(|inner, _| {
            inner.waiters.leave(&mut self.slot);
            inner.readers = inner.readers.saturating_sub(1);
        });
    }
}

impl<M: RawMutex> fmt::Debug for Reports<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}
