//! From the broker to the page, in the order of the page's requests; and what time brings.

use core::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::{Item, Page, Pulse};
use crate::close::Close;
use crate::gate::{Pending, translate};
use crate::shared::Shared;
use crate::upstream::{FrameError, Frames};

/// How often a connection looks at the time, at most.
const TICK: Duration = Duration::from_secs(5);
/// Bytes of frames without data that a page may send, on top of what messages it may.
const EMPTY: u64 = 64 * 1024;

type Broker = Frames<Box<dyn AsyncRead + Send + Unpin>>;

pub(super) struct Down<'a> {
    shared: &'a Shared,
    page: &'a Page,
    pulse: &'a Pulse,
    to: &'a mut SplitSink<WebSocket, Message>,
    items: mpsc::Receiver<Item>,
    broker: Option<Broker>,
    /// What the broker has to answer next.
    head: Option<Pending>,
    /// Answers may come that nobody asked for.
    unasked: bool,
    tick: Interval,
    pinged: Instant,
}

enum Event {
    Tick,
    Item(Option<Item>),
    Frame(Result<Vec<u8>, FrameError>),
}

impl<'a> Down<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        page: &'a Page,
        pulse: &'a Pulse,
        to: &'a mut SplitSink<WebSocket, Message>,
        items: mpsc::Receiver<Item>,
    ) -> Self {
        let mut tick = interval(TICK.min(Duration::from_secs(shared.config.limits.ping_s.max(1))));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (broker, head, pinged) = (None, None, Instant::now());
        Self { shared, page, pulse, to, items, broker, head, unasked: false, tick, pinged }
    }

    /// Until there is a reason to close. `Gone`: nothing is asked any more, and all is answered.
    pub(super) async fn run(&mut self) -> Close {
        loop {
            let done = match self.event().await {
                Event::Tick => self.tick().await,
                Event::Item(None) => Err(Close::Gone),
                Event::Item(Some(item)) => self.item(item).await,
                Event::Frame(Ok(frame)) => self.frame(&frame).await,
                Event::Frame(Err(FrameError::Lost)) => {
                    Err(Close::Upstream("the broker closed the connection"))
                }
                Event::Frame(Err(FrameError::Length)) => {
                    Err(Close::Upstream("the broker's answer is above the limit"))
                }
            };
            if let Err(why) = done {
                return why;
            }
        }
    }

    /// Items before frames: what is expected was queued before the broker was asked.
    async fn event(&mut self) -> Event {
        let frame = async {
            match &mut self.broker {
                Some(broker) => broker.next().await.map(|frame| frame.bytes),
                None => core::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.tick.tick() => Event::Tick,
            item = self.items.recv(), if self.head.is_none() => Event::Item(item),
            frame = frame => Event::Frame(frame),
        }
    }

    async fn item(&mut self, item: Item) -> Result<(), Close> {
        match item {
            Item::Broker(broker) => self.broker = Some(broker),
            Item::Expect(pending) => self.head = Some(pending),
            Item::Answer(frame) => self.send(Message::Binary(frame.into())).await?,
            Item::Unasked => self.unasked = true,
        }
        Ok(())
    }

    async fn frame(&mut self, frame: &[u8]) -> Result<(), Close> {
        let bad = Close::Upstream("the broker's answer is not understood");
        let ours = self.head.as_ref().map(|head| head.ours.to_be_bytes());
        if ours.is_none_or(|ours| frame.first_chunk() != Some(&ours)) {
            return if self.unasked { Ok(()) } else { Err(bad) };
        }
        let Some(pending) = self.head.take() else { return Err(bad) };
        let translated = translate(&pending, frame, &self.page.claims).map_err(|_| bad)?;
        self.shared.cluster.learn(translated.brokers);
        self.shared.metrics.broker_errors.inc_by(translated.errors as u64);
        if let Some(id) = translated.producer_id {
            self.give_ticket(id).await?;
        }
        self.send(Message::Binary(translated.frame.into())).await
    }

    /// Before the id itself, so that a page that has the id can always prove it.
    async fn give_ticket(&mut self, id: i64) -> Result<(), Close> {
        let (subject, now) = (&self.page.claims.subject, self.shared.clock.now_ms());
        let ticket = self.shared.producers.bind(id, subject, now);
        if !self.page.wants_tickets {
            return Ok(());
        }
        // As text: JavaScript's numbers are too small for an id.
        let words = serde_json::json!({ "ticket": ticket, "producer_id": id.to_string() });
        self.send(Message::Text(words.to_string().into())).await
    }

    async fn tick(&mut self) -> Result<(), Close> {
        let limits = &self.shared.config.limits;
        if self.page.claims.expires_ms <= self.shared.clock.now_ms() {
            return Err(Close::Expired);
        }
        if self.pulse.silent_for() >= Duration::from_secs(limits.idle_s) {
            return Err(Close::Idle);
        }
        let stall = Duration::from_secs(limits.stall_s);
        if self.pulse.is_stalled(stall, limits.min_bytes_per_s) {
            return Err(Close::Stalled);
        }
        let most = (limits.message as u64).saturating_mul(2).saturating_add(EMPTY);
        if self.pulse.empty_bytes(self.page.meter.read_bytes()) > most {
            return Err(Close::Protocol("a flood of frames without data"));
        }
        if self.pinged.elapsed() >= Duration::from_secs(limits.ping_s) {
            self.pinged = Instant::now();
            self.send(Message::Ping(Bytes::new())).await?;
        }
        Ok(())
    }

    /// A page that does not read is waited for, and not read from, for a while.
    async fn send(&mut self, message: Message) -> Result<(), Close> {
        if let Message::Binary(bytes) = &message {
            self.shared.metrics.bytes_out.inc_by(bytes.len() as u64);
        }
        let stall = Duration::from_secs(self.shared.config.limits.stall_s);
        match timeout(stall, self.to.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Close::Gone),
            Err(_) => Err(Close::Stalled),
        }
    }
}
