//! The task that lets the core move.

use core::future::poll_fn;
use core::pin::pin;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::task::Wake;

use klamm_host::{Driver, Engine, Shared, Turn, Unborn};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::socket::Socket;
use crate::upstream::Connector;

/// Starts driver tasks, which connect as the bridge does.
pub(super) struct Tasks(pub(super) Connector);

impl Driver for Tasks {
    fn start(&self, unborn: Unborn) -> io::Result<Arc<Shared>> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let alarm = Arc::<Alarm>::default();
        let sockets = (0..unborn.connections()).map(|_| Socket::new(self.0.clone())).collect();
        let engine = unborn.engine(Waker::from(Arc::clone(&alarm)));
        let shared = engine.shared();
        runtime.spawn(run(engine, sockets, alarm));
        Ok(shared)
    }
}

/// Drives nothing: a producer that is only made to see whether it can be.
pub(super) struct Nobody;

impl Driver for Nobody {
    fn start(&self, unborn: Unborn) -> io::Result<Arc<Shared>> {
        Ok(unborn.engine(Waker::noop().clone()).shared())
    }
}

/// Rings for the driver, also when it was not listening.
#[derive(Default)]
struct Alarm(Notify);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

async fn run(mut engine: Engine, mut sockets: Vec<Socket>, alarm: Arc<Alarm>) {
    loop {
        let mut turn = engine.turn(&mut sockets);
        for dial in turn.dials.drain(..) {
            if let Some(socket) = sockets.get_mut(dial.slot) {
                socket.dial(dial.host, dial.port);
            }
        }
        if turn.end {
            drop(sockets);
            engine.end(None);
            return;
        }
        something(&turn, &mut sockets, &alarm).await;
        if turn.again {
            tokio::task::yield_now().await;
        }
        for (slot, socket) in sockets.iter_mut().enumerate() {
            let Some(bytes) = socket.take_bytes() else { continue };
            if let Err(problem) = engine.received(slot, &bytes) {
                // The core wants it closed now, which is the next turn's business.
                socket.note(&problem);
            }
            socket.give_back(bytes);
        }
    }
}

/// Waits until there is something to do.
async fn something(turn: &Turn, sockets: &mut [Socket], alarm: &Alarm) {
    let mut rung = pin!(alarm.0.notified());
    // A sleep without end, where none is needed, is never polled.
    let mut asleep = pin!(sleep(turn.sleep.unwrap_or(Duration::ZERO)));
    poll_fn(|context| {
        let mut ready = turn.again;
        for socket in sockets.iter_mut() {
            ready |= socket.poll(context);
        }
        ready |= rung.as_mut().poll(context).is_ready();
        ready |= !ready && turn.sleep.is_some() && asleep.as_mut().poll(context).is_ready();
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
