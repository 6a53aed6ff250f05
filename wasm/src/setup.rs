//! What an engine starts with: options and texts in, or words about what is wrong with them.

use alloc::boxed::Box;
use alloc::vec;

#[cfg(feature = "codecs")]
use klamm::RestoreError;
use klamm::{ConfigError, Instant, Producer, Storage};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::options::Draft;
use crate::status;

/// An area that JavaScript fills for [`Engine::start`](crate::Engine::start): the number of pairs, the lengths of the
/// servers and the client id, two halves of a seed (all words); pairs of an option's number and its value; the texts; and
/// perhaps a snapshot.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Setup {
    area: Box<[u8]>,
}

#[wasm_bindgen]
impl Setup {
    /// An area of so many bytes.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        // Room for an error in any case.
        Self { area: vec![0; bytes.max(1024)].into_boxed_slice() }
    }

    /// Where it is in the memory.
    #[must_use]
    pub fn area(&self) -> *const u8 {
        self.area.as_ptr()
    }
}

impl Setup {
    /// The producer that the area describes. Else the area says why there is none: a number, two bounds and the lengths
    /// of two texts, as words, and the texts.
    pub(crate) fn producer(&mut self, now: Instant) -> Option<(Box<Producer<'static>>, Bounds)> {
        let error = match self.read(now) {
            Some(Ok(done)) => return Some(done),
            Some(Err(error)) => error,
            None => {
                self.say(0, [0; 2], ["", ""]);
                return None;
            }
        };
        self.say(status::of_config(&error), status::bounds_of(&error), status::texts_of(&error));
        None
    }

    fn read(&self, now: Instant) -> Option<Result<(Box<Producer<'static>>, Bounds), ConfigError>> {
        let word = |n: usize| {
            let bytes = self.area.get(n * 4..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        let (pairs, servers, client) = (word(0)? as usize, word(1)? as usize, word(2)? as usize);
        let seed = u64::from(word(3)?) | u64::from(word(4)?) << 32;
        let texts = self.area.get((5 + pairs.checked_mul(2)?) * 4..)?;
        let (servers, texts) = texts.split_at_checked(servers)?;
        let servers = str::from_utf8(servers).ok()?;
        let (client, _rest) = texts.split_at_checked(client)?;
        let client = str::from_utf8(client).ok()?;
        let mut draft = Draft::new(servers, client);
        for pair in 0..pairs {
            let (option, value) = (word(5 + pair * 2)?, word(6 + pair * 2)?);
            if !draft.set(option, value) {
                return Some(Err(ConfigError::OutOfRange { option: "?", min: option, max: value }));
            }
        }
        #[cfg(feature = "codecs")]
        let snapshot = _rest.get(..draft.snapshot)?;
        let Draft { config, mut limits, .. } = draft;
        #[cfg(not(feature = "codecs"))]
        {
            limits.batch_size = config.batch_size;
        }
        #[cfg(feature = "codecs")]
        {
            limits = limits.for_batches(config.batch_size);
        }
        limits.max_request_size = config.max_request_size;
        let bounds = Bounds { request: config.max_request_size, topics: limits.topics };
        let storage = Storage::boxed(&limits);
        #[cfg(feature = "codecs")]
        if !snapshot.is_empty() {
            let restored = Producer::restore(&config, storage, seed, snapshot, now);
            return match restored {
                Ok(producer) => Some(Ok((Box::new(producer), bounds))),
                Err(RestoreError::Config(error)) => Some(Err(error)),
                // Not what is in the snapshot: the setup's words for no producer at all.
                Err(_) => None,
            };
        }
        let producer = Producer::new(&config, storage, seed, now);
        Some(producer.map(|producer| (Box::new(producer), bounds)))
    }

    fn say(&mut self, status: u32, [min, max]: [u32; 2], texts: [&str; 2]) {
        let [first, second] = texts;
        let lengths = texts.map(|text| crate::output::word(text.len()));
        let mut area = &mut *self.area;
        for word in [status, min, max, lengths[0], lengths[1]] {
            area = put(area, &word.to_le_bytes());
        }
        area = put(area, first.as_bytes());
        put(area, second.as_bytes());
    }
}

/// What is behind the bytes then; there is room, see `Setup::new`.
fn put<'a>(area: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    let Some((place, rest)) = area.split_at_mut_checked(bytes.len()) else { return &mut [] };
    place.copy_from_slice(bytes);
    rest
}

/// What the engine's own areas are cut for.
pub(crate) struct Bounds {
    pub(crate) request: u32,
    pub(crate) topics: u16,
}
