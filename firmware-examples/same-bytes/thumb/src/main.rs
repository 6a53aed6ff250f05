//! Replays the traces of `klamm-replay` and prints what they come to; then counts what calls cost
//! with few and with many topics. `cargo xtask test --only targets` compares and judges.
//!
//! The machine is QEMU's mps2-an385 with `-icount shift=0`: a tick of SysTick is 40 instructions.
#![no_std]
#![no_main]

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_semihosting::{debug, hprintln};
use klamm::{Config, Destination, Instant, Producer, Record, Resources, Storage};
use klamm_replay::{Digest, Memory, replay};
use panic_semihosting as _;
use static_cell::ConstStaticCell;

static PLAIN: &[u8] = include_bytes!(concat!(env!("KLAMM_TRACES"), "/plain.trace"));

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
static FEW: ConstStaticCell<Resources<400, 1_100, 10, 2>> = ConstStaticCell::new(Resources::new());
static MANY: ConstStaticCell<Resources<400, 1_100, 1_000, 2>> =
    ConstStaticCell::new(Resources::new());

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut digest = Digest::default();
    replay(PLAIN, MEMORY.take(), &mut digest).expect("it is a trace");
    hprintln!("plain {:016x} {}", digest.hash, digest.bytes);

    let mut clock = cortex_m::Peripherals::take().expect("nobody took it").SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(0x00ff_ffff);
    clock.enable_counter();
    let few = costs(FEW.take().storage(), 10);
    let many = costs(MANY.take().storage(), 1_000);
    for ((name, few), (_, many)) in few.into_iter().zip(many) {
        hprintln!("cost {} {} {}", name, few, many);
    }
    debug::exit(debug::EXIT_SUCCESS);
    loop {}
}

/// Ticks for a hundred calls each, when each of `topics` topics has a batch that lingers.
fn costs(storage: Storage<'_>, topics: u32) -> [(&'static str, u32); 4] {
    let now = Instant::ZERO;
    let mut producer = Producer::new(&Config::new("node1:9092"), storage, 1, now).expect("legal");
    let mut to = None;
    for topic in 0..topics {
        let name = Name::of(topic);
        let topic = producer.topic(name.text()).expect("there is room for it");
        let last = Destination::partition(topic, 0);
        producer.send(last, &Record::value(b"21.5"), now).expect("there is room for it");
        to = Some(last);
    }
    let to = to.expect("there are topics");
    let send = |producer: &mut Producer<'_>| {
        producer.send(to, &Record::value(b"21.5"), now).expect("there is room for it");
    };
    producer.handle_timeout(now);
    let timer = |producer: &mut Producer<'_>| producer.handle_timeout(now);
    let deadline = |producer: &mut Producer<'_>| _ = producer.next_deadline();
    let demand = |producer: &mut Producer<'_>| {
        producer.connections().for_each(|conn| _ = core::hint::black_box(producer.demand(conn)));
    };
    [
        ("send", ticks(&mut producer, send)),
        ("handle_timeout", ticks(&mut producer, timer)),
        ("next_deadline", ticks(&mut producer, deadline)),
        ("demand", ticks(&mut producer, demand)),
    ]
}

fn ticks(producer: &mut Producer<'_>, call: impl Fn(&mut Producer<'_>)) -> u32 {
    let before = SYST::get_current();
    for _ in 0..100 {
        call(core::hint::black_box(producer));
    }
    // It counts down, 24 bits.
    before.wrapping_sub(SYST::get_current()) & 0x00ff_ffff
}

/// A topic's name: `t` and four digits.
struct Name([u8; 5]);

impl Name {
    fn of(number: u32) -> Self {
        let digit = |place: u32| b'0' + (number / place % 10) as u8;
        Self([b't', digit(1_000), digit(100), digit(10), digit(1)])
    }

    fn text(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}
