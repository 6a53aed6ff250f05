//! The side of the pages: connections, HTTP, and how it becomes a WebSocket.

#![allow(clippy::result_large_err, reason = "what is refused is answered, once a request")]

mod incoming;
mod listen;
mod meter;
mod post;
mod routes;
mod site;
mod tls;
mod upgrade;

pub(crate) use listen::{Listener, serve};
pub(crate) use meter::Meter;
pub(crate) use post::Posting;
pub(crate) use routes::{admin, pages};
pub(crate) use tls::Tls;

use core::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};

use crate::access::origin::Origin;

/// What is known of the connection that a request came by.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) meter: Arc<Meter>,
}

/// What the request says of the page that it is from.
fn origin(headers: &HeaderMap) -> Origin<'_> {
    let mut all = headers.get_all(header::ORIGIN).iter();
    match (all.next(), all.next()) {
        (None, _) => Origin::Absent,
        (Some(origin), None) => origin.to_str().map_or(Origin::Garbled, Origin::Named),
        (Some(_), Some(_)) => Origin::Garbled,
    }
}
