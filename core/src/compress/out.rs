//! Bytes into a slice that may be too short: that it is, is what "did not shrink" means.

pub(super) struct Out<'o> {
    bytes: &'o mut [u8],
    len: usize,
}

impl<'o> Out<'o> {
    pub(super) const fn new(bytes: &'o mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, byte: u8) -> Option<()> {
        *self.bytes.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) -> Option<()> {
        let place = self.bytes.get_mut(self.len..)?.get_mut(..bytes.len())?;
        place.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }

    /// Overwrites what was written at `at`.
    pub(super) fn patch(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        self.bytes.get_mut(at..self.len)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(())
    }

    /// Forgets what was written behind `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Repeats `length` of the bytes written, from `distance` back on; they may overlap what is being written.
    pub(super) fn repeat(&mut self, distance: usize, length: usize) -> Option<()> {
        let from = self.len.checked_sub(distance).filter(|_| distance > 0)?;
        let end = self.len.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        while self.len < end {
            let step = (self.len - from).min(end - self.len);
            self.bytes.copy_within(from..from + step, self.len);
            self.len += step;
        }
        Some(())
    }
}
