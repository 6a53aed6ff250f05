//! `POST /topics/{topic}`: for `sendBeacon`, `fetch(keepalive)`, curl and webhooks. Produced by the
//! bridge's own producer, answered when every record has its outcome.

use core::fmt::Display;
use core::time::Duration;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ring::digest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::incoming::{Incoming, Trouble};
use super::upgrade::rates;
use super::{Peer, origin};
use crate::access::Claims;
use crate::access::origin::Origin;
use crate::access::token::TokenError;
use crate::config::Config;
use crate::kafka::records::HeaderPolicy;
use crate::limits::{Charge, Subject};
use crate::produce::{Given, Producer, Window, lines, whole};
use crate::shared::Shared;
use crate::upstream::Connector;

const KEY: HeaderName = HeaderName::from_static("kafka-key");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest `Idempotency-Key`.
const MAX_KEY: usize = 128;
const LONG_KEY: &str = "the Idempotency-Key has 1 to 128 bytes";
/// Who is too fast by more than this is told to come again, instead of being kept waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// In front of a token in the body's first line, for `sendBeacon`, which cannot set a header.
const BEARER: &str = "bearer ";

/// The producer, and the answers it gave.
pub(crate) struct Posting {
    pub(crate) producer: Producer,
    window: Window<Answer>,
}

/// Status and body.
type Answer = (StatusCode, Bytes);

/// What a request asks for, once all of it is known.
struct Order {
    topic: String,
    claims: Claims,
    records: Vec<Given>,
    idempotency: Option<String>,
    digest: [u8; 32],
    /// For the body: it is here until it is answered.
    _charge: Option<Charge>,
}

impl Posting {
    /// # Errors
    /// An option of `http` has a value that makes no sense.
    pub(crate) fn new(config: &Config, connector: Connector) -> Result<Self, String> {
        let lifetime = Duration::from_secs(config.http.idempotency_s);
        let window = Window::new(config.http.idempotency_keys, lifetime);
        Ok(Self { producer: Producer::new(config, connector)?, window })
    }
}

/// What browsers ask before they send more than a simple request.
pub(super) async fn preflight(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let origin = origin(&headers);
    if !matches!(origin, Origin::Named(_)) || !shared.origins.allows(origin) {
        return refuse(&shared, "origin", StatusCode::FORBIDDEN, "this origin may not post");
    }
    let allowed = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, idempotency-key, kafka-key",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ];
    readable((StatusCode::NO_CONTENT, allowed).into_response(), &headers)
}

pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(_): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !shared.origins.allows_post(origin(&headers)) {
        return refuse(&shared, "origin", StatusCode::FORBIDDEN, "this origin may not post");
    }
    let answer = match order(&shared, path, &headers, body).await {
        Ok(order) => carry_out(&shared, order).await.into_response(),
        Err(refusal) => refusal,
    };
    readable(answer, &headers)
}

