//! A body as it comes in: its first line before anything is charged for it, so that nobody without a
//! token takes room from the others.

use core::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::access::token::MAX_TOKEN;

/// A word, a token, and an `Idempotency-Key`.
const MAX_LINE: usize = MAX_TOKEN + 256;

/// Why there is no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    TooLarge,
    TooSlow,
    /// The client went away.
    Broken,
}

/// What has come of a body.
pub(super) struct Incoming {
    from: BodyDataStream,
    most: usize,
    /// As it was announced.
    length: Option<usize>,
    come: Vec<u8>,
}

impl Incoming {
    /// At most `most` bytes are taken.
    pub(super) fn new(headers: &HeaderMap, body: Body, most: usize) -> Result<Self, Trouble> {
        let told = headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok());
        let length = told.and_then(|text| text.parse().ok());
        if length.is_some_and(|length: usize| length > most) {
            return Err(Trouble::TooLarge);
        }
        Ok(Self { from: body.into_data_stream(), most, length, come: Vec::new() })
    }

    /// Bytes that there may be.
    pub(super) fn length(&self) -> usize {
        self.length.unwrap_or(self.most)
    }

    /// Takes the first line off, without its end. `None`: there is none that is short enough.
    pub(super) async fn first_line(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, Trouble> {
        let reading = async {
            loop {
                if let Some(end) = self.come.iter().position(|byte| *byte == b'\n') {
                    let mut line: Vec<u8> = self.come.drain(..=end).collect();
                    line.pop();
                    return Ok(Some(line).filter(|line| line.len() <= MAX_LINE));
                }
                if self.come.len() > MAX_LINE || !self.more().await? {
                    return Ok(None);
                }
            }
        };
        timeout(limit, reading).await.unwrap_or(Err(Trouble::TooSlow))
    }

    /// What follows, to its end.
    pub(super) async fn rest(mut self, limit: Duration) -> Result<Vec<u8>, Trouble> {
        let reading = async {
            while self.more().await? {}
            Ok(core::mem::take(&mut self.come))
        };
        timeout(limit, reading).await.unwrap_or(Err(Trouble::TooSlow))
    }

    /// Waits for a piece: is there one?
    async fn more(&mut self) -> Result<bool, Trouble> {
        let Some(piece) = self.from.next().await else { return Ok(false) };
        let piece = piece.map_err(|_| Trouble::Broken)?;
        if self.come.len() + piece.len() > self.most {
            return Err(Trouble::TooLarge);
        }
        self.come.extend_from_slice(&piece);
        Ok(true)
    }
}
