//! What `--dev` serves besides: the demo page, the wasm package if it is built, and tokens.

use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};
use serde_json::json;

use super::origin;
use crate::shared::Shared;

/// The page, in the program.
static PAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/page");
/// Where the package is, seen from where the bridge was started.
const PACKAGE: &str = "wasm/pkg";

/// The longest name in `?name=`.
const MAX_NAME: usize = 64;

/// A token for the demo's topics; for the same `?name=` always of the same subject.
pub(super) async fn token(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let Some(dev) = &shared.dev else { return StatusCode::NOT_FOUND.into_response() };
    let name = uri.query().and_then(|query| query.strip_prefix("name="));
    let legal = |name: &str| {
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        letters && (1..=MAX_NAME).contains(&name.len())
    };
    if uri.query().is_some() && !name.is_some_and(legal) {
        let problem = "name: 1 to 64 letters, digits and hyphens\n";
        return (StatusCode::BAD_REQUEST, problem).into_response();
    }
    let token = dev.token(name, &shared.clock, shared.config.auth.max_lifetime_s);
    let answer = json!({ "token": token, "topics": crate::dev::TOPICS });
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (head, answer.to_string()).into_response()
}

/// The dev broker's switch: `start` or `stop`. For pages that may connect.
pub(super) async fn power(
    State(shared): State<Arc<Shared>>,
    UrlPath(what): UrlPath<String>,
    headers: HeaderMap,
) -> StatusCode {
    let Some(dev) = &shared.dev else { return StatusCode::NOT_FOUND };
    if !shared.origins.allows(origin(&headers)) {
        return StatusCode::FORBIDDEN;
    }
    match what.as_str() {
        "start" => dev.power(true),
        "stop" => dev.power(false),
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::NO_CONTENT
}

/// What is in a log of the dev broker, from `?offset=` on.
pub(super) async fn log(
    State(shared): State<Arc<Shared>>,
    UrlPath((topic, partition)): UrlPath<(String, i32)>,
    uri: Uri,
) -> Response {
    let offset = uri.query().and_then(|query| query.strip_prefix("offset="));
    let offset = offset.and_then(|offset| offset.parse().ok()).unwrap_or(0);
    let part = shared.dev.as_ref().and_then(|dev| dev.log(&topic, partition, offset));
    let Some(part) = part else { return StatusCode::NOT_FOUND.into_response() };
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (head, part).into_response()
}

pub(super) async fn file(uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if !path.bytes().all(legal) || path.split('/').any(|part| part.starts_with('.')) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let contents = match path.strip_prefix("pkg/") {
        Some(name) => tokio::fs::read(Path::new(PACKAGE).join(name)).await.ok(),
        None => PAGE.get_file(path).map(|file| file.contents().to_vec()),
    };
    match contents {
        Some(contents) => ([(header::CONTENT_TYPE, kind(path))], contents).into_response(),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