/// Token first where it is in a header; a body is read only within the limits.
async fn order(
    shared: &Arc<Shared>,
    path: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Order, Response> {
    let bad = |why: &dyn Display| refuse(shared, "post", StatusCode::BAD_REQUEST, why);
    if *shared.drain.borrow() {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return Err(refuse(shared, "drain", status, "the bridge is going away"));
    }
    let Path(topic) = path.map_err(|error| bad(&error))?;
    let in_trouble = |trouble| troubled(shared, trouble);
    let mut body = Incoming::new(headers, body, shared.config.http.body).map_err(in_trouble)?;
    let (claims, idempotency) = match bearer(headers) {
        Some(token) => (check(shared, token)?, named(headers).map_err(|why| bad(&why))?),
        None => {
            let limit = Duration::from_secs(shared.config.limits.handshake_s);
            first_line(shared, body.first_line(limit).await.map_err(in_trouble)?)?
        }
    };
    if !claims.allows(&topic) {
        let why = "the token does not allow this topic";
        return Err(refuse(shared, "topic", StatusCode::FORBIDDEN, why));
    }
    // One of the subject's connections, until the body is here: a slow one keeps others waiting.
    let subject = join(shared, &claims)?;
    let length = body.length();
    let charge = shared.requests.charge(length).await;
    let limits = &shared.config.limits;
    let seconds = limits.stall_s + length as u64 / limits.min_bytes_per_s.max(1);
    let rest = body.rest(Duration::from_secs(seconds)).await.map_err(in_trouble)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let records = match kind.unwrap_or_default().split(';').next().unwrap_or_default().trim() {
        "application/octet-stream" => whole(&rest, headers.get(KEY).map(HeaderValue::as_bytes)),
        "application/json"
        | "application/x-ndjson"
        | "application/jsonl"
        | "text/plain"
        // What curl says of its own accord.
        | "application/x-www-form-urlencoded"
        | "" => {
            lines(&rest, shared.config.http.records).map_err(|error| bad(&error))?
        }
        _ => {
            let why = "send lines of JSON, or application/octet-stream";
            return Err(refuse(shared, "post", StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
    };
    slow_down(shared, &subject, rest.len(), records.len()).await?;
    let digest = digest::digest(&digest::SHA256, &rest).as_ref().try_into().unwrap_or_default();
    Ok(Order { topic, claims, records, idempotency, digest, _charge: charge })
}

async fn carry_out(shared: &Arc<Shared>, order: Order) -> Answer {
    let shared = Arc::clone(shared);
    // Of its own: a client that goes away must not leave a key without its answer.
    let working = tokio::spawn(async move {
        let Some(key) = order.idempotency.clone() else {
            return produce(&shared, &order).await.0;
        };
        let name = (order.claims.subject.clone(), order.topic.clone(), key);
        let entry = shared.posting.window.entry(name.clone(), order.digest);
        if entry.digest != order.digest {
            let why = json!({ "error": "this Idempotency-Key was used for another body" });
            return (StatusCode::UNPROCESSABLE_ENTITY, why.to_string().into());
        }
        let mut keep = true;
        let answer = entry.answer.get_or_init(async || {
            let (answer, stored) = produce(&shared, &order).await;
            keep = stored;
            answer
        });
        let answer = answer.await.clone();
        if !keep {
            shared.posting.window.forget(&name);
        }
        answer
    });
    working.await.unwrap_or((StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()))
}

/// The answer, and whether any record is, or may be, stored.
async fn produce(shared: &Shared, order: &Order) -> (Answer, bool) {
    let policy = shared.policy.headers_for(&order.claims.subject);
    let latest = shared.clock.now_ms().saturating_add(shared.policy.max_ahead_ms);
    let mut sent = Vec::new();
    for given in &order.records {
        let given = with_headers(given, &policy);
        sent.push(match given.timestamp.filter(|timestamp| *timestamp > latest) {
            Some(_) => Err("the timestamp is too far in the future".to_owned()),
            None => shared.posting.producer.send(&order.topic, &given).await,
        });
    }
    let (mut records, mut stored, mut failed) = (Vec::new(), false, false);
    for sent in sent {
        let outcome: Value = match sent {
            Err(why) => json!({ "outcome": "not_persisted", "error": why }),
            Ok(delivery) => match delivery.await {
                Ok(at) => json!({ "partition": at.partition.index, "offset": at.offset }),
                Err(klamm_host::DeliveryError::NotPersisted(why)) => {
                    json!({ "outcome": "not_persisted", "error": why.to_string() })
                }
                Err(error) => json!({ "outcome": "unknown", "error": error.to_string() }),
            },
        };
        let was_refused = outcome.get("outcome").is_some_and(|outcome| outcome == "not_persisted");
        stored |= !was_refused;
        failed |= outcome.get("error").is_some();
        records.push(outcome);
    }
    shared.metrics.posted.inc_by(records.len() as u64);
    let status = if failed { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
    ((status, json!({ "records": records }).to_string().into()), stored)
}

fn with_headers(given: &Given, policy: &HeaderPolicy) -> Given {
    let mut given = given.clone();
    given.headers.retain(|(name, _)| policy.keeps(name));
    let added = policy.add.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
    given.headers.extend(added);
    given
}

fn troubled(shared: &Shared, trouble: Trouble) -> Response {
    let (reason, status, why) = match trouble {
        Trouble::TooLarge => ("post", StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        Trouble::TooSlow => ("slow", StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
        Trouble::Broken => ("post", StatusCode::BAD_REQUEST, "the body ends too soon"),
    };
    refuse(shared, reason, status, why)
}

fn check(shared: &Shared, token: &str) -> Result<Claims, Response> {
    shared.tokens.check(token, &shared.clock).map_err(|error| {
        let status = match error {
            TokenError::TooBroad => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        };
        refuse(shared, "token", status, error)
    })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn named(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    let Some(key) = headers.get(IDEMPOTENCY) else { return Ok(None) };
    let key = key.to_str().map_err(|_| "the Idempotency-Key is no ASCII")?;
    if key.is_empty() || key.len() > MAX_KEY { Err(LONG_KEY) } else { Ok(Some(key.to_owned())) }
}

/// `bearer TOKEN`, or `bearer TOKEN IDEMPOTENCY-KEY`; then the records.
fn first_line(
    shared: &Shared,
    line: Option<Vec<u8>>,
) -> Result<(Claims, Option<String>), Response> {
    let missing = || {
        let why = "no token: send Authorization: Bearer, or it in the first line of the body";
        refuse(shared, "token", StatusCode::UNAUTHORIZED, why)
    };
    let line = line.and_then(|line| String::from_utf8(line).ok()).ok_or_else(missing)?;
    let mut words = line.strip_prefix(BEARER).ok_or_else(missing)?.split_ascii_whitespace();
    let claims = check(shared, words.next().ok_or_else(missing)?)?;
    match words.next() {
        Some(key) if key.len() > MAX_KEY => {
            Err(refuse(shared, "post", StatusCode::BAD_REQUEST, LONG_KEY))
        }
        key => Ok((claims, key.map(str::to_owned))),
    }
}

fn join(shared: &Shared, claims: &Claims) -> Result<Arc<Subject>, Response> {
    let (bytes_per_s, records_per_s) = rates(shared, claims);
    shared.counts.join(&claims.subject, bytes_per_s, records_per_s).ok_or_else(|| {
        let status = StatusCode::TOO_MANY_REQUESTS;
        refuse(shared, "subject", status, "too many connections")
    })
}

/// HTTP has no back-pressure that a client would notice: a little is waited for, the rest is refused.
async fn slow_down(
    shared: &Shared,
    subject: &Subject,
    bytes: usize,
    records: usize,
) -> Result<(), Response> {
    for (rate, amount) in [(&subject.bytes, bytes), (&subject.records, records)] {
        match rate.try_take(amount, PATIENCE) {
            Ok(wait) => sleep(wait).await,
            Err(wait) => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                let mut answer = refuse(shared, "rate", status, "too fast");
                let seconds = HeaderValue::from(wait.as_secs() + 1);
                answer.headers_mut().insert(header::RETRY_AFTER, seconds);
                return Err(answer);
            }
        }
    }
    Ok(())
}

fn refuse(
    shared: &Shared,
    reason: &'static str,
    status: StatusCode,
    why: impl Display,
) -> Response {
    shared.metrics.turn_away(reason);
    (status, json!({ "error": why.to_string() }).to_string()).into_response()
}

/// Lets the page that asked read the answer. Its origin was looked at before.
fn readable(mut answer: Response, headers: &HeaderMap) -> Response {
    let all = answer.headers_mut();
    all.insert(header::VARY, HeaderValue::from_static("origin"));
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(origin) = headers.get(header::ORIGIN) {
        all.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    answer
}
