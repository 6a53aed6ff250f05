//! From the page to the broker.

use core::time::Duration;
use std::collections::HashSet;

use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use serde::Deserialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::assembler::{Assembler, BadLength, Request};
use super::{Item, Page, Pulse};
use crate::close::Close;
use crate::gate::{Gate, Judgement, Verdict};
use crate::kafka::api_versions::Offer;
use crate::shared::Shared;
use crate::upstream::Frames;

/// Producer ids that a page can bring tickets for.
const MAX_TICKETS: usize = 64;
/// What a message counts for the rate, on top of what is in it: empty ones are work, too.
const MESSAGE: usize = 16;
/// Compression that is better than this is paid for: what comes out of it is work.
const RATIO: usize = 16;

/// What a page may say in a text message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    ticket: String,
}

/// The broker's end.
struct Broker {
    to: Box<dyn AsyncWrite + Send + Unpin>,
    offer: Offer,
}

pub(super) struct Up<'a> {
    shared: &'a Shared,
    page: &'a Page,
    pulse: &'a Pulse,
    from: SplitStream<WebSocket>,
    /// `None`: nothing more is taken.
    queue: Option<mpsc::Sender<Item>>,
    assembler: Assembler,
    broker: Option<Broker>,
    /// Producer ids that the page has shown tickets for.
    admitted: HashSet<i64>,
    /// The next request's number.
    next: i32,
}

