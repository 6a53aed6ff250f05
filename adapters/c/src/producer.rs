//! The producer in the caller's memory: how large, made, found again by its pointer, given up.

use core::ffi::c_void;
use core::mem::MaybeUninit;

use klamm::{ConnId, Instant, Memory, Producer, Storage, TopicId};

use crate::arena::{Arena, Measure};
use crate::config::{klamm_config, klamm_fault, klamm_limits};
use crate::pointer;
use crate::status::klamm_status;

/// A producer, in the memory that klamm_init was given.
pub struct klamm_producer {
    /// `MARK`; anything else is no producer, or none any more.
    mark: u32,
    pub(crate) inner: Producer<'static>,
    /// The handles that klamm gave, by the number that C has.
    pub(crate) topics: &'static mut [Option<TopicId>],
    /// Bytes that klamm_transmit showed and that were not said to be written, by connection.
    pub(crate) shown: &'static mut [usize],
}

/// "klam".
const MARK: u32 = 0x6b6c_616d;

/// Bytes of memory that klamm_init needs for these limits; 0 for null, for limits that klamm_limits_init did not
/// begin, and for more than the machine can address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_size(limits: *const klamm_limits) -> usize {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Some(limits) = (unsafe { limits.as_ref() }) else { return 0 };
    let mut measure = Measure::default();
    cut(&mut measure, limits).map_or(0, |_| measure.bytes())
}

/// Makes a producer in `memory`, `len` bytes that are the library's until klamm_deinit: of any alignment, and any
/// content, which is overwritten. `seed` feeds all randomness: give each device and each start another one.
/// `fault` may be null.
///
/// KLAMM_STATUS_MEMORY: `len` is below klamm_size. KLAMM_STATUS_CONFIG: see `fault`. KLAMM_STATUS_ARGUMENT: a null
/// pointer, or a text that is not UTF-8. KLAMM_STATUS_VERSION: compile the program again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_init(
    memory: *mut c_void,
    len: usize,
    limits: *const klamm_limits,
    config: *const klamm_config,
    seed: u64,
    now_us: u64,
    producer: *mut *mut klamm_producer,
    fault: *mut klamm_fault,
) -> klamm_status {
    if memory.is_null() || producer.is_null() {
        return klamm_status::Argument;
    }
    // SAFETY: the program vouches for its pointers, as the header asks, and for the memory until klamm_deinit.
    unsafe {
        pointer::put(fault, klamm_fault::NONE);
        let (Some(limits), Some(config)) = (limits.as_ref(), config.as_ref()) else {
            return klamm_status::Argument;
        };
        let arena = Arena::new(memory.cast(), len);
        match init(arena, limits, config, seed, Instant::from_micros(now_us)) {
            Ok(made) => {
                pointer::put(producer, made);
                klamm_status::Ok
            }
            Err((status, what)) => {
                pointer::put(fault, what);
                status
            }
        }
    }
}

/// Gives the memory back. Nothing is sent or reported any more; klamm_close and waiting for the reports come before.
/// Later calls with this producer are refused, as long as the memory is not used for other things.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_deinit(producer: *mut klamm_producer) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok(producer) = unsafe { klamm_producer::of(producer) } {
        producer.mark = 0;
    }
}

/// The parts of a producer, of which `limits` say the size.
struct Parts {
    producer: &'static mut [MaybeUninit<klamm_producer>],
    topics: &'static mut [Option<TopicId>],
    shown: &'static mut [usize],
    storage: Storage<'static>,
}

fn cut(memory: &mut impl Memory<'static>, limits: &klamm_limits) -> Result<Parts, klamm_status> {
    let limits = limits.limits()?;
    let mut parts = || {
        Some(Parts {
            producer: memory.slots(1, MaybeUninit::uninit)?,
            topics: memory.slots(usize::from(limits.topics), || None)?,
            shown: memory.slots(usize::from(limits.connections), || 0)?,
            storage: Storage::carved(memory, &limits)?,
        })
    };
    parts().ok_or(klamm_status::Memory)
}

/// # Safety
/// As for `klamm_config::config`.
unsafe fn init(
    mut arena: Arena,
    limits: &klamm_limits,
    config: &klamm_config,
    seed: u64,
    now: Instant,
) -> Result<*mut klamm_producer, (klamm_status, klamm_fault)> {
    // SAFETY: as this function's caller vouches.
    let config = unsafe { config.config() }?;
    let parts = cut(&mut arena, limits).map_err(|status| (status, klamm_fault::NONE))?;
    let [place] = parts.producer else { return Err((klamm_status::Memory, klamm_fault::NONE)) };
    let inner = Producer::new(&config, parts.storage, seed, now)
        .map_err(|error| (klamm_status::Config, error.into()))?;
    let (topics, shown) = (parts.topics, parts.shown);
    Ok(place.write(klamm_producer { mark: MARK, inner, topics, shown }))
}

impl klamm_producer {
    /// The producer at `pointer`.
    ///
    /// # Errors
    /// `Argument` for null, and for what is no producer.
    ///
    /// # Safety
    /// `pointer` is null, or klamm_init gave it; nobody else uses it for `'a`.
    pub(crate) unsafe fn of<'a>(pointer: *mut Self) -> Result<&'a mut Self, klamm_status> {
        // SAFETY: as this function's caller vouches. The mark of one that was given up is still a `u32`.
        let producer = unsafe { pointer.as_mut() };
        producer.filter(|producer| producer.mark == MARK).ok_or(klamm_status::Argument)
    }

    /// The same, only to be looked at.
    ///
    /// # Errors
    /// As `of`.
    ///
    /// # Safety
    /// As `of`.
    pub(crate) unsafe fn look<'a>(pointer: *const Self) -> Result<&'a Self, klamm_status> {
        // SAFETY: as this function's caller vouches.
        let producer = unsafe { pointer.as_ref() };
        producer.filter(|producer| producer.mark == MARK).ok_or(klamm_status::Argument)
    }

    pub(crate) fn topic(&self, number: u16) -> Result<TopicId, klamm_status> {
        let topic = self.topics.get(usize::from(number)).copied().flatten();
        topic.ok_or(klamm_status::Argument)
    }

    pub(crate) fn connection(&self, number: u8) -> Result<ConnId, klamm_status> {
        self.inner.connections().nth(usize::from(number)).ok_or(klamm_status::Argument)
    }
}
