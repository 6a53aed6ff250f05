//! Which chunks of the record memory are taken: a bit each, zero is free.

use super::broken;

/// The allocator's state; the bits themselves lie in `Storage::chunk_map`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chunks {
    /// Chunks taken.
    used: u16,
    /// The word to look at first: where the last free bit was found.
    hint: u16,
    /// Chunks to be given back before it is worth while to look for groups again.
    #[cfg(feature = "grow")]
    scarce: u16,
}

/// After a search in vain: else each of 10,000 partitions with a batch of one record would pay for one.
#[cfg(feature = "grow")]
const SCARCE: u16 = 64;

impl Chunks {
    pub(crate) const EMPTY: Self = Self {
        used: 0,
        hint: 0,
        #[cfg(feature = "grow")]
        scarce: 0,
    };

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

    /// The same with free chunks behind it, as far as there are: for a batch that is to grow. Chunks are looked for in
    /// groups, which a word of the map has, so that batches of few partitions do not stand in one another's way.
    #[cfg(feature = "grow")]
    pub(crate) fn take_roomy(&mut self, map: &mut [u32], total: u16, run: u16) -> Option<u16> {
        if self.scarce > 0 {
            return self.take(map, total, run);
        }
        let groups = GROUPS.iter().filter(|group| u32::from(run) <= **group);
        let first = groups.copied().find_map(|group| match group {
            ..=32 => find_group(map, total, group),
            _ => find_words(map, total, group / 32),
        });
        let Some(first) = first else {
            self.scarce = SCARCE;
            return self.take(map, total, run);
        };
        self.extend(map, total, first, run).then_some(first)
    }

    /// Takes these chunks if all of them are free: those behind a batch that grows.
    #[cfg(feature = "grow")]
    pub(crate) fn extend(&mut self, map: &mut [u32], total: u16, first: u16, run: u16) -> bool {
        let Some(end) = first.checked_add(run).filter(|end| *end <= total) else { return false };
        if (first..end).any(|chunk| *word(map, chunk) & (1 << (chunk % 32)) != 0) {
            return false;
        }
        for chunk in first..end {
            *word(map, chunk) |= 1 << (chunk % 32);
        }
        self.used += run;
        true
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
        #[cfg(feature = "grow")]
        {
            self.scarce = self.scarce.saturating_sub(run);
        }
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

/// Sizes of the groups of chunks that batches grow in; below that any free chunk does.
#[cfg(feature = "grow")]
const GROUPS: [u32; 4] = [256, 32, 16, 8];

/// The first chunk of so many free words.
#[cfg(feature = "grow")]
#[allow(clippy::cast_possible_truncation, reason = "there are at most 65,535 chunks")]
fn find_words(map: &[u32], total: u16, words: u32) -> Option<u16> {
    let whole = usize::from(total / 32);
    let mut groups = map.get(..whole)?.chunks_exact(words as usize);
    let at = groups.position(|group| group.iter().all(|word| *word == 0))?;
    Some((at as u32 * words * 32) as u16)
}

/// The first of so many free chunks that begin at a multiple of their number.
#[cfg(feature = "grow")]
#[allow(clippy::cast_possible_truncation, reason = "there are at most 65,535 chunks")]
fn find_group(map: &[u32], total: u16, group: u32) -> Option<u16> {
    let all = u32::MAX >> (32 - group);
    let whole = (u32::from(total) / group) as usize;
    let groups = (0..whole).step_by((32 / group) as usize).zip(map);
    groups.into_iter().find_map(|(at, word)| {
        let free = (0..32 / group).find(|nth| (word >> (nth * group)) & all == 0)?;
        let group_at = at + free as usize;
        (group_at < whole).then_some((group_at as u32 * group) as u16)
    })
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
    #[cfg(feature = "grow")]
    fn batches_that_grow_have_room_behind_them() {
        let mut map = [0u32; 3];
        let mut chunks = Chunks::EMPTY;
        let mut take = |chunks: &mut Chunks, run| chunks.take_roomy(&mut map, 75, run);
        assert_eq!(take(&mut chunks, 1), Some(0));
        assert_eq!(take(&mut chunks, 3), Some(32));
        // No 32 are left; the third word has 11, so 8 of them at most.
        assert_eq!(take(&mut chunks, 9), Some(16));
        assert_eq!(take(&mut chunks, 1), Some(48));
        assert_eq!(take(&mut chunks, 1), Some(8));
        assert_eq!(take(&mut chunks, 1), Some(40));
        assert!(chunks.extend(&mut map, 75, 1, 7));
        assert!(!chunks.extend(&mut map, 75, 8, 1), "the neighbour's");
        assert!(!chunks.extend(&mut map, 75, 70, 6), "past the end");
        assert!(chunks.extend(&mut map, 75, 70, 5));
        assert_eq!(chunks.used(), 28);
        let mut left = 0;
        while let Some(chunk) = chunks.take_roomy(&mut map, 75, 1) {
            assert!(chunk < 75);
            left += 1;
        }
        assert_eq!((left, chunks.used()), (47, 75));
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
