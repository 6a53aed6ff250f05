//! The Ethernet of the LM3S6965 as QEMU has it (`stellaris_enet`), for embassy-net. Frames go
//! through a FIFO, word by word.

use core::task::Context;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use static_cell::ConstStaticCell;

/// Clock gates of the peripherals: the system control's RCGC2, in which these two bits are the
/// Ethernet's.
const CLOCK_GATES: usize = 0x400F_E108;
const ETHERNET_CLOCKS: u32 = 1 << 28 | 1 << 30;

/// The registers that are used, by address.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Register {
    /// Read: what happened. Written: that it is known.
    Status = 0x4004_8000,
    InterruptMask = 0x4004_8004,
    ReceiveControl = 0x4004_8008,
    TransmitControl = 0x4004_800C,
    Data = 0x4004_8010,
    AddressLow = 0x4004_8014,
    AddressHigh = 0x4004_8018,
    /// Frames that wait in the FIFO.
    Packets = 0x4004_8034,
    TransmitRequest = 0x4004_8038,
}

const RECEIVED: u32 = 1;
const EVERYTHING: u32 = 0x7F;
/// Receive control: on, and multicast; or empty the FIFO.
const RECEIVE: u32 = 1 | 2;
const RESET_FIFO: u32 = 0x10;
/// Transmit control: on, padding, checksum, both directions at once.
const TRANSMIT: u32 = 1 | 2 | 4 | 8;

/// The longest frame, without its checksum.
const FRAME: usize = 1_514;
/// What the FIFO's length of a frame to be sent leaves out.
const HEAD: usize = 14;
const CHECKSUM: usize = 4;
/// A received frame is counted with its own two bytes of length and four of checksum.
const RECEIVED_EXTRA: usize = 6;

static WAKER: AtomicWaker = AtomicWaker::new();

#[derive(Clone, Copy)]
struct Irq;

// SAFETY: 42 is the Ethernet's interrupt on this chip.
unsafe impl InterruptNumber for Irq {
    fn number(self) -> u16 {
        42
    }
}

#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_irq: i16) {
    // Only the Ethernet's interrupt is ever unmasked. It stays masked here until the FIFO was found
    // empty.
    write(Register::InterruptMask, 0);
    write(Register::Status, RECEIVED);
    WAKER.wake();
}

/// Room for one frame each way: an answer may be written while what it answers is still read.
struct Frames {
    received: Frame,
    sent: Frame,
}

/// Two bytes more than the longest frame has, for the FIFO's words begin at its third byte.
type Frame = [u8; FRAME + 2];

/// The network card. There is one.
pub struct Nic {
    address: [u8; 6],
    frames: &'static mut Frames,
}

impl Nic {
    /// Sets it up; `None` the second time.
    pub fn take() -> Option<Self> {
        static FRAMES: ConstStaticCell<Frames> =
            ConstStaticCell::new(Frames { received: [0; _], sent: [0; _] });
        let frames = FRAMES.try_take()?;
        let gates = CLOCK_GATES as *mut u32;
        // SAFETY: the register is there on this chip, and nobody else changes it.
        unsafe { gates.write_volatile(gates.read_volatile() | ETHERNET_CLOCKS) };
        write(Register::InterruptMask, 0);
        write(Register::ReceiveControl, RESET_FIFO);
        write(Register::ReceiveControl, RECEIVE);
        write(Register::TransmitControl, TRANSMIT);
        write(Register::Status, EVERYTHING);
        write(Register::InterruptMask, RECEIVED);
        let low = read(Register::AddressLow).to_le_bytes();
        let high = read(Register::AddressHigh).to_le_bytes();
        // SAFETY: no critical section relies on this interrupt being masked.
        unsafe { NVIC::unmask(Irq) };
        Some(Self { address: [low[0], low[1], low[2], low[3], high[0], high[1]], frames })
    }
}

impl Driver for Nic {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Transmit<'_>)> {
        WAKER.register(cx.waker());
        if !frame_waits() {
            // The interrupt is not raised for what came between the last look and this.
            write(Register::InterruptMask, RECEIVED);
            if !frame_waits() {
                return None;
            }
        }
        let frames = &mut *self.frames;
        Some((Received(&mut frames.received), Transmit(&mut frames.sent)))
    }

    fn transmit(&mut self, _cx: &mut Context<'_>) -> Option<Transmit<'_>> {
        // QEMU has sent a frame before the request's write ends.
        (read(Register::TransmitRequest) == 0).then_some(Transmit(&mut self.frames.sent))
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
        let [low, high, first, second] = read(Register::Data).to_le_bytes();
        let length = usize::from(u16::from_le_bytes([low, high])).saturating_sub(RECEIVED_EXTRA);
        let (start, words) = words(self.0);
        *start = [first, second];
        let mut words = words.iter_mut();
        // A frame that is too long for the buffer is taken out all the same, or the FIFO would be
        // out of step.
        for _ in 0..(length + CHECKSUM - start.len()).div_ceil(4) {
            let data = read(Register::Data).to_le_bytes();
            if let Some(word) = words.next() {
                *word = data;
            }
        }
        // Nothing at all where it is too long: no frame, which the network stack drops.
        read_frame(self.0.get_mut(..length).unwrap_or_default())
    }
}

/// A frame that is put into the FIFO.
pub struct Transmit<'a>(&'a mut Frame);

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write_frame: F) -> R {
        let length = length.min(FRAME);
        let result = write_frame(self.0.get_mut(..length).unwrap_or_default());
        let (&mut [first, second], words) = words(self.0);
        let [low, high, ..] = length.saturating_sub(HEAD).to_le_bytes();
        write(Register::Data, u32::from_le_bytes([low, high, first, second]));
        for word in words.iter().take(length.saturating_sub(2).div_ceil(4)) {
            write(Register::Data, u32::from_le_bytes(*word));
        }
        write(Register::TransmitRequest, 1);
        result
    }
}

/// A frame as the FIFO has it: two bytes, which share a word with the length, and words.
fn words(frame: &mut Frame) -> (&mut [u8; 2], &mut [[u8; 4]]) {
    let (start, rest) = frame.split_first_chunk_mut().expect("a frame is longer than that");
    (start, rest.as_chunks_mut().0)
}

fn frame_waits() -> bool {
    read(Register::Packets) != 0
}

fn read(register: Register) -> u32 {
    // SAFETY: every `Register` is one of this chip's. Reading some changes the card's state, which
    // only the driver does.
    unsafe { (register as usize as *const u32).read_volatile() }
}

fn write(register: Register, value: u32) {
    // SAFETY: as for reading; and the card has no access to memory.
    unsafe { (register as usize as *mut u32).write_volatile(value) }
}
