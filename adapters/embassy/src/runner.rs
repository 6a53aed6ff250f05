//! What makes everything move.

use core::convert::Infallible;
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use embassy_futures::join::{join, join_array};
use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embassy_time::Instant;
use klamm::ConnId;

use crate::link::Link;
use crate::network::Network;
use crate::shared::Shared;

/// The half of a producer that does the work, in a task of its own.
pub struct Runner<'d, N, const CONNS: usize = 1, M: RawMutex = NoopRawMutex> {
    pub(crate) shared: &'d Shared<'d, M>,
    pub(crate) network: N,
    pub(crate) slots: [Slot<'d>; CONNS],
}

/// A connection slot and its buffers.
pub(crate) struct Slot<'d> {
    pub(crate) conn: Option<ConnId>,
    pub(crate) rx: &'d mut [u8],
    pub(crate) tx: &'d mut [u8],
}

impl<N: Network, const CONNS: usize, M: RawMutex> Runner<'_, N, CONNS, M> {
    /// Serves the connections and the timers, for ever.
    ///
    /// *Cancel-safe:* dropped, it closes its connections; what they had in flight is sent again when
    /// it is called again.
    pub async fn run(&mut self) -> ! {
        let (shared, network) = (self.shared, &self.network);
        let links = self.slots.each_mut().map(|slot| serve(shared, network, slot));
        // The timers last: they see what the connections made due.
        match join(join_array(links), timers(shared)).await.1 {}
    }
}

async fn serve<M: RawMutex>(
    shared: &Shared<'_, M>,
    network: &impl Network,
    slot: &mut Slot<'_>,
) -> Infallible {
    let Some(conn) = slot.conn else { return core::future::pending().await };
    let link = Link::new(shared, conn);
    network.serve(&link, slot.rx, slot.tx).await
}

/// Calls the core whenever it wants to be called.
async fn timers<M: RawMutex>(shared: &Shared<'_, M>) -> Infallible {
    poll_fn(|cx| {
        let due = shared.with(|inner, now| {
            inner.register_runner(cx.waker());
            inner.core.handle_timeout(now);
            inner.deadline()
        });
        if let Some(due) = due.filter(|due| *due < Instant::MAX) {
            // What has come between then and now wakes at once: others first, then once more.
            embassy_time_driver::schedule_wake(due.as_ticks(), cx.waker());
        }
        Poll::Pending
    })
    .await
}

impl<N, const CONNS: usize, M: RawMutex> fmt::Debug for Runner<'_, N, CONNS, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}
