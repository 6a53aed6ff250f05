//! Passing over what nobody wants, without having it in memory.

use super::Need;
#[cfg(any(feature = "flexible", test))]
use super::reader::uvarint;

/// What is to be passed over before the next element: bytes, then a section of tagged fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    skip: u32,
    #[cfg(any(feature = "flexible", test))]
    tags: u32,
    #[cfg(any(feature = "flexible", test))]
    section: bool,
}

impl Pass {
    /// Nothing to pass over.
    pub(crate) const NOTHING: Self = Self::over(0, false);

    /// `skip` bytes, then a section of tagged fields if `flexible`.
    #[cfg_attr(
        not(any(feature = "flexible", test)),
        expect(unused_variables, reason = "always false")
    )]
    pub(crate) const fn over(skip: u32, flexible: bool) -> Self {
        Self {
            skip,
            #[cfg(any(feature = "flexible", test))]
            tags: 0,
            #[cfg(any(feature = "flexible", test))]
            section: flexible,
        }
    }

    /// Passes over some bytes; `None` when nothing is left to do.
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<Option<usize>, Need> {
        if self.skip > 0 {
            let used = input.len().min(self.skip as usize);
            if used == 0 {
                return Err(Need::More);
            }
            self.skip -= u32::try_from(used).unwrap_or(self.skip);
            return Ok(Some(used));
        }
        #[cfg(any(feature = "flexible", test))]
        return self.step_tags(input);
        #[cfg(not(any(feature = "flexible", test)))]
        Ok(None)
    }

    /// The number of tagged fields, or the head of one, whose bytes are passed over next.
    #[cfg(any(feature = "flexible", test))]
    fn step_tags(&mut self, input: &[u8]) -> Result<Option<usize>, Need> {
        let rest = if self.section {
            let (rest, tags) = uvarint(input)?;
            *self = Self { skip: 0, tags, section: false };
            rest
        } else if self.tags > 0 {
            let (rest, _tag) = uvarint(input)?;
            let (rest, skip) = uvarint(rest)?;
            *self = Self { skip, tags: self.tags - 1, section: false };
            rest
        } else {
            return Ok(None);
        };
        Ok(Some(input.len() - rest.len()))
    }
}
