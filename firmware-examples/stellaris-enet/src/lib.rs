//! The Ethernet of the LM3S6965 as QEMU has it (`stellaris_enet`). Frames go through a FIFO, word
//! by word. What a network stack calls it is that stack's: embassy-net's driver is in `lm3s6965`,
//! smoltcp's in `c`.
#![no_std]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

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
pub const FRAME: usize = 1_514;
/// What the FIFO's length of a frame to be sent leaves out.
const HEAD: usize = 14;
const CHECKSUM: usize = 4;
/// A received frame is counted with its own two bytes of length and four of checksum.
const RECEIVED_EXTRA: usize = 6;

/// Room for one frame each way: an answer may be written while what it answers is still read.
#[derive(Debug)]
pub struct Frames {
    /// What is read.
    pub received: Frame,
    /// What is written.
    pub sent: Frame,
}

impl Frames {
    /// Empty.
    pub const fn new() -> Self {
        Self { received: Frame::new(), sent: Frame::new() }
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

/// A frame: two bytes more than the longest one has, for the FIFO's words begin at its third byte.
#[derive(Debug)]
pub struct Frame([u8; FRAME + 2]);

impl Frame {
    const fn new() -> Self {
        Self([0; _])
    }

    /// Takes a frame out of the FIFO, in which one waits ([`frame_waits`]).
    pub fn receive(&mut self) -> &mut [u8] {
        let [low, high, first, second] = read(Register::Data).to_le_bytes();
        let length = usize::from(u16::from_le_bytes([low, high])).saturating_sub(RECEIVED_EXTRA);
        let (start, words) = self.words();
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
        self.0.get_mut(..length).unwrap_or_default()
    }

    /// Sends a frame of this length that `write_frame` has written.
    pub fn send<R>(&mut self, length: usize, write_frame: impl FnOnce(&mut [u8]) -> R) -> R {
        let length = length.min(FRAME);
        let result = write_frame(self.0.get_mut(..length).unwrap_or_default());
        let (&mut [first, second], words) = self.words();
        let [low, high, ..] = length.saturating_sub(HEAD).to_le_bytes();
        write(Register::Data, u32::from_le_bytes([low, high, first, second]));
        for word in words.iter().take(length.saturating_sub(2).div_ceil(4)) {
            write(Register::Data, u32::from_le_bytes(*word));
        }
        write(Register::TransmitRequest, 1);
        result
    }

    /// As the FIFO has it: two bytes, which share a word with the length, and words.
    fn words(&mut self) -> (&mut [u8; 2], &mut [[u8; 4]]) {
        let (start, rest) = self.0.split_first_chunk_mut().expect("a frame is longer than that");
        (start, rest.as_chunks_mut().0)
    }
}

/// Sets the card up, and gives its address; `None` the second time, for there is one. Its interrupt
/// is raised for frames that arrive ([`INTERRUPT`]).
pub fn start() -> Option<[u8; 6]> {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if STARTED.load(Relaxed) {
        return None;
    }
    STARTED.store(true, Relaxed);
    let gates = CLOCK_GATES as *mut u32;
    // SAFETY: the register is there on this chip, and nobody else changes it.
    unsafe { gates.write_volatile(gates.read_volatile() | ETHERNET_CLOCKS) };
    write(Register::InterruptMask, 0);
    write(Register::ReceiveControl, RESET_FIFO);
    write(Register::ReceiveControl, RECEIVE);
    write(Register::TransmitControl, TRANSMIT);
    write(Register::Status, EVERYTHING);
    allow_interrupt();
    let low = read(Register::AddressLow).to_le_bytes();
    let high = read(Register::AddressHigh).to_le_bytes();
    Some([low[0], low[1], low[2], low[3], high[0], high[1]])
}

/// The interrupt's number.
pub const INTERRUPT: u16 = 42;

/// What its handler does: it stays masked here until the FIFO was found empty, for it is not raised
/// again for frames that already wait.
pub fn take_interrupt() {
    write(Register::InterruptMask, 0);
    write(Register::Status, RECEIVED);
}

/// The next frame raises it again.
pub fn allow_interrupt() {
    write(Register::InterruptMask, RECEIVED);
}

/// Is there a frame in the FIFO?
pub fn frame_waits() -> bool {
    read(Register::Packets) != 0
}

/// Can a frame be sent? QEMU has sent the one before when the request's write ends.
pub fn may_send() -> bool {
    read(Register::TransmitRequest) == 0
}

fn read(register: Register) -> u32 {
    // SAFETY: every `Register` is one of this chip's. Reading some changes the card's state, which
    // only this crate does.
    unsafe { (register as usize as *const u32).read_volatile() }
}

fn write(register: Register, value: u32) {
    // SAFETY: as for reading; and the card has no access to memory.
    unsafe { (register as usize as *mut u32).write_volatile(value) }
}
