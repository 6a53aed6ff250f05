//! The machine's Ethernet for embassy-net.

use core::task::Context;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use klamm_stellaris_enet::{
    FRAME, Frame, Frames, INTERRUPT, allow_interrupt, frame_waits, may_send, start, take_interrupt,
};
use static_cell::ConstStaticCell;

static WAKER: AtomicWaker = AtomicWaker::new();

#[derive(Clone, Copy)]
struct Irq;

// SAFETY: it is the Ethernet's interrupt on this chip.
unsafe impl InterruptNumber for Irq {
    fn number(self) -> u16 {
        INTERRUPT
    }
}

// SAFETY: it touches registers and a waker only.
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_irq: i16) {
    // Only the Ethernet's interrupt is ever unmasked.
    take_interrupt();
    WAKER.wake();
}

/// The network card. There is one.
pub struct Nic {
    address: [u8; 6],
    frames: &'static mut Frames,
}

impl Nic {
    /// Sets it up; `None` the second time.
    pub fn take() -> Option<Self> {
        static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());
        let frames = FRAMES.try_take()?;
        let address = start()?;
        // SAFETY: no critical section relies on this interrupt being masked.
        unsafe { NVIC::unmask(Irq) };
        Some(Self { address, frames })
    }
}

impl Driver for Nic {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Transmit<'_>)> {
        WAKER.register(cx.waker());
        if !frame_waits() {
            // The interrupt is not raised for what came between the last look and this.
            allow_interrupt();
            if !frame_waits() {
                return None;
            }
        }
        let frames = &mut *self.frames;
        Some((Received(&mut frames.received), Transmit(&mut frames.sent)))
    }

    fn transmit(&mut self, _cx: &mut Context<'_>) -> Option<Transmit<'_>> {
        may_send().then_some(Transmit(&mut self.frames.sent))
    }

    fn link_state(&mut self, _cx: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A frame that is taken out of the FIFO.
pub struct Received<'a>(&'a mut Frame);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read_frame: F) -> R {
        read_frame(self.0.receive())
    }
}

/// A frame that is put into the FIFO.
pub struct Transmit<'a>(&'a mut Frame);

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write_frame: F) -> R {
        self.0.send(length, write_frame)
    }
}
