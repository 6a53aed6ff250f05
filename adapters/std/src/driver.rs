//! The driver: the one thread that owns the sockets and lets the core move.
//!
//! It goes round: one turn of the engine, then system calls, then sleep until something happens.

use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::task::Wake;
use std::thread;

use klamm_host::{Driver, Engine, Shared, Unborn};

use crate::wires::Wires;

/// Starts driver threads.
///
/// They are not joined: a thread that a forked child has no copy of cannot be. Its end is told by
/// the engine, when all its callbacks have returned.
pub(crate) struct Threads;

impl Driver for Threads {
    fn start(&self, unborn: Unborn) -> io::Result<Arc<Shared>> {
        let mut wires = Wires::new(unborn.connections())?;
        let engine = unborn.engine(Waker::from(Arc::new(PollWaker(wires.waker()))));
        let shared = engine.shared();
        thread::Builder::new().name("klamm".into()).spawn(move || {
            let mut engine = engine;
            engine.own_thread();
            let end = catch_unwind(AssertUnwindSafe(|| run(&mut wires, &mut engine)));
            drop(wires);
            match end {
                Ok(Ok(())) => engine.end(None),
                Ok(Err(error)) => engine.end(Some(&format!("the poller: {error}"))),
                Err(panic) => engine.end(Some(&format!("a panic: {}", message(&*panic)))),
            }
        })?;
        Ok(shared)
    }
}

struct PollWaker(Arc<mio::Waker>);

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only when the system is out of memory; the next wake tries again.
        let _ = self.0.wake();
    }
}

/// Until everything has its outcome.
fn run(wires: &mut Wires, engine: &mut Engine) -> io::Result<()> {
    loop {
        let mut turn = engine.turn(wires.sockets());
        let again = wires.act(&mut turn);
        if turn.end {
            wires.shut_down();
            return Ok(());
        }
        wires.wait(if again { Some(Duration::ZERO) } else { turn.sleep })?;
        wires.read(|slot, bytes| engine.received(slot, bytes));
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
