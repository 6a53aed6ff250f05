//! Finding what was there before (LZ77), for all of klamm's own encoders: a table of the last position of every hash of
//! four bytes and, where there is memory, chains of the positions before.
//!
//! Positions are kept as `u16`, one more than they are (0 is none) and modulo 65,536: they only name a candidate, whose
//! bytes are compared in any case.

use crate::storage::Slab;

/// The farthest that a match may lie back.
const FARTHEST: usize = 65_535;
/// The shortest match.
const SHORTEST: usize = 4;
/// A match this long is good enough to look no further.
const LONG: usize = 64;
/// Every so many positions without a match, the search takes larger steps: what does not shrink costs little time.
const PATIENCE: usize = 64;

/// Where positions are kept; both lengths are powers of two, `chain` may be empty.
#[derive(Default)]
pub(crate) struct Tables<'a> {
    pub(crate) head: Slab<'a, u16>,
    pub(crate) chain: Slab<'a, u16>,
}

/// What an encoder can express.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    /// Matches lie at most so far back.
    pub(super) distance: usize,
    /// No match begins in so many last bytes of the input.
    pub(super) no_start: usize,
    /// No match reaches into so many last bytes of the input.
    pub(super) no_match: usize,
    /// Candidates to look at for each position, at least 1.
    pub(super) depth: u16,
}

/// Takes the input apart: some literals and a match, again and again, then the literals that are left. `None` ends it.
pub(super) trait Sink {
    fn literals_and_match(&mut self, literals: &[u8], length: usize, distance: usize)
    -> Option<()>;

    fn rest(&mut self, literals: &[u8]) -> Option<()>;
}

struct Match {
    length: usize,
    distance: usize,
}

/// Feeds `input` to the sink. The same input gives the same matches every time.
pub(super) fn parse(
    tables: &mut Tables<'_>,
    input: &[u8],
    rule: Rule,
    sink: &mut impl Sink,
) -> Option<()> {
    tables.head.fill(0);
    let mut search = Search {
        head: &mut tables.head,
        chain: &mut tables.chain,
        input,
        rule,
        end: input.len().saturating_sub(rule.no_match),
        next: 0,
    };
    let last_start = input.len().saturating_sub(rule.no_start.max(SHORTEST));
    let (mut unwritten, mut at, mut misses) = (0, 0, 0);
    while at < last_start {
        let Some(mut found) = search.look_up(at) else {
            misses += 1;
            at += 1 + if rule.depth == 1 { misses / PATIENCE } else { 0 };
            continue;
        };
        misses = 0;
        // Lazy: a longer match one byte further on is worth the literal.
        while rule.depth > 1 && found.length < LONG && at + 1 < last_start {
            match search.look_up(at + 1) {
                Some(next) if next.length > found.length + 1 => {
                    found = next;
                    at += 1;
                }
                _ => break,
            }
        }
        while at > unwritten
            && at > found.distance
            && input.get(at - 1) == input.get(at - 1 - found.distance)
        {
            at -= 1;
            found.length += 1;
        }
        sink.literals_and_match(input.get(unwritten..at)?, found.length, found.distance)?;
        let after = at + found.length;
        search.note(after, last_start);
        at = after;
        unwritten = at;
    }
    sink.rest(input.get(unwritten..)?)
}

struct Search<'s> {
    head: &'s mut [u16],
    chain: &'s mut [u16],
    input: &'s [u8],
    rule: Rule,
    end: usize,
    /// Positions before this one are noted, or passed over.
    next: usize,
}

impl Search<'_> {
    /// The longest match for what is at `at`, which is noted for later.
    fn look_up(&mut self, at: usize) -> Option<Match> {
        let word = word(self.input, at)?;
        let mut candidate = self.insert(at, word);
        let mut best = Match { length: SHORTEST - 1, distance: 0 };
        let mut nearest = 0;
        for _ in 0..self.rule.depth {
            let distance = distance(at, candidate);
            // Farther back with each step, or it is a leftover of a position long passed.
            if candidate == 0
                || distance <= nearest
                || distance > at
                || distance > self.rule.distance
            {
                break;
            }
            nearest = distance;
            let from = at - distance;
            if self::word(self.input, from) == Some(word) {
                let length = self.common(from, at);
                if length > best.length {
                    best = Match { length, distance };
                    if length >= LONG {
                        break;
                    }
                }
            }
            let Some(before) = self.chain.get(from & self.chain.len().wrapping_sub(1)) else {
                break;
            };
            candidate = *before;
        }
        (best.length >= SHORTEST).then_some(best)
    }

    /// Notes positions within a match that ends at `to`: all where there are chains, the last but one else.
    fn note(&mut self, to: usize, last_start: usize) {
        let from =
            if self.rule.depth > 1 { self.next } else { self.next.max(to.saturating_sub(2)) };
        for at in from..to.min(last_start) {
            if let Some(word) = word(self.input, at) {
                self.insert(at, word);
            }
        }
    }

    /// Notes the position, and returns the one before.
    #[allow(clippy::cast_possible_truncation, reason = "modulo 65,536")]
    fn insert(&mut self, at: usize, word: u32) -> u16 {
        self.next = at + 1;
        let bits = self.head.len().trailing_zeros();
        let hash = word.wrapping_mul(0x9e37_79b1).checked_shr(32 - bits).unwrap_or_default();
        let Some(place) = self.head.get_mut(hash as usize) else { return 0 };
        let before = core::mem::replace(place, (at as u16).wrapping_add(1));
        let mask = self.chain.len().wrapping_sub(1);
        if let Some(place) = self.chain.get_mut(at & mask) {
            *place = before;
        }
        before
    }

    fn common(&self, from: usize, at: usize) -> usize {
        let (Some(a), Some(b)) = (self.input.get(from..), self.input.get(at..self.end)) else {
            return 0;
        };
        let mut length = 0;
        for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
            let (Some(a), Some(b)) = (a.first_chunk(), b.first_chunk()) else { break };
            let differ = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
            if differ != 0 {
                return length + differ.trailing_zeros() as usize / 8;
            }
            length += 8;
        }
        let (a, b) = (a.get(length..).unwrap_or_default(), b.get(length..).unwrap_or_default());
        length + a.iter().zip(b).take_while(|(a, b)| a == b).count()
    }
}

/// How far back a candidate lies.
#[allow(clippy::cast_possible_truncation, reason = "modulo 65,536")]
fn distance(at: usize, candidate: u16) -> usize {
    let distance = (at as u16).wrapping_add(1).wrapping_sub(candidate);
    usize::from(distance).min(FARTHEST)
}

fn word(input: &[u8], at: usize) -> Option<u32> {
    input.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}
