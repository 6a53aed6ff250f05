//! Tokens: JWTs, short-lived, that say which topics their bearer may write to and how fast.

use core::fmt;

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Keys, topic};
use crate::clock::Clock;

/// Longest token that is looked at.
pub(crate) const MAX_TOKEN: usize = 4_096;
/// Longest subject.
const MAX_SUBJECT: usize = 128;

/// What the bridge wants of every token.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) keys: Keys,
    pub(crate) audience: String,
    /// How far away a token's end may be, in seconds.
    pub(crate) max_lifetime: u64,
    /// How far clocks may differ, in seconds.
    pub(crate) leeway: u64,
    /// How many topics a token may name.
    pub(crate) max_topics: usize,
}

/// What a good token says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Claims {
    pub(crate) subject: String,
    pub(crate) topics: Vec<String>,
    /// Its end in Unix time, in milliseconds, with the leeway.
    pub(crate) expires_ms: i64,
    /// At most so many, if it says so.
    pub(crate) bytes_per_s: Option<u64>,
    pub(crate) records_per_s: Option<u64>,
}

impl Claims {
    pub(crate) fn allows(&self, name: &str) -> bool {
        topic::is_legal(name) && self.topics.iter().any(|allowed| allowed == name)
    }
}

/// Why a token is not good enough. What is said to the page is said to an attacker, too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TokenError {
    Missing,
    /// Not signed by one of the keys, for another audience, or no token at all.
    Invalid,
    Expired,
    /// Good for longer, or for more, than any token may be.
    TooBroad,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no token: send Sec-WebSocket-Protocol: klamm.v1, bearer.<jwt>",
            Self::Invalid => "the token is not valid here",
            Self::Expired => "the token has expired, or is not valid yet",
            Self::TooBroad => "the token allows more than the bridge lets any token allow",
        })
    }
}

#[derive(Deserialize)]
struct Raw {
    sub: String,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    topics: Vec<String>,
    bytes_per_s: Option<u64>,
    records_per_s: Option<u64>,
}

impl Tokens {
    /// Looks at a token of somebody who nothing is known of.
    pub(crate) fn check(&self, token: &str, clock: &Clock) -> Result<Claims, TokenError> {
        let raw = self.verify(token)?;
        let now = clock.now_s();
        if raw.nbf > now.saturating_add(self.leeway) {
            return Err(TokenError::Expired);
        }
        let end = raw.exp.saturating_add(self.leeway);
        if end <= now {
            return Err(TokenError::Expired);
        }
        if raw.exp - now.min(raw.exp) > self.max_lifetime.saturating_add(self.leeway) {
            return Err(TokenError::TooBroad);
        }
        if raw.topics.len() > self.max_topics
            || !raw.topics.iter().all(|name| topic::is_legal(name))
        {
            return Err(TokenError::TooBroad);
        }
        if raw.sub.is_empty() || raw.sub.len() > MAX_SUBJECT || raw.sub.contains(char::is_control) {
            return Err(TokenError::Invalid);
        }
        Ok(Claims {
            subject: raw.sub,
            topics: raw.topics,
            expires_ms: i64::try_from(end.saturating_mul(1_000)).unwrap_or(i64::MAX),
            bytes_per_s: raw.bytes_per_s,
            records_per_s: raw.records_per_s,
        })
    }

    fn verify(&self, token: &str) -> Result<Raw, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        // `none` is no algorithm to the library.
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        for key in self.keys.candidates(header.kid.as_deref(), header.alg) {
            if let Ok(data) = decode(token, &key.decoding, &self.validation(key.algorithm)) {
                return Ok(data.claims);
            }
        }
        Err(TokenError::Invalid)
    }

    /// The key's algorithm, not the token's. Times are looked at with the bridge's own clock.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        validation
    }
}
