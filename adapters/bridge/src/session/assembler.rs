//! Requests out of messages: a stream of bytes, whatever its pieces are. A request is charged when
//! its length is known, before anything is kept of it.

use crate::limits::{Budget, Charge};

/// Room is made in steps, whatever length was announced.
const STEP: usize = 64 * 1024;
/// A request has at least a fixed head.
const SHORTEST: usize = 8;

/// One request, and what was charged for it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) charge: Charge,
}

/// The length is none, or above the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BadLength {
    TooShort,
    TooLong,
}

/// What has come of the next request.
#[derive(Debug)]
pub(super) struct Assembler {
    most: usize,
    budget: Budget,
    head: [u8; 4],
    headed: usize,
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    want: usize,
    bytes: Vec<u8>,
    charge: Charge,
}

impl Assembler {
    pub(super) fn new(most: usize, budget: Budget) -> Self {
        Self { most, budget, head: [0; 4], headed: 0, body: None }
    }

    /// Takes bytes off the front, up to the end of a request.
    pub(super) async fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Request>, BadLength> {
        let mut body = match self.body.take() {
            Some(body) => body,
            None => match self.length(bytes)? {
                None => return Ok(None),
                Some(want) => {
                    // It waits until others are done. The budget is never closed.
                    let charge = self.budget.charge(want).await.ok_or(BadLength::TooLong)?;
                    Body { want, bytes: Vec::new(), charge }
                }
            },
        };
        let rest = body.want.saturating_sub(body.bytes.len()).min(bytes.len());
        let (front, behind) = bytes.split_at_checked(rest).unwrap_or_default();
        let room = body.bytes.capacity() - body.bytes.len();
        if room < front.len() {
            let step = body.bytes.capacity().max(STEP).min(body.want - body.bytes.len());
            body.bytes.reserve_exact(step.max(front.len()));
        }
        body.bytes.extend_from_slice(front);
        *bytes = behind;
        if body.bytes.len() < body.want {
            self.body = Some(body);
            return Ok(None);
        }
        self.headed = 0;
        Ok(Some(Request { bytes: body.bytes, charge: body.charge }))
    }

    /// Bytes of a request that is not complete; `None`: between two.
    pub(super) fn come(&self) -> Option<usize> {
        (self.headed > 0).then(|| self.headed + self.body.as_ref().map_or(0, |b| b.bytes.len()))
    }

    fn length(&mut self, bytes: &mut &[u8]) -> Result<Option<usize>, BadLength> {
        while let Some(place) = self.head.get_mut(self.headed) {
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            *place = *first;
            self.headed += 1;
            *bytes = rest;
        }
        let length = usize::try_from(i32::from_be_bytes(self.head)).unwrap_or(0);
        match length {
            0..SHORTEST => Err(BadLength::TooShort),
            length if length > self.most => Err(BadLength::TooLong),
            length => Ok(Some(length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(future)
    }

    proptest! {
        #[test]
        fn requests_come_out_however_messages_are_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 8..300), 1..8),
            cuts in prop::collection::vec(1_usize..400, 1..40),
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.extend_from_slice(&i32::try_from(body.len()).unwrap_or(0).to_be_bytes());
                stream.extend_from_slice(body);
            }
            let mut assembler = Assembler::new(300, Budget::new(300));
            let (mut got, mut rest) = (Vec::new(), &stream[..]);
            let mut cuts = cuts.into_iter().cycle();
            while !rest.is_empty() {
                let (mut piece, behind) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                rest = behind;
                while !piece.is_empty() {
                    if let Some(request) = now(assembler.take(&mut piece)).expect("lengths") {
                        got.push(request.bytes);
                    }
                }
            }
            prop_assert_eq!(got, bodies);
            prop_assert_eq!(assembler.come(), None);
            prop_assert_eq!(assembler.budget.used(), 0);
        }
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_anything_is_charged() {
        for (head, error) in [
            ([0, 0, 1, 1], BadLength::TooLong),
            ([0x7f, 0xff, 0xff, 0xff], BadLength::TooLong),
            ([0xff; 4], BadLength::TooShort),
            ([0; 4], BadLength::TooShort),
            ([0, 0, 0, 7], BadLength::TooShort),
        ] {
            let budget = Budget::new(1_000);
            let mut assembler = Assembler::new(256, budget.clone());
            assert_eq!(now(assembler.take(&mut &head[..])).err(), Some(error));
            assert_eq!(budget.used(), 0);
        }
    }

    #[test]
    fn what_was_announced_is_charged_and_not_allocated() {
        let budget = Budget::new(2 << 20);
        let mut assembler = Assembler::new(1 << 20, budget.clone());
        assert!(now(assembler.take(&mut &[0, 0x10, 0, 0, 1][..])).expect("length").is_none());
        assert_eq!(budget.used(), 1 << 20);
        assert_eq!(assembler.come(), Some(5));
        let room = assembler.body.as_ref().map(|body| body.bytes.capacity());
        assert!(room <= Some(STEP), "{room:?}");
        drop(assembler);
        assert_eq!(budget.used(), 0);
    }
}
