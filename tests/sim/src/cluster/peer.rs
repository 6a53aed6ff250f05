//! A connection as the node sees it.

use super::fault::Fault;
use super::fetch::WaitingFetch;
use super::produce::WaitingProduce;
use super::wire::Arrived;
use bytes::{Buf, BytesMut};
use std::collections::VecDeque;

/// One connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) node: i32,
    /// Received, not yet a whole frame.
    pub(super) input: BytesMut,
    /// Whole requests that wait; `None`: a frame for which the connection closes.
    pub(super) inbox: VecDeque<Option<Arrived>>,
    pub(super) output: BytesMut,
    /// Answers that wait to be released.
    pub(super) held: VecDeque<BytesMut>,
    pub(super) busy: Busy,
    pub(super) muted_until: Option<u64>,
    pub(super) closed: bool,
    /// Bytes above the produce quota, as of the time that follows.
    pub(super) quota_debt: (u64, u64),
}

/// What keeps a node from taking the next request of a connection.
#[derive(Debug)]
pub(super) enum Busy {
    No,
    /// An answer was swallowed: the next request is never looked at.
    Forever,
    Produce(Box<WaitingProduce>, Option<Fault>),
    Fetch(Box<WaitingFetch>, Option<Fault>),
    /// An answer that is sent at that time.
    Delayed(u64, BytesMut),
}

impl Peer {
    pub(super) fn new(node: i32) -> Self {
        Self {
            node,
            input: BytesMut::new(),
            inbox: VecDeque::new(),
            output: BytesMut::new(),
            held: VecDeque::new(),
            busy: Busy::No,
            muted_until: None,
            closed: false,
            quota_debt: (0, 0),
        }
    }

    /// Is the node free to take the next request?
    pub(super) fn is_free(&self) -> bool {
        !self.closed && self.muted_until.is_none() && matches!(self.busy, Busy::No)
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<u64> {
        let busy = match &self.busy {
            Busy::No | Busy::Forever => None,
            Busy::Produce(waiting, _) => Some(waiting.deadline),
            Busy::Fetch(waiting, _) => Some(waiting.deadline),
            Busy::Delayed(at, _) => Some(*at),
        };
        [busy, self.muted_until].into_iter().flatten().min()
    }

    /// Takes the next whole frame off the input. `Err`: its size is impossible.
    pub(super) fn split_frame(&mut self, max: usize) -> Result<Option<BytesMut>, ()> {
        let Some(size) = self.input.first_chunk::<4>() else {
            return Ok(None);
        };
        let size = usize::try_from(i32::from_be_bytes(*size)).map_err(|_| ())?;
        if size > max || size < 4 {
            return Err(());
        }
        if self.input.len() - 4 < size {
            return Ok(None);
        }
        self.input.advance(4);
        Ok(Some(self.input.split_to(size)))
    }

    /// Appends to what the client reads, without a copy if nothing waits.
    pub(super) fn send(&mut self, frame: BytesMut) {
        if self.output.is_empty() {
            self.output = frame;
        } else {
            self.output.extend_from_slice(&frame);
        }
    }

    /// The node closes. What was sent before may still be read.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.busy = Busy::Forever;
        self.muted_until = None;
        self.inbox.clear();
        self.input.clear();
    }
}
