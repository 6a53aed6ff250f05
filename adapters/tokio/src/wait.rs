//! Waiting for operations as a task.

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;

use klamm_host::{Operation, Signal};
use tokio::time::{Sleep, sleep};

/// Waits for an operation. Dropped before it is ready, it has done nothing, and its place in the
/// queue is given up.
pub(crate) async fn wait<O: Operation>(mut operation: O) -> Result<O::Output, O::Error> {
    // Not before it has to wait: a timer costs more than most sends.
    let mut limit: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        loop {
            if let Poll::Ready(result) = operation.poll(Some(context.waker())) {
                return Poll::Ready(result);
            }
            let left = operation.waiting().left();
            match limit.as_mut() {
                // It is over by this clock; by the operation's own it may need a moment more.
                Some(limit) if limit.is_elapsed() && !left.is_zero() => {
                    limit.set(sleep(left));
                }
                Some(_) => {}
                None => limit = Some(Box::pin(sleep(left))),
            }
            if limit.as_mut().is_none_or(|limit| limit.as_mut().poll(context).is_pending()) {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Waits until a signal is set.
pub(crate) async fn signalled(signal: &Signal) {
    poll_fn(|context| signal.poll(context.waker())).await;
}
