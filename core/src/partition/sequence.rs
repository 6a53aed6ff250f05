//! Sequence numbers: 31 bits, wrapping from 2^31 - 1 to 0 (KAFKA-7693, kafkajs 1790). Nothing is ever ordered by
//! comparing them; order is the place in the partition's queue.

/// The sequence number of a record.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Sequence(i32);

impl Sequence {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn new(number: i32) -> Self {
        Self(number & i32::MAX)
    }

    pub(crate) const fn get(self) -> i32 {
        self.0
    }

    /// The number `records` further on.
    pub(crate) const fn plus(self, records: u16) -> Self {
        Self(self.0.wrapping_add(records as i32) & i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_after_the_largest_number() {
        assert_eq!(Sequence::new(i32::MAX).plus(1), Sequence::ZERO);
        assert_eq!(Sequence::new(i32::MAX - 1).plus(1).get(), i32::MAX);
        assert_eq!(Sequence::new(i32::MAX - 1).plus(4).get(), 2);
        assert_eq!(Sequence::ZERO.plus(u16::MAX).get(), 65_535);
    }
}
