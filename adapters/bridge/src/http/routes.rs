//! Paths.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::{post, site, upgrade};
use crate::shared::Shared;

/// What pages see.
pub(crate) fn pages(shared: &Arc<Shared>, with_admin: bool) -> Router {
    let mut router = Router::new()
        .route("/v1/kafka/{broker}", get(upgrade::upgrade))
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready));
    if shared.config.http.enabled {
        router = router.route("/topics/{topic}", post(post::post).options(post::preflight));
    }
    if with_admin {
        router = router.route("/metrics", get(metrics));
    }
    if shared.dev.is_some() {
        router = router
            .route("/dev/token", get(site::token))
            .route("/dev/broker/{what}", post(site::power))
            .route("/dev/log/{topic}/{partition}", get(site::log))
            .fallback(site::file);
    }
    router.with_state(Arc::clone(shared))
}

/// What operators see, on an address of their own.
pub(crate) fn admin(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(shared))
}

/// The process lives.
async fn healthy() -> &'static str {
    "ok\n"
}

/// It has brokers, and is not going away.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let draining = *shared.drain.borrow();
    match shared.ready.load(Ordering::Relaxed) && !draining {
        true => "ok\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response(),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics_text()).into_response()
}