impl<'a> Up<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        page: &'a Page,
        pulse: &'a Pulse,
        from: SplitStream<WebSocket>,
        queue: mpsc::Sender<Item>,
    ) -> Self {
        let assembler = Assembler::new(shared.config.limits.request, shared.requests.clone());
        let (queue, admitted) = (Some(queue), HashSet::new());
        Self { shared, page, pulse, from, queue, assembler, broker: None, admitted, next: 0 }
    }

    /// Takes nothing more. The broker's end stays open, for it still has to answer.
    pub(super) fn stop(&mut self) {
        self.queue = None;
    }

    /// Until there is a reason to close.
    pub(super) async fn run(&mut self) -> Close {
        loop {
            if let Err(why) = self.step().await {
                return why;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Close> {
        self.pulse.wait();
        let message = match self.from.next().await {
            None => return Err(Close::Gone),
            Some(Err(error)) => return Err(of_error(&error)),
            Some(Ok(message)) => message,
        };
        self.pulse.hear();
        let (length, handled) = match message {
            Message::Binary(bytes) => (bytes.len(), self.bytes(&bytes).await),
            Message::Text(text) => (text.len(), self.words(text.as_str())),
            Message::Close(_) => return Err(Close::Gone),
            Message::Ping(bytes) | Message::Pong(bytes) => (bytes.len(), Ok(())),
        };
        handled?;
        self.shared.metrics.bytes_in.inc_by(length as u64);
        // The next message is not read before this one is paid for.
        pause(self.page.subject.bytes.take(length + MESSAGE)).await;
        Ok(())
    }

    async fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), Close> {
        if !bytes.is_empty() {
            self.pulse.hear_data(self.page.meter.read_bytes());
        }
        while !bytes.is_empty() {
            let taken = self.assembler.take(&mut bytes).await;
            self.pulse.progress(self.assembler.come());
            match taken {
                Ok(Some(request)) => self.request(request).await?,
                Ok(None) => {}
                Err(BadLength::TooLong) => return Err(Close::TooLarge),
                Err(BadLength::TooShort) => return Err(Close::Protocol("a length that is none")),
            }
        }
        Ok(())
    }

    fn words(&mut self, text: &str) -> Result<(), Close> {
        let words: Words = serde_json::from_str(text).map_err(|_| {
            Close::Protocol("the only text that is understood is {\"ticket\": ...}")
        })?;
        let (subject, now) = (&self.page.claims.subject, self.shared.clock.now_ms());
        // One that is not good any more is no reason to close: the page may have another.
        if let Some(id) = self.shared.producers.admit(&words.ticket, subject, now)
            && self.admitted.len() < MAX_TICKETS
        {
            self.admitted.insert(id);
        }
        Ok(())
    }

    async fn request(&mut self, Request { bytes, charge }: Request) -> Result<(), Close> {
        let shared = self.shared;
        let now_ms = shared.clock.now_ms();
        if self.page.claims.expires_ms <= now_ms {
            return Err(Close::Expired);
        }
        if self.broker.is_none() {
            Box::pin(self.connect()).await?;
        }
        let Some(broker) = &mut self.broker else { return Err(Close::UnknownBroker) };
        let Some(queue) = &self.queue else { return Err(Close::Restart) };
        let ours = self.next;
        self.next = self.next.wrapping_add(1) & i32::MAX;
        let (claims, admitted) = (&self.page.claims, &self.admitted);
        let owns = |id| admitted.contains(&id) || shared.producers.is_owner(id, &claims.subject);
        let gate = Gate {
            claims,
            policy: &shared.policy,
            headers: &self.page.headers,
            offer: &broker.offer,
            owns: &owns,
            now_ms,
        };
        let Judgement { api, verdict, records, inflated, refused } = gate.judge(&bytes, ours);
        let work = (inflated / RATIO).saturating_sub(bytes.len());
        // What goes on is a copy; it is charged until the broker's socket has it.
        drop(bytes);
        for code in refused {
            shared.metrics.refuse(code);
        }
        if let Some(api) = api {
            shared.metrics.request(api);
        }
        let gone = |_| Close::Gone;
        match verdict {
            Verdict::Close(why) => return Err(why),
            Verdict::Drop => {}
            Verdict::Answer(frame) => queue.send(Item::Answer(frame)).await.map_err(gone)?,
            Verdict::Forward(frame, pending) => {
                // First, for the answer may come at once.
                let item = pending.map_or(Item::Unasked, Item::Expect);
                queue.send(item).await.map_err(gone)?;
                let stall = Duration::from_secs(shared.config.limits.stall_s);
                let written = timeout(stall, write(&mut *broker.to, &frame)).await;
                written
                    .map_err(|_| Close::Upstream("the broker takes nothing"))?
                    .map_err(|_| Close::Upstream("the broker closed the connection"))?;
                shared.metrics.records.inc_by(records);
            }
        }
        drop(charge);
        let records = usize::try_from(records).unwrap_or(usize::MAX);
        pause(self.page.subject.records.take(records)).await;
        pause(self.page.subject.bytes.take(work)).await;
        Ok(())
    }

    async fn connect(&mut self) -> Result<(), Close> {
        let open = match self.shared.cluster.open(self.page.target).await {
            Ok(Some(open)) => open,
            Ok(None) => return Err(Close::UnknownBroker),
            Err(error) => {
                self.shared.metrics.connect_failures.inc();
                tracing::warn!(target = ?self.page.target, %error, "no connection to a broker");
                return Err(Close::Upstream("the broker cannot be reached"));
            }
        };
        let (from, to) = open.stream.split();
        let frames =
            Frames::new(from, self.shared.config.limits.answer, self.shared.answers.clone());
        if let Some(queue) = &self.queue {
            queue.send(Item::Broker(frames)).await.map_err(|_| Close::Gone)?;
        }
        self.shared.metrics.brokers_connected.inc();
        self.broker = Some(Broker { to, offer: open.offer });
        Ok(())
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        if self.broker.is_some() {
            self.shared.metrics.brokers_connected.dec();
        }
    }
}

async fn write(to: &mut (dyn AsyncWrite + Send + Unpin), frame: &[u8]) -> std::io::Result<()> {
    to.write_all(frame).await?;
    to.flush().await
}

/// What was too fast is waited for; meanwhile nothing is read.
async fn pause(wait: Duration) {
    if !wait.is_zero() {
        sleep(wait).await;
    }
}

fn of_error(error: &axum::Error) -> Close {
    use core::error::Error;
    let capacity = error.source().is_some_and(|source| source.to_string().contains("too long"));
    if capacity { Close::TooLarge } else { Close::Gone }
}
