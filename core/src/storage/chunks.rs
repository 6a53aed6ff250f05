//! Which chunks of the record memory are taken: a bit each, zero is free.

use super::broken;

/// The allocator's state; the bits themselves lie in `Storage::chunk_map`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunks {
    /// Chunks taken.
    used: u16,
    /// The word to look at first: where the last free bit was found.
    hint: u16,
}

impl Chunks {
    pub(crate) const EMPTY: Self = Self { used: 0, hint: 0 };

    /// Takes `run` adjacent chunks of `total`; returns the first.
    #[allow(clippy::cast_possible_truncation, reason = "there are at most 65,535 chunks")]
    pub(crate) fn take(&mut self, map: &mut [u32], total: u16, run: u16) -> Option<u16> {
        if u32::from(self.used) + u32::from(run) > u32::from(total) {
            return None;
        }
        let first = if run == 1 { self.find_one(map, total)? } else { find_run(map, total, run)? };
        for chunk in first..first + run {
            *word(map, chunk) |= 1 << (chunk % 32);
        }
        self.used += run;
        Some(first)
    }

    pub(crate) const fn used(self) -> u16 {
        self.used
    }

    pub(crate) fn give_back(&mut self, map: &mut [u32], first: u16, run: u16) {
        for chunk in first..first + run {
            let bit = 1 << (chunk % 32);
            let word = word(map, chunk);
            // A chunk freed twice would end up in two batches.
            if *word & bit == 0 {
                broken("a chunk is freed once");
            }
            *word &= !bit;
        }
        self.used -= run;
    }

    /// One free chunk, searched from where the last one was found: O(1) unless nearly everything is taken.
    #[allow(clippy::cast_possible_truncation, reason = "there are at most 65,535 chunks")]
    fn find_one(&mut self, map: &[u32], total: u16) -> Option<u16> {
        let words = map.len();
        for step in 0..words {
            let mut at = usize::from(self.hint) + step;
            if at >= words {
                at -= words;
            }
            let word = map.get(at).copied().unwrap_or(u32::MAX);
            let chunk = at as u32 * 32 + word.trailing_ones();
            if word != u32::MAX && chunk < u32::from(total) {
                self.hint = at as u16;
                return Some(chunk as u16);
            }
        }
        None
    }
}

/// The word with the bit of a chunk.
fn word(map: &mut [u32], chunk: u16) -> &mut u32 {
    match map.get_mut(usize::from(chunk / 32)) {
        Some(word) => word,
        None => broken("every chunk has a bit"),
    }
}

/// The first run of free chunks; only batches larger than a chunk pay for this search.
fn find_run(map: &[u32], total: u16, run: u16) -> Option<u16> {
    let mut free = 0;
    for chunk in 0..total {
        let word = map.get(usize::from(chunk / 32)).copied().unwrap_or(u32::MAX);
        if word & (1 << (chunk % 32)) == 0 {
            free += 1;
            if free == run {
                return Some(chunk + 1 - run);
            }
        } else {
            free = 0;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_everything_once_and_finds_runs() {
        let mut map = [0u32; 3];
        let mut chunks = Chunks::EMPTY;
        let mut seen = [false; 70];
        for _ in 0..70 {
            let chunk = usize::from(chunks.take(&mut map, 70, 1).expect("a chunk is free"));
            assert!(!seen[chunk]);
            seen[chunk] = true;
        }
        assert_eq!(chunks.take(&mut map, 70, 1), None);
        for chunk in [5, 6, 8, 9, 10, 69] {
            chunks.give_back(&mut map, chunk, 1);
        }
        assert_eq!(chunks.take(&mut map, 70, 3), Some(8));
        assert_eq!(chunks.take(&mut map, 70, 3), None);
        assert_eq!(chunks.take(&mut map, 70, 2), Some(5));
        assert_eq!(chunks.take(&mut map, 70, 1), Some(69));
        assert_eq!(chunks.take(&mut map, 70, 1), None);
    }

    #[test]
    #[should_panic(expected = "a chunk is freed once")]
    fn freeing_twice_stops() {
        let mut map = [0u32; 1];
        let mut chunks = Chunks::EMPTY;
        let chunk = chunks.take(&mut map, 4, 1).expect("a chunk is free");
        chunks.give_back(&mut map, chunk, 1);
        chunks.give_back(&mut map, chunk, 1);
    }
}
