//! embassy's time, of two kinds: virtual in threads that simulate, each with a clock of its own, so
//! that tests run side by side; real in all others.

use core::cell::RefCell;
use core::task::Waker;
use core::time::Duration;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use embassy_time_driver::{Driver, TICK_HZ};

struct Clock;

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock);

type Timers = Vec<(u64, Waker)>;

/// A thread's virtual time, in ticks.
struct Virtual {
    now: u64,
    timers: Timers,
}

thread_local! {
    static VIRTUAL: RefCell<Option<Virtual>> = const { RefCell::new(None) };
}

static ALARMS: Mutex<Timers> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();
static START: OnceLock<Instant> = OnceLock::new();

impl Driver for Clock {
    fn now(&self) -> u64 {
        VIRTUAL.with_borrow(|time| time.as_ref().map_or_else(real_now, |time| time.now))
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        let real = VIRTUAL.with_borrow_mut(|time| match time {
            Some(time) => {
                add(&mut time.timers, at, waker);
                false
            }
            None => true,
        });
        if real {
            real_now();
            add(&mut ALARMS.lock().unwrap_or_else(PoisonError::into_inner), at, waker);
            CHANGED.notify_one();
        }
    }
}

fn add(timers: &mut Timers, at: u64, waker: &Waker) {
    timers.push((at, waker.clone()));
}

fn real_now() -> u64 {
    let start = START.get_or_init(|| {
        std::thread::spawn(ring);
        Instant::now()
    });
    let ticks = start.elapsed().as_nanos() * u128::from(TICK_HZ) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The thread of the alarms.
fn ring() {
    let mut timers = ALARMS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = real_now();
        let due: Vec<_> = timers.extract_if(.., |(at, _)| *at <= now).collect();
        due.into_iter().for_each(|(_, waker)| waker.wake());
        let next = timers.iter().map(|(at, _)| *at).min();
        let ticks = next.map_or(TICK_HZ, |at| (at - now).min(TICK_HZ));
        let wait = Duration::from_nanos(ticks * 1_000_000_000 / TICK_HZ + 1);
        timers = CHANGED.wait_timeout(timers, wait).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// This thread's time is virtual from now on, and begins anew.
pub(crate) fn start() {
    VIRTUAL.set(Some(Virtual { now: 0, timers: Vec::new() }));
}

/// It is real again.
pub(crate) fn stop() {
    VIRTUAL.set(None);
}

/// Time goes on to the next alarm, which rings; `None`: there is none.
pub(crate) fn advance() -> Option<u64> {
    let due = VIRTUAL.with_borrow_mut(|time| {
        let time = time.as_mut()?;
        let next = time.timers.iter().map(|(at, _)| *at).min().filter(|at| *at < u64::MAX)?;
        // One that is late already rings with the next tick: nobody is that quick.
        time.now = next.max(time.now + 1);
        let now = time.now;
        Some((now, time.timers.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>()))
    });
    let (now, due) = due?;
    due.into_iter().for_each(|(_, waker)| waker.wake());
    Some(now)
}

/// The device slept: so much time is gone, and nobody has noticed.
pub fn jump(ticks: u64) {
    VIRTUAL.with_borrow_mut(|time| {
        if let Some(time) = time {
            time.now += ticks;
        }
    });
}
