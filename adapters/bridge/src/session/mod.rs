//! One WebSocket and its one connection to a broker: when either ends, so does the other, and the
//! page's producer sees what it would see of a broker.

mod assembler;
mod down;
mod pulse;
mod up;

use core::time::Duration;
use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::access::Claims;
use crate::close::Close;
use crate::gate::Pending;
use crate::http::Meter;
use crate::kafka::records::HeaderPolicy;
use crate::limits::Subject;
use crate::shared::Shared;
use crate::upstream::{Frames, Target};
use down::Down;
use pulse::Pulse;
use up::Up;

/// For the last words.
const FAREWELL: Duration = Duration::from_secs(2);

/// Who is at the other end.
pub(crate) struct Page {
    pub(crate) claims: Claims,
    pub(crate) headers: HeaderPolicy,
    pub(crate) subject: Arc<Subject>,
    pub(crate) target: Target,
    /// Does it understand tickets?
    pub(crate) wants_tickets: bool,
    pub(crate) meter: Arc<Meter>,
}

/// What the way up hands to the way down, in the order of the page's requests.
enum Item {
    /// The broker's side, once it is connected.
    Broker(Frames<Box<dyn tokio::io::AsyncRead + Send + Unpin>>),
    /// The broker will answer this.
    Expect(Pending),
    /// The bridge answers itself.
    Answer(Vec<u8>),
    /// Some brokers answer where nobody asked them to (acks = 0).
    Unasked,
}

/// Runs until the end of either side.
pub(crate) async fn run(shared: Arc<Shared>, page: Page, socket: WebSocket) {
    shared.metrics.websockets.inc();
    let (mut sink, stream) = socket.split();
    let why = serve(&shared, &page, &mut sink, stream).await;
    shared.metrics.websockets.dec();
    shared.metrics.close(why);
    let level_is_low = matches!(why, Close::Gone | Close::Restart | Close::Expired);
    if level_is_low {
        tracing::debug!(subject = page.claims.subject, reason = why.name(), "closed");
    } else {
        tracing::info!(subject = page.claims.subject, reason = why.name(), detail = %why, "closed");
    }
    let frame = CloseFrame { code: why.code(), reason: why.to_string().into() };
    // It may be gone already.
    let _ = timeout(FAREWELL, sink.send(Message::Close(Some(frame)))).await;
}

async fn serve(
    shared: &Shared,
    page: &Page,
    sink: &mut SplitSink<WebSocket, Message>,
    stream: futures_util::stream::SplitStream<WebSocket>,
) -> Close {
    let (queue, items) = mpsc::channel(shared.config.limits.pipeline.max(1));
    let pulse = Pulse::new();
    let mut up = Up::new(shared, page, &pulse, stream, queue);
    let mut down = Down::new(shared, page, &pulse, sink, items);
    let ended = tokio::select! {
        why = up.run() => Some(why),
        why = down.run() => Some(why),
        () = shared.draining() => None,
    };
    if let Some(why) = ended {
        return why;
    }
    // Nothing more is read; what the broker was asked is still answered.
    up.stop();
    let limit = Duration::from_secs(shared.config.limits.drain_s);
    match timeout(limit, down.run()).await {
        Ok(Close::Gone) | Err(_) => Close::Restart,
        Ok(why) => why,
    }
}
