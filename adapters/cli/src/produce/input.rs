//! Lines of any number of files, in blocks, in constant memory.

use std::io::{self, Read};

/// Bytes asked of the reader at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// Cuts what a reader gives into blocks of whole lines.
pub(crate) struct Blocks<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The last block, and what was read beyond it: `buffer[taken..filled]` begins the next one.
    taken: usize,
    filled: usize,
    max_line: usize,
    ended: bool,
}

/// Why there is no next block.
#[derive(Debug)]
pub(crate) enum BlockError {
    Io(io::Error),
    /// The next line is longer than `max_line`.
    LineTooLong,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(reader: R, max_line: usize) -> Self {
        let buffer = vec![0; BLOCK_BYTES];
        Self { reader, buffer, taken: 0, filled: 0, max_line, ended: false }
    }

    /// As many whole lines as are there, at least one; `None` at the end. The last line of all need
    /// not end in a newline.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, BlockError> {
        self.buffer.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        let mut searched = 0;
        loop {
            let fresh = &self.buffer[searched..self.filled];
            if let Some(newline) = memchr::memrchr(b'\n', fresh) {
                self.taken = searched + newline + 1;
                return Ok(Some(&self.buffer[..self.taken]));
            }
            searched = self.filled;
            if self.filled > self.max_line {
                return Err(BlockError::LineTooLong);
            }
            if self.ended {
                self.taken = self.filled;
                return Ok((self.filled > 0).then_some(&self.buffer[..self.filled]));
            }
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            match self.reader.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlockError::Io(error)),
            }
        }
    }
}

/// The lines of a block, without their newlines.
pub(crate) fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives at most `step` bytes at once.
    struct Drip<'b>(&'b [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(buffer.len());
            Read::read(&mut self.0, &mut buffer[..step])
        }
    }

    fn all_lines(text: &[u8], step: usize) -> Vec<Vec<u8>> {
        let mut blocks = Blocks::new(Drip(text, step), 1_000);
        let mut found = Vec::new();
        while let Some(block) = blocks.next().expect("no line is too long") {
            found.extend(lines(block).map(<[u8]>::to_vec));
        }
        found
    }

    #[test]
    fn lines_are_the_same_however_they_are_read() {
        let text = b"one\n\nthree:3\r\nlast";
        for step in [1, 2, 3, 5, 100] {
            assert_eq!(all_lines(text, step), [&b"one"[..], b"", b"three:3\r", b"last"]);
        }
        assert_eq!(all_lines(b"", 1), Vec::<Vec<u8>>::new());
        assert_eq!(all_lines(b"\n", 1), [b""]);
    }

    #[test]
    fn lines_longer_than_a_block_are_read_whole_and_not_beyond_the_maximum() {
        let text = vec![b'x'; 3 * BLOCK_BYTES];
        let mut blocks = Blocks::new(&text[..], text.len());
        assert_eq!(blocks.next().expect("not too long").map(<[u8]>::len), Some(text.len()));
        assert!(blocks.next().expect("the end").is_none());
        let mut blocks = Blocks::new(&text[..], text.len() - 1);
        assert!(matches!(blocks.next(), Err(BlockError::LineTooLong)));
    }
}
