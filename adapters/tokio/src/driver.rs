//! The driver: the one task that owns the sockets and lets the core move.
//!
//! It goes round: one turn of the engine, then bytes, then it waits until something happens. The
//! engine's lock is held within a turn only, never across an `await`.

use core::future::{Future, poll_fn};
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

use crate::socket::{Incoming, Socket};

/// Bytes read by one system call.
const READ_BYTES: usize = 64 * 1024;
/// Reads from one connection before the others get their turn.
const READS_A_TURN: usize = 8;

/// Starts driver tasks, on the runtime of whoever calls.
pub(crate) struct Tasks;

impl Driver for Tasks {
    fn start(&self, unborn: Unborn) -> io::Result<Arc<Shared>> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let alarm = Arc::<Alarm>::default();
        let sockets = (0..unborn.connections()).map(|_| Socket::new()).collect();
        let engine = unborn.engine(Waker::from(Arc::clone(&alarm)));
        let shared = engine.shared();
        // Aborted, or dropped with its runtime, the engine tells everyone who waits.
        runtime.spawn(run(engine, sockets, alarm));
        Ok(shared)
    }
}

/// Rings for the driver, also when it was not listening.
#[derive(Default)]
struct Alarm(Notify);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

async fn run(mut engine: Engine, mut sockets: Vec<Socket>, alarm: Arc<Alarm>) {
    let mut incoming = vec![0; READ_BYTES].into_boxed_slice();
    loop {
        let mut turn = engine.turn(&mut sockets);
        for dial in turn.dials.drain(..) {
            sockets[dial.slot].dial(dial.host, dial.port);
        }
        for socket in &mut sockets {
            turn.again |= socket.write();
        }
        if turn.end {
            drop(sockets);
            engine.end(None);
            return;
        }
        something(&turn, &mut sockets, &alarm).await;
        if turn.again {
            // Others have their turn between two of ours.
            tokio::task::yield_now().await;
        }
        for (slot, socket) in sockets.iter_mut().enumerate() {
            read(&mut engine, slot, socket, &mut incoming);
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

fn read(engine: &mut Engine, slot: usize, socket: &mut Socket, incoming: &mut [u8]) {
    // The core hears of a connection before it hears its bytes.
    if socket.has_fact() {
        return;
    }
    for _ in 0..READS_A_TURN {
        let Incoming::Bytes(bytes) = socket.read(incoming) else { break };
        if let Err(problem) = engine.received(slot, &incoming[..bytes]) {
            // The core wants it closed now, which is the next turn's business.
            socket.note(&problem);
            break;
        }
    }
}
