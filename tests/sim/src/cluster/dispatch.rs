//! From a request to its answer: which handler, which fault, when it leaves.

use super::fault::{Api, Fault};
use super::fetch::WaitingFetch;
use super::peer::Busy;
use super::produce::WaitingProduce;
use super::state::Cluster;
use super::wire::{Arrived, Request};
use super::{PeerId, Processing};
use bytes::BytesMut;

/// What a handler has come to.
pub(super) enum Outcome {
    /// This frame, and throttle the connection for so many milliseconds.
    Answer(BytesMut, i32),
    /// acks=0 and all is well.
    NoAnswer,
    /// Close the connection.
    Close,
    /// A request that Kafka loses: no answer, ever.
    Never,
    WaitProduce(Box<WaitingProduce>),
    WaitFetch(Box<WaitingFetch>),
}

impl Outcome {
    /// An answer that was encoded, or not.
    pub(super) fn answer(frame: Option<BytesMut>, throttle_ms: i32) -> Self {
        frame.map_or(Self::Close, |frame| Self::Answer(frame, throttle_ms))
    }
}

/// The request a handler works on, apart from its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) node: i32,
    /// `None`: the connection is dead.
    pub(super) peer: Option<PeerId>,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    /// Throttle time that a fault asks for.
    pub(super) throttle_ms: i32,
    /// Error code that a fault asks for (not of Produce and Metadata).
    pub(super) error: Option<i16>,
    pub(super) now: u64,
}

