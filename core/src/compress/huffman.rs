//! Prefix codes of DEFLATE (RFC 1951, 3.2.2): lengths out of frequencies, codes out of lengths.

/// Literals, end of block and lengths; then distances.
pub(super) const LITERALS: usize = 288;
pub(super) const DISTANCES: usize = 32;
pub(super) const SYMBOLS: usize = LITERALS + DISTANCES;
/// The longest code.
pub(super) const LONGEST: u8 = 15;

/// Memory for the codes of one block: 4,160 bytes.
#[derive(Clone)]
pub(crate) struct Huffman {
    /// How often each symbol occurs.
    pub(super) counts: [u32; SYMBOLS],
    pub(super) lengths: [u8; SYMBOLS],
    /// Bits in the order in which they are written.
    pub(super) codes: [u16; SYMBOLS],
    /// Symbols by frequency; while decoding, by code.
    pub(super) order: [u16; SYMBOLS],
    work: [u32; SYMBOLS],
}

impl Huffman {
    pub(crate) const EMPTY: Self = Self {
        counts: [0; SYMBOLS],
        lengths: [0; SYMBOLS],
        codes: [0; SYMBOLS],
        order: [0; SYMBOLS],
        work: [0; SYMBOLS],
    };

    /// Lengths for the counts of both alphabets.
    pub(super) fn fit(&mut self) {
        let (literals, distances) = self.counts.split_at_mut(LITERALS);
        let (literal_lengths, distance_lengths) = self.lengths.split_at_mut(LITERALS);
        fit(literals, literal_lengths, &mut self.order, &mut self.work);
        fit(distances, distance_lengths, &mut self.order, &mut self.work);
    }

    /// Codes for the lengths of both alphabets.
    pub(super) fn assign(&mut self) {
        let (literals, distances) = self.lengths.split_at(LITERALS);
        let (literal_codes, distance_codes) = self.codes.split_at_mut(LITERALS);
        assign(literals, literal_codes);
        assign(distances, distance_codes);
    }
}

fn fit(counts: &mut [u32], lengths: &mut [u8], order: &mut [u16], work: &mut [u32]) {
    // Two at least: decoders do not take an incomplete code.
    for count in counts.iter_mut().take(2) {
        *count = (*count).max(1);
    }
    lengths.fill(0);
    let mut used = 0;
    for (symbol, _) in (0..).zip(counts.iter()).filter(|(_, count)| **count > 0) {
        order[used] = symbol;
        used += 1;
    }
    let order = &mut order[..used];
    order.sort_unstable_by_key(|symbol| (counts[usize::from(*symbol)], *symbol));
    let work = &mut work[..used];
    for (weight, symbol) in work.iter_mut().zip(order.iter()) {
        *weight = counts[usize::from(*symbol)];
    }
    depths(work);
    shorten(work);
    for (depth, symbol) in work.iter().zip(order.iter()) {
        lengths[usize::from(*symbol)] = u8::try_from(*depth).unwrap_or_default();
    }
}

/// Turns ascending weights into the depths of their leaves, in place (Moffat and Katajainen, 1995).
#[allow(clippy::cast_possible_truncation, reason = "indices below 320")]
fn depths(a: &mut [u32]) {
    let n = a.len();
    // Weights of inner nodes take the place of leaves used up, and are then replaced by their parents.
    let (mut root, mut leaf) = (0, 0);
    for next in 0..n - 1 {
        let mut take = |a: &mut [u32], first: bool| {
            let weight = if leaf >= n || root < next && a[root] < a[leaf] {
                let weight = a[root];
                a[root] = next as u32;
                root += 1;
                weight
            } else {
                leaf += 1;
                a[leaf - 1]
            };
            a[next] = if first { weight } else { a[next].saturating_add(weight) };
        };
        take(a, true);
        take(a, false);
    }
    a[n - 2] = 0;
    for next in (0..n - 2).rev() {
        a[next] = a[a[next] as usize] + 1;
    }
    // Depths of inner nodes become depths of leaves.
    let (mut available, mut depth, mut inner, mut at) = (1, 0, n - 1, n);
    while available > 0 {
        let mut used = 0;
        while inner > 0 && a[inner - 1] == depth {
            used += 1;
            inner -= 1;
        }
        while available > used {
            at -= 1;
            a[at] = depth;
            available -= 1;
        }
        available = 2 * used;
        depth += 1;
    }
}

/// Bounds the depths (descending) by [`LONGEST`]: the code stays complete.
fn shorten(depths: &mut [u32]) {
    const LIMIT: u32 = LONGEST as u32;
    const WHOLE: u32 = 1 << LIMIT;
    let mut sum = 0;
    for depth in depths.iter_mut() {
        *depth = (*depth).min(LIMIT);
        sum += WHOLE >> *depth;
    }
    while sum > WHOLE {
        // The rarest symbol with a shorter code shares it with one of the longest: one code of those less.
        let Some(at) = depths.iter().position(|depth| *depth < LIMIT) else { return };
        let Some([longest, shorter]) = depths.get_mut(at.saturating_sub(1)..=at) else { return };
        *shorter += 1;
        *longest = *shorter;
        sum -= 1;
    }
}

#[allow(clippy::cast_possible_truncation, reason = "codes have 15 bits")]
fn assign(lengths: &[u8], codes: &mut [u16]) {
    let mut next = [0u16; LONGEST as usize + 2];
    for length in lengths.iter().filter(|length| **length > 0) {
        next[usize::from(*length) + 1] += 1;
    }
    for length in 1..next.len() {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    for (length, code) in lengths.iter().zip(codes).filter(|(length, _)| **length > 0) {
        let place = &mut next[usize::from(*length)];
        // Huffman codes are written from the highest bit on, all else from the lowest.
        *code = place.reverse_bits() >> (16 - u32::from(*length));
        *place += 1;
    }
}
