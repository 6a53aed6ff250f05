//! The Ethernet of Arm's MPS2 boards, an SMSC LAN9118, for embassy-net. Frames go through FIFOs,
//! word by word.

use core::task::Context;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use static_cell::ConstStaticCell;

/// The registers that are used, by address.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Register {
    ReceiveData = 0x4020_0000,
    TransmitData = 0x4020_0020,
    /// What a received frame is like; reading takes it out.
    ReceiveStatus = 0x4020_0040,
    TransmitStatus = 0x4020_0048,
    InterruptConfig = 0x4020_0054,
    InterruptStatus = 0x4020_0058,
    InterruptEnable = 0x4020_005C,
    TransmitConfig = 0x4020_0070,
    HardwareConfig = 0x4020_0074,
    /// Bits 16 to 23: frames that wait.
    ReceiveInfo = 0x4020_007C,
    MacCommand = 0x4020_00A4,
    MacData = 0x4020_00A8,
}

const RESET: u32 = 1;
/// Most of the memory for transmission, and whole frames before they are sent.
const HARDWARE: u32 = 0x0015_0000;
const TRANSMIT_ON: u32 = 2;
/// An active-high line that is driven, and enabled.
const INTERRUPT_LINE: u32 = 0x111;
const EVERYTHING: u32 = u32::MAX;
/// A frame waits.
const RECEIVED: u32 = 8;

/// Registers of the MAC, which are reached through two others.
const MAC_CONTROL: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;
const MAC_WRITE: u32 = 0x8000_0000;
const MAC_READ: u32 = 0xC000_0000;
/// Both directions at once, transmitter and receiver on.
const MAC_ON: u32 = 0x0010_000C;

/// A transmit command: first and last piece of its frame.
const WHOLE: u32 = 1 << 13 | 1 << 12;

/// The longest frame, without its checksum.
const FRAME: usize = 1_514;
const CHECKSUM: usize = 4;
/// In words, with the checksum.
const WORDS: usize = (FRAME + CHECKSUM).div_ceil(4);

static WAKER: AtomicWaker = AtomicWaker::new();

#[derive(Clone, Copy)]
struct Irq;

// SAFETY: 13 is the Ethernet's interrupt on this board.
unsafe impl InterruptNumber for Irq {
    fn number(self) -> u16 {
        13
    }
}

// SAFETY: it touches registers and a waker only.
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(_irq: i16) {
    // Only the Ethernet's interrupt is ever unmasked. It stays off until no frame was found.
    write(Register::InterruptEnable, 0);
    write(Register::InterruptStatus, EVERYTHING);
    WAKER.wake();
}

/// Room for one frame each way: an answer may be written while what it answers is still read.
struct Frames {
    received: [[u8; 4]; WORDS],
    sent: [[u8; 4]; WORDS],
}

/// The network card. There is one.
pub struct Nic {
    address: [u8; 6],
    frames: &'static mut Frames,
}

impl Nic {
    /// Sets it up; `None` the second time.
    pub fn take() -> Option<Self> {
        static FRAMES: ConstStaticCell<Frames> =
            ConstStaticCell::new(Frames { received: [[0; 4]; _], sent: [[0; 4]; _] });
        let frames = FRAMES.try_take()?;
        write(Register::HardwareConfig, RESET);
        write(Register::HardwareConfig, HARDWARE);
        write_mac(MAC_CONTROL, MAC_ON);
        write(Register::TransmitConfig, TRANSMIT_ON);
        write(Register::InterruptConfig, INTERRUPT_LINE);
        write(Register::InterruptStatus, EVERYTHING);
        write(Register::InterruptEnable, RECEIVED);
        let [a, b, c, d] = read_mac(MAC_ADDRESS_LOW).to_le_bytes();
        let [e, f, ..] = read_mac(MAC_ADDRESS_HIGH).to_le_bytes();
        // Until the line was configured it was active low, and so looked like an interrupt.
        NVIC::unpend(Irq);
        // SAFETY: no critical section relies on this interrupt being masked.
        unsafe { NVIC::unmask(Irq) };
        Some(Self { address: [a, b, c, d, e, f], frames })
    }
}

impl Driver for Nic {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received<'_>, Transmit<'_>)> {
        WAKER.register(cx.waker());
        if !frame_waits() {
            // The interrupt is not raised for what came between the last look and this.
            write(Register::InterruptEnable, RECEIVED);
            if !frame_waits() {
                return None;
            }
        }
        let frames = &mut *self.frames;
        Some((Received(&mut frames.received), Transmit(&mut frames.sent)))
    }

    fn transmit(&mut self, _cx: &mut Context<'_>) -> Option<Transmit<'_>> {
        Some(Transmit(&mut self.frames.sent))
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
pub struct Received<'a>(&'a mut [[u8; 4]; WORDS]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read_frame: F) -> R {
        let length = (read(Register::ReceiveStatus) >> 16 & 0x3FFF) as usize;
        let mut words = self.0.iter_mut();
        // A frame that is too long for the buffer is taken out all the same, or the FIFO would be
        // out of step.
        for _ in 0..length.div_ceil(4) {
            let data = read(Register::ReceiveData).to_le_bytes();
            if let Some(word) = words.next() {
                *word = data;
            }
        }
        // Nothing at all where it is too long: no frame, which the network stack drops.
        let frame = self.0.as_flattened_mut().get_mut(..length.saturating_sub(CHECKSUM));
        read_frame(frame.unwrap_or_default())
    }
}

/// A frame that is put into the FIFO.
pub struct Transmit<'a>(&'a mut [[u8; 4]; WORDS]);

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write_frame: F) -> R {
        let length = length.min(FRAME);
        let frame = self.0.as_flattened_mut().get_mut(..length);
        let result = write_frame(frame.unwrap_or_default());
        let size = length as u32;
        write(Register::TransmitData, WHOLE | size);
        write(Register::TransmitData, size);
        for word in self.0.iter().take(length.div_ceil(4)) {
            write(Register::TransmitData, u32::from_le_bytes(*word));
        }
        // Nobody asks how it went, but the FIFO of answers would fill.
        read(Register::TransmitStatus);
        result
    }
}

fn frame_waits() -> bool {
    read(Register::ReceiveInfo) & 0x00FF_0000 != 0
}

fn write_mac(register: u32, value: u32) {
    write(Register::MacData, value);
    write(Register::MacCommand, MAC_WRITE | register);
}

fn read_mac(register: u32) -> u32 {
    write(Register::MacCommand, MAC_READ | register);
    read(Register::MacData)
}

fn read(register: Register) -> u32 {
    // SAFETY: every `Register` is one of this card's. Reading some changes its state, which only
    // the driver does.
    unsafe { (register as usize as *const u32).read_volatile() }
}

fn write(register: Register, value: u32) {
    // SAFETY: as for reading; and the card has no access to memory.
    unsafe { (register as usize as *mut u32).write_volatile(value) }
}
