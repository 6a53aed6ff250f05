//! From HTTP to a WebSocket: origin, token, limits, in this order.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{Peer, origin};
use crate::access::token::{Claims, TokenError};
use crate::session::{self, Page};
use crate::shared::Shared;
use crate::upstream::Target;

/// The one subprotocol that is echoed.
const PROTOCOL: &str = "klamm.v1";
/// In front of a token among the subprotocols, where a browser can put one, and no log has it.
const BEARER: &str = "bearer.";
/// Offered by pages that understand the text messages with tickets.
const TICKETS: &str = "tickets";
/// What is buffered of a connection that does nothing.
const READ_BUFFER: usize = 4 * 1024;
/// For a ping beside an answer.
const SPARE: usize = 64 * 1024;

pub(super) async fn upgrade(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let turn_away = |reason, status: StatusCode, words: &'static str| {
        shared.metrics.turn_away(reason);
        (status, words).into_response()
    };
    let socket = match socket {
        Ok(socket) => socket,
        Err(rejection) => return rejection.into_response(),
    };
    if !shared.origins.allows(origin(&headers)) {
        return turn_away("origin", StatusCode::FORBIDDEN, "this origin may not connect");
    }
    if *shared.drain.borrow() {
        return turn_away("drain", StatusCode::SERVICE_UNAVAILABLE, "the bridge is going away");
    }
    let Some(target) = path.ok().and_then(|Path(name)| Target::parse(&name)) else {
        return turn_away("path", StatusCode::NOT_FOUND, "no such broker");
    };
    let (token, has_protocol) = offered(&socket);
    if !has_protocol {
        return turn_away("protocol", StatusCode::BAD_REQUEST, "ask for the subprotocol klamm.v1");
    }
    let wants_tickets = socket.requested_protocols().any(|protocol| protocol == TICKETS);
    let limits = &shared.config.limits;
    let socket = socket
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(limits.answer + SPARE)
        .max_message_size(limits.message)
        .max_frame_size(limits.message);
    let claims = match token.and_then(|token| shared.tokens.check(&token, &shared.clock)) {
        Ok(claims) => claims,
        Err(error) => return say(socket, &shared, error),
    };
    let (bytes, records) = rates(&shared, &claims);
    let Some(subject) = shared.counts.join(&claims.subject, bytes, records) else {
        return turn_away("subject", StatusCode::TOO_MANY_REQUESTS, "too many connections");
    };
    tracing::debug!(subject = claims.subject, address = %peer.address, ?target, "connected");
    let headers = shared.policy.headers_for(&claims.subject);
    let page = Page { claims, headers, subject, target, wants_tickets, meter: peer.meter };
    socket.on_upgrade(move |socket| session::run(shared, page, socket))
}

/// Whether the page speaks our protocol, and its one token.
fn offered(socket: &WebSocketUpgrade) -> (Result<String, TokenError>, bool) {
    let all = || socket.requested_protocols().filter_map(|protocol| protocol.to_str().ok());
    let has_protocol = all().any(|protocol| protocol == PROTOCOL);
    let mut tokens = all().filter_map(|protocol| protocol.strip_prefix(BEARER));
    let token = match (tokens.next(), tokens.next()) {
        (None, _) => Err(TokenError::Missing),
        (Some(token), None) => Ok(token.to_owned()),
        (Some(_), Some(_)) => Err(TokenError::Invalid),
    };
    (token, has_protocol)
}

/// What is configured, unless the token says less.
pub(super) fn rates(shared: &Shared, claims: &Claims) -> (u64, u64) {
    let least = |configured, said: Option<u64>| match (configured, said) {
        (configured, None) => configured,
        // A rate of 0 would be no bound.
        (0, Some(said)) => said.max(1),
        (configured, Some(said)) => said.clamp(1, configured),
    };
    let limits = &shared.config.limits;
    (
        least(limits.bytes_per_s, claims.bytes_per_s),
        least(limits.records_per_s, claims.records_per_s),
    )
}

/// A browser does not show a page the status of a failed handshake, so that it could not know that it
/// needs a new token. It is told by a close code.
fn say(socket: WebSocketUpgrade, shared: &Arc<Shared>, error: TokenError) -> Response {
    shared.metrics.turn_away("token");
    let code = if error == TokenError::TooBroad { 4403 } else { 4401 };
    let frame = CloseFrame { code, reason: error.to_string().into() };
    socket.on_upgrade(async move |mut socket| {
        // It may be gone already.
        let _ = socket.send(Message::Close(Some(frame))).await;
    })
}
