//! Frames from a broker: a length, then so many bytes. Nothing is lost when a wait is cancelled.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::limits::{Budget, Charge};

/// Answers up to this size are not charged: each connection has one at most.
const SMALL: usize = 64 * 1024;
/// Room is made in steps, whatever length was announced.
const STEP: usize = 64 * 1024;
/// An answer has a correlation id.
const SHORTEST: usize = 4;

/// Why there is no frame.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The broker closed the connection, or it broke.
    Lost,
    /// A length that is none, or above the bound.
    Length,
}

/// One frame, charged as long as it is kept.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    _charge: Option<Charge>,
}

/// Cuts what a broker sends into frames.
pub(crate) struct Frames<R> {
    from: R,
    most: usize,
    budget: Budget,
    head: [u8; 4],
    headed: usize,
    want: Option<usize>,
    body: Vec<u8>,
    charge: Option<Charge>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(from: R, most: usize, budget: Budget) -> Self {
        let (head, body) = ([0; 4], Vec::new());
        Self { from, most, budget, head, headed: 0, want: None, body, charge: None }
    }

    /// The next frame, without its length.
    pub(crate) async fn next(&mut self) -> Result<Frame, FrameError> {
        let want = match self.want {
            Some(want) => want,
            None => self.length().await?,
        };
        if want > SMALL && self.charge.is_none() {
            self.charge = Some(self.budget.charge(want).await.ok_or(FrameError::Lost)?);
        }
        while let Some(rest) = want.checked_sub(self.body.len()).filter(|rest| *rest > 0) {
            self.body.reserve(rest.min(STEP));
            let mut from = (&mut self.from).take(rest as u64);
            filled(from.read_buf(&mut self.body).await)?;
        }
        (self.want, self.headed) = (None, 0);
        Ok(Frame { bytes: core::mem::take(&mut self.body), _charge: self.charge.take() })
    }

    async fn length(&mut self) -> Result<usize, FrameError> {
        while let Some(rest) = self.head.get_mut(self.headed..).filter(|rest| !rest.is_empty()) {
            self.headed += filled(self.from.read(rest).await)?;
        }
        let length = usize::try_from(i32::from_be_bytes(self.head)).ok();
        let length = length.filter(|length| (SHORTEST..=self.most).contains(length));
        self.want = Some(length.ok_or(FrameError::Length)?);
        length.ok_or(FrameError::Length)
    }
}

fn filled(read: io::Result<usize>) -> Result<usize, FrameError> {
    match read {
        Ok(0) | Err(_) => Err(FrameError::Lost),
        Ok(bytes) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn frames_come_out_however_the_bytes_come_in() {
        let (mut broker, bridge) = tokio::io::duplex(3);
        let mut frames = Frames::new(bridge, 100, Budget::new(1_000));
        let send = async move {
            for byte in [0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 5, 5, 6, 7, 8, 9] {
                broker.write_all(&[byte]).await.expect("write");
                tokio::task::yield_now().await;
            }
            broker
        };
        let receive = async {
            let mut got = Vec::new();
            while got.len() < 2 {
                // Most waits are given up.
                tokio::select! {
                    biased;
                    frame = frames.next() => got.push(frame.expect("frame").bytes),
                    () = tokio::task::yield_now() => {}
                }
            }
            got
        };
        let (_broker, got) = tokio::join!(send, receive);
        assert_eq!(got, [vec![1, 2, 3, 4], vec![5, 6, 7, 8, 9]]);
    }

    #[tokio::test]
    async fn a_length_that_is_none_is_an_error_before_any_room_is_made() {
        for head in [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0, 0, 0, 3], [0, 0, 0, 101]] {
            let mut frames = Frames::new(&head[..], 100, Budget::new(1_000));
            assert!(matches!(frames.next().await, Err(FrameError::Length)), "{head:?}");
            assert_eq!(frames.body.capacity(), 0);
        }
        let mut frames = Frames::new(&[0, 0, 0, 9, 1][..], 100, Budget::new(1_000));
        assert!(matches!(frames.next().await, Err(FrameError::Lost)));
    }
}
