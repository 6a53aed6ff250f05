//! The thread that watches while others send: the progress bar moves, and Ctrl-C works also while a
//! read or a full buffer blocks.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};

use klamm_std::{ConnectionError, Producer};

use crate::failure::Failure;

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(100);

/// What the watching thread hears of.
enum Event<F> {
    /// The work has come to an end.
    Ended(Result<(), F>),
    /// Ctrl-C.
    Interrupted,
    /// Every accepted record has its outcome.
    Closed,
}

/// Why the work stopped before its end.
pub(crate) enum Cut<F> {
    /// Ctrl-C.
    Interrupted,
    /// Something of its own.
    Failed(F),
}

/// How it ended.
pub(crate) struct End<F> {
    /// Why it stopped early, if it did.
    pub(crate) cut: Option<Cut<F>>,
    /// What was wrong with the connection when there was nothing more to send.
    pub(crate) cause: Option<ConnectionError>,
}

impl<F> End<F> {
    /// What was wrong with the connection, as the end of a line.
    pub(crate) fn cause(&self) -> String {
        let cause = self.cause.as_ref();
        cause.map(|error| format!(" (last connection error: {error})")).unwrap_or_default()
    }
}

pub(crate) struct Watch<F> {
    producer: Producer,
    /// Set by Ctrl-C: the work is to stop where it is.
    stop: Arc<AtomicBool>,
    events: Sender<Event<F>>,
    happened: Receiver<Event<F>>,
}

impl<F: Send + 'static> Watch<F> {
    /// Catches Ctrl-C from now on; `stop` is what the work looks at.
    pub(crate) fn new(producer: Producer, stop: Arc<AtomicBool>) -> Result<Self, Failure> {
        let (events, happened) = channel();
        let interrupted = events.clone();
        ctrlc::set_handler(move || {
            // Without a listener the process is ending anyway.
            let _ = interrupted.send(Event::Interrupted);
        })
        .map_err(|error| Failure::Run(format!("cannot catch Ctrl-C: {error}")))?;
        Ok(Self { producer, stop, events, happened })
    }

    /// Starts the work on a thread of its own.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> (T, Result<(), F>) + Send + 'static,
    ) -> JoinHandle<T> {
        let events = self.events.clone();
        thread::spawn(move || {
            let (value, result) = work();
            // Nobody listens any more after a second Ctrl-C.
            let _ = events.send(Event::Ended(result));
            value
        })
    }

    /// Waits until the work has ended and every record has its outcome; calls `tick` meanwhile.
    pub(crate) fn until_closed(&self, mut tick: impl FnMut(Option<&ConnectionError>)) -> End<F> {
        let mut end = End { cut: None, cause: None };
        let mut closing = false;
        loop {
            match self.happened.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => {
                    end.cause = self.producer.last_connection_error();
                    tick(end.cause.as_ref());
                }
                Ok(Event::Ended(result)) => {
                    if !closing {
                        end.cut = result.err().map(Cut::Failed);
                        end.cause = self.producer.last_connection_error();
                    }
                    self.close(&mut closing);
                }
                Ok(Event::Interrupted) if closing => {
                    self.producer.close(Duration::ZERO);
                }
                Ok(Event::Interrupted) => {
                    self.stop.store(true, Ordering::Relaxed);
                    end.cut = Some(Cut::Interrupted);
                    self.close(&mut closing);
                }
                // We hold a sender ourselves: the channel is never disconnected.
                Ok(Event::Closed) | Err(RecvTimeoutError::Disconnected) => return end,
            }
        }
    }

    /// Begins to close, on a thread of its own: the bar goes on, and Ctrl-C still works.
    fn close(&self, closing: &mut bool) {
        if core::mem::replace(closing, true) {
            return;
        }
        let (producer, events) = (self.producer.clone(), self.events.clone());
        thread::spawn(move || {
            // `delivery.timeout.ms` is the limit.
            producer.close(Duration::MAX);
            events.send(Event::Closed)
        });
    }
}