impl Cluster {
    /// Takes the next request of a connection. False if there is none or the node is not free.
    pub(super) fn step(&mut self, id: PeerId, now: u64) -> bool {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.is_free()) else {
            return false;
        };
        let node = peer.node;
        match peer.inbox.pop_front() {
            None => return false,
            Some(None) => self.close(id),
            Some(Some(arrived)) => self.serve(node, Some(id), arrived, now),
        }
        true
    }

    /// Takes requests of a connection until the node is not free.
    pub(super) fn pump(&mut self, id: PeerId, now: u64) {
        while self.step(id, now) {}
    }

    /// Finishes requests that waited for what has now happened.
    pub(super) fn settle(&mut self, now: u64) {
        while core::mem::take(&mut self.dirty) {
            for id in self.waiting.clone() {
                self.finish(id, now);
                if self.config.processing == Processing::Automatic {
                    self.pump(id, now);
                }
            }
        }
    }

    /// Works on one request; `peer` is `None` if its connection is dead.
    pub(super) fn serve(&mut self, node: i32, peer: Option<PeerId>, arrived: Arrived, now: u64) {
        let Arrived { version, correlation_id, request } = arrived;
        let api = request.api();
        *self.stats.requests.entry(api).or_default() += 1;
        let fault = self.request_fault(node, &request, version);
        match (&fault, peer) {
            (Some(Fault::DropRequest), Some(id)) => {
                return self.conclude(id, Outcome::Never, None, now);
            }
            (Some(Fault::CloseBefore), Some(id)) => return self.close(id),
            (Some(Fault::DropRequest | Fault::CloseBefore), None) => return,
            _ => {}
        }
        let throttle_ms = if let Some(Fault::Throttle(ms)) = fault { ms.max(0) } else { 0 };
        let error = if let Some(Fault::Error(code)) = fault { Some(code) } else { None };
        let context = Context { node, peer, version, correlation_id, throttle_ms, error, now };
        let outcome = match request {
            Request::Produce(request) => self.produce(context, request),
            Request::Fetch(request) => self.fetch(context, request),
            Request::ListOffsets(request) => self.list_offsets(context, &request),
            Request::Metadata(request) => self.metadata(context, &request),
            Request::FindCoordinator(request) => self.find_coordinator(context, &request),
            Request::ApiVersions(request) => self.api_versions(context, &request),
            Request::ApiVersionsTooNew => self.api_versions_too_new(context),
            Request::InitProducerId(request) => self.init_producer_id(context, &request),
        };
        if let Some(id) = peer {
            self.conclude(id, outcome, fault, now);
        }
    }

    /// Looks again at a request that waits, and ends it if it can or must end.
    pub(super) fn finish(&mut self, id: PeerId, now: u64) {
        let Some(peer) = self.peers.get_mut(&id) else {
            self.waiting.remove(&id);
            return;
        };
        let (outcome, fault) = match core::mem::replace(&mut peer.busy, Busy::No) {
            Busy::Produce(waiting, fault) => (self.finish_produce(waiting, now), fault),
            Busy::Fetch(waiting, fault) => (self.finish_fetch(waiting, now), fault),
            other => {
                peer.busy = other;
                self.waiting.remove(&id);
                return;
            }
        };
        self.waiting.remove(&id);
        self.conclude(id, outcome, fault, now);
    }

    fn conclude(&mut self, id: PeerId, outcome: Outcome, fault: Option<Fault>, now: u64) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.closed) else {
            return;
        };
        let mut throttle = 0;
        let mut frame = match outcome {
            Outcome::Answer(frame, throttle_ms) => {
                throttle = throttle_ms;
                Some(frame)
            }
            Outcome::NoAnswer => None,
            Outcome::Close => return self.close(id),
            Outcome::Never => {
                peer.busy = Busy::Forever;
                return;
            }
            Outcome::WaitProduce(waiting) => {
                peer.busy = Busy::Produce(waiting, fault);
                self.waiting.insert(id);
                return;
            }
            Outcome::WaitFetch(waiting) => {
                peer.busy = Busy::Fetch(waiting, fault);
                self.waiting.insert(id);
                return;
            }
        };
        if throttle > 0 {
            peer.muted_until = Some(now + u64::from(throttle.unsigned_abs()) * 1_000);
        }
        let mut close = false;
        match fault {
            Some(Fault::DropResponse) => {
                peer.busy = Busy::Forever;
                return;
            }
            Some(Fault::CloseAfter) => return self.close(id),
            Some(Fault::WrongCorrelationId) => {
                if let Some(byte) = frame.as_mut().and_then(|frame| frame.get_mut(4)) {
                    *byte ^= 0x40;
                }
            }
            Some(Fault::Garbage(bytes)) => frame = Some(BytesMut::from(&bytes[..])),
            Some(Fault::TruncateFrame(n)) => {
                if let Some(frame) = &mut frame {
                    frame.truncate(n);
                }
                close = true;
            }
            Some(Fault::Delay(micros)) => {
                if let Some(frame) = frame {
                    peer.busy = Busy::Delayed(now.saturating_add(micros), frame);
                }
                return;
            }
            _ => {}
        }
        if let Some(frame) = frame {
            self.send(id, frame);
        }
        if close {
            self.close(id);
        }
    }

    /// An answer leaves, or waits to be released.
    pub(super) fn send(&mut self, id: PeerId, frame: BytesMut) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        match self.config.processing {
            Processing::Automatic => peer.send(frame),
            Processing::Manual => peer.held.push_back(frame),
        }
        self.woken.insert(id);
    }

    /// The node closes a connection.
    pub(super) fn close(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.closed) {
            peer.close();
            self.stats.closed += 1;
            self.waiting.remove(&id);
            self.woken.insert(id);
        }
    }

    /// The fault for a request as a whole.
    fn request_fault(&mut self, node: i32, request: &Request, version: i16) -> Option<Fault> {
        if self.rules.is_empty() {
            return None;
        }
        let api = request.api();
        let names = &self.names;
        let touches = |topic: Option<&str>, partition: Option<i32>| match request {
            Request::Produce(request) => request.topic_data.iter().any(|data| {
                let name = if version >= 13 {
                    names.get(&data.topic_id).map_or("", String::as_str)
                } else {
                    data.name.as_str()
                };
                topic.is_none_or(|topic| topic == name)
                    && partition.is_none_or(|partition| {
                        data.partition_data.iter().any(|data| data.index == partition)
                    })
            }),
            Request::Metadata(request) => topic.is_none_or(|topic| {
                request.topics.iter().flatten().any(|asked| {
                    let by_id = names.get(&asked.topic_id).map(String::as_str);
                    by_id.or_else(|| asked.name.as_ref().map(|name| name.as_str())) == Some(topic)
                })
            }),
            _ => true,
        };
        super::fault::take(&mut self.rules, |rule| {
            rule.api.is_none_or(|wanted| wanted == api)
                && rule.node.is_none_or(|wanted| wanted == node)
                && !(rule.fault.is_about_a_part(api))
                && (rule.topic.is_none() && rule.partition.is_none()
                    || touches(rule.topic.as_deref(), rule.partition))
        })
    }

    /// The fault for one partition of a Produce request or one topic of a Metadata request.
    pub(super) fn part_fault(
        &mut self,
        api: Api,
        node: i32,
        topic: &str,
        partition: Option<i32>,
    ) -> Option<Fault> {
        super::fault::take(&mut self.rules, |rule| {
            rule.api.is_none_or(|wanted| wanted == api)
                && rule.node.is_none_or(|wanted| wanted == node)
                && rule.topic.as_ref().is_none_or(|wanted| wanted == topic)
                && (partition.is_none() || rule.partition.is_none_or(|p| Some(p) == partition))
                && rule.fault.is_about_a_part(api)
        })
    }
}
