//! An Ethernet cable in memory, as bad as one likes.

use core::cell::RefCell;
use core::task::{Context, Waker};
use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_time::{Duration, Instant};
use oorandom::Rand64;

/// Frames under way in one direction, at most: a sender waits for room.
const FRAMES: usize = 64;

/// What becomes of frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// So many of a thousand are lost.
    pub lost: u64,
    /// So many of a thousand arrive twice.
    pub twice: u64,
    /// Each takes so long,
    pub delay: Duration,
    /// and up to so much longer: those that were sent later overtake it.
    pub jitter: Duration,
    /// All are lost.
    pub cut: bool,
}

/// The cable; clones are the same one.
#[derive(Clone)]
pub struct Cable(Rc<RefCell<State>>);

struct State {
    dice: Rand64,
    weather: Weather,
    lanes: [Lane; 2],
    sent: u64,
}

#[derive(Default)]
struct Lane {
    /// By the time of their arrival.
    frames: BTreeMap<(Instant, u64), Vec<u8>>,
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

impl Cable {
    /// Fine weather; `seed` is for worse.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            dice: Rand64::new(u128::from(seed)),
            weather: Weather { delay: Duration::from_millis(1), ..Weather::default() },
            lanes: [Lane::default(), Lane::default()],
            sent: 0,
        })))
    }

    /// From now on it is like this.
    pub fn set(&self, weather: Weather) {
        self.0.borrow_mut().weather = weather;
    }

    /// Cuts it, or mends it.
    pub fn cut(&self, cut: bool) {
        self.0.borrow_mut().weather.cut = cut;
    }

    /// Frames that were handed to it so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.borrow().sent
    }

    /// One of its ends, 0 or 1.
    #[must_use]
    pub fn end(&self, end: usize) -> End {
        End { cable: self.clone(), end }
    }
}

impl State {
    fn send(&mut self, lane: usize, frame: &[u8]) {
        self.sent += 1;
        let Weather { lost, twice, delay, jitter, cut } = self.weather;
        if cut || self.dice.rand_range(0..1_000) < lost {
            return;
        }
        let copies = if self.dice.rand_range(0..1_000) < twice { 2 } else { 1 };
        for copy in 0..copies {
            let late = self.dice.rand_range(0..jitter.as_ticks() + 1);
            let at = Instant::now() + delay + Duration::from_ticks(late);
            self.lanes[lane].frames.insert((at, 2 * self.sent + copy), frame.to_vec());
        }
        if let Some(waker) = self.lanes[lane].receiver.take() {
            waker.wake();
        }
    }
}

/// A network card at an end of the cable.
pub struct End {
    cable: Cable,
    end: usize,
}

/// A frame that has arrived.
pub struct Received(Vec<u8>);

/// Leave to send a frame.
pub struct Sending<'e>(&'e Cable, usize);

impl Driver for End {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received, Sending<'_>)> {
        let mut state = self.cable.0.borrow_mut();
        let lane = &mut state.lanes[self.end];
        lane.receiver = Some(cx.waker().clone());
        let first = lane.frames.first_entry()?;
        let (at, _) = *first.key();
        if at > Instant::now() {
            embassy_time_driver::schedule_wake(at.as_ticks(), cx.waker());
            return None;
        }
        let frame = first.remove();
        if let Some(waker) = lane.sender.take() {
            waker.wake();
        }
        drop(state);
        Some((Received(frame), Sending(&self.cable, 1 - self.end)))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Sending<'_>> {
        let mut state = self.cable.0.borrow_mut();
        let lane = &mut state.lanes[1 - self.end];
        if lane.frames.len() >= FRAMES {
            lane.sender = Some(cx.waker().clone());
            return None;
        }
        drop(state);
        Some(Sending(&self.cable, 1 - self.end))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1_514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, if self.end == 0 { 1 } else { 2 }])
    }
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, read: F) -> R {
        read(&mut self.0)
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        self.0.0.borrow_mut().send(self.1, &frame);
        result
    }
}
