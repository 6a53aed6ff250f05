//! What `--dev` serves besides: the demo page, the wasm package if it is built, and tokens.

use std::path::Path;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, include_dir};
use serde_json::json;

use crate::shared::Shared;

/// The page, in the program.
static PAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/page");
/// Where the package is, seen from where the bridge was started.
const PACKAGE: &str = "wasm/pkg";

/// A token for the demo's topics.
pub(super) async fn token(State(shared): State<Arc<Shared>>) -> Response {
    let Some(dev) = &shared.dev else { return StatusCode::NOT_FOUND.into_response() };
    let token = dev.token(&shared.clock, shared.config.auth.max_lifetime_s);
    let answer = json!({ "token": token, "topics": crate::dev::TOPICS });
    let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (head, answer.to_string()).into_response()
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
