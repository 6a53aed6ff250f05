//! Frames from a broker: a length, then so many bytes. Nothing is lost when a wait is cancelled.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Poll, ready};
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::limits::{Budget, Charge};

/// Answers up to this size are not charged: each connection has one at most.
const SMALL: usize = 64 * 1024;
/// Room is made in steps, whatever length was announced.
const STEP: usize = 64 * 1024;
/// What is read without knowing its length: a small answer comes with one system call, length and all.
const AT_ONCE: usize = 1024;
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
    /// The next frame, from its length on, as far as it has come, or what came behind the last one.
    come: Vec<u8>,
    charge: Option<Charge>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(crate) fn new(from: R, most: usize, budget: Budget) -> Self {
        Self { from, most, budget, come: Vec::new(), charge: None }
    }

    /// The next frame, without its length.
    pub(crate) async fn next(&mut self) -> Result<Frame, FrameError> {
        loop {
            let Some((head, body)) = self.come.split_first_chunk() else {
                self.read_some().await?;
                continue;
            };
            let want = self.length(*head)?;
            if want > SMALL && self.charge.is_none() {
                self.charge = Some(self.budget.charge(want).await.ok_or(FrameError::Lost)?);
                continue;
            }
            match want.checked_sub(body.len()) {
                None | Some(0) => return Ok(self.cut(head.len(), want)),
                Some(..=AT_ONCE) => self.read_some().await?,
                Some(rest) => self.read(rest).await?,
            }
        }
    }

    fn length(&self, head: [u8; 4]) -> Result<usize, FrameError> {
        let length = usize::try_from(i32::from_be_bytes(head)).ok();
        let length = length.filter(|length| (SHORTEST..=self.most).contains(length));
        length.ok_or(FrameError::Length)
    }

    fn cut(&mut self, head: usize, length: usize) -> Frame {
        let behind = self.come.split_off(head + length);
        let mut bytes = core::mem::replace(&mut self.come, behind);
        bytes.drain(..head);
        Frame { bytes, _charge: self.charge.take() }
    }

    /// By way of the stack: who waits needs no room.
    async fn read_some(&mut self) -> Result<(), FrameError> {
        let Self { from, come, .. } = self;
        let read = poll_fn(|context| {
            let mut room = [0; AT_ONCE];
            let mut room = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut *from).poll_read(context, &mut room))?;
            come.extend_from_slice(room.filled());
            Poll::Ready(Ok(room.filled().len()))
        });
        filled(read.await)
    }

    /// `rest` bytes at most.
    async fn read(&mut self, rest: usize) -> Result<(), FrameError> {
        self.come.reserve(rest.min(STEP));
        let mut from = (&mut self.from).take(rest as u64);
        filled(from.read_buf(&mut self.come).await)
    }
}

fn filled(read: io::Result<usize>) -> Result<(), FrameError> {
    match read {
        Ok(0) | Err(_) => Err(FrameError::Lost),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::task::Context;
    use tokio::io::AsyncWriteExt;

    /// Says how often it was read from.
    struct Counted<'a> {
        inner: &'a [u8],
        count: usize,
    }

    impl AsyncRead for Counted<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            room: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.count += 1;
            Pin::new(&mut self.inner).poll_read(context, room)
        }
    }

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
    async fn frames_of_all_sizes_come_out_of_one_stream() {
        // Around what is read at once, what is charged, and a step; several in one read.
        let sizes = [4, 5, 4, AT_ONCE - 4, AT_ONCE, 4, 3 * STEP, SMALL, SMALL + 1, 6, 5 * AT_ONCE];
        let bodies = sizes.map(|size| (0..=250).cycle().take(size).collect::<Vec<u8>>());
        let mut stream = Vec::new();
        for body in &bodies {
            stream.extend_from_slice(&u32::try_from(body.len()).expect("length").to_be_bytes());
            stream.extend_from_slice(body);
        }
        let budget = Budget::new(4 * STEP);
        let mut frames = Frames::new(&stream[..], 4 * STEP, budget.clone());
        for body in &bodies {
            let frame = frames.next().await.expect("frame");
            assert!(frame.bytes == *body, "{} bytes for {}", frame.bytes.len(), body.len());
            assert_eq!(budget.used(), if body.len() > SMALL { body.len() } else { 0 });
        }
        assert!(matches!(frames.next().await, Err(FrameError::Lost)));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_small_answer_takes_one_read() {
        let two = [0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 5, 5, 6, 7, 8, 9];
        let mut reads = Counted { inner: &two, count: 0 };
        let mut frames = Frames::new(&mut reads, 100, Budget::new(1_000));
        assert_eq!(frames.next().await.expect("frame").bytes, [1, 2, 3, 4]);
        assert_eq!(frames.next().await.expect("frame").bytes, [5, 6, 7, 8, 9]);
        assert_eq!(reads.count, 1);
    }

    #[tokio::test]
    async fn a_length_that_is_none_is_an_error_before_any_room_is_made() {
        for head in [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0, 0, 0, 3], [0, 0, 0, 101]] {
            let mut frames = Frames::new(&head[..], 100, Budget::new(1_000));
            assert!(matches!(frames.next().await, Err(FrameError::Length)), "{head:?}");
            assert!(frames.come.capacity() <= AT_ONCE);
        }
        let mut frames = Frames::new(&[0, 0, 0, 9, 1][..], 100, Budget::new(1_000));
        assert!(matches!(frames.next().await, Err(FrameError::Lost)));
    }
}
