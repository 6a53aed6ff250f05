//! The machine's Ethernet for smoltcp.

use klamm_stellaris_enet::{FRAME, Frame, Frames, frame_waits, may_send, start};
use smoltcp::phy::{self, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use static_cell::ConstStaticCell;

/// The network card. There is one.
pub(crate) struct Device {
    frames: &'static mut Frames,
}

impl Device {
    /// Sets it up, and gives its address; `None` the second time.
    pub(crate) fn start() -> Option<(Self, [u8; 6])> {
        static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());
        let frames = FRAMES.try_take()?;
        Some((Self { frames }, start()?))
    }
}

impl phy::Device for Device {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Transmit<'_>)> {
        let Frames { received, sent } = self.frames;
        frame_waits().then_some((Received(received), Transmit(sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        may_send().then_some(Transmit(&mut self.frames.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

/// A frame that is taken out of the FIFO.
pub(crate) struct Received<'a>(&'a mut Frame);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read_frame: F) -> R {
        read_frame(self.0.receive())
    }
}

/// A frame that is put into the FIFO.
pub(crate) struct Transmit<'a>(&'a mut Frame);

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write_frame: F) -> R {
        self.0.send(length, write_frame)
    }
}
