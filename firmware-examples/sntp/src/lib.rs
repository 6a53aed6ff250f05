//! What time it is, by SNTP: a task beside klamm's runner, on any board with embassy-net.
//!
//! ```no_run
//! # use embassy_net::Stack;
//! # use klamm_embassy::Producer;
//! // #[embassy_executor::task]
//! async fn clock(stack: Stack<'static>, producer: Producer<'static>) -> ! {
//!     klamm_firmware_sntp::keep(stack, producer, "pool.ntp.org").await
//! }
//! ```
//!
//! It takes a socket of the `StackResources`, beside those of DHCP, DNS and the brokers.
#![no_std]
#![forbid(unsafe_code)]

use core::net::{IpAddr, SocketAddr};

use embassy_net::Stack;
use embassy_net::dns::DnsQueryType;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use klamm_embassy::{Producer, Timestamp};
use sntpc::{NtpContext, NtpTimestampGenerator};
use sntpc_net_embassy::UdpSocketWrapper;

const NTP_PORT: u16 = 123;
const OUR_PORT: u16 = 12_300;

/// How long a time server may take to answer, its name's server included.
pub const ANSWER: Duration = Duration::from_secs(5);
/// From an answer that did not come to the next question: more often would be rude to public servers.
pub const RETRY: Duration = Duration::from_secs(15);
/// From an answer to the next question: a crystal with 20 ppm is off by half a second after this.
pub const AGAIN: Duration = Duration::from_secs(6 * 3_600);

/// Asks at the start and every few hours, and tells the producer. Records that were made before the
/// first answer wait for it, and get the time at which they were made.
pub async fn keep(stack: Stack<'_>, producer: Producer<'_>, server: &str) -> ! {
    stack.wait_config_up().await;
    loop {
        let wait = match with_timeout(ANSWER, ask(stack, server)).await {
            Ok(Some(now)) => {
                producer.set_clock(now);
                AGAIN
            }
            _ => RETRY,
        };
        Timer::after(wait).await;
    }
}

/// The time now, of a server's name or address; `None`: it has none that one could believe. It waits
/// for an answer without end.
pub async fn ask(stack: Stack<'_>, server: &str) -> Option<Timestamp> {
    let addresses = stack.dns_query(server, DnsQueryType::A).await.ok()?;
    let server = SocketAddr::new(IpAddr::from(*addresses.first()?), NTP_PORT);
    let (mut rx, mut tx) = ([0; 64], [0; 64]);
    let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY], [PacketMetadata::EMPTY]);
    let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
    socket.bind(OUR_PORT).ok()?;
    let socket = UdpSocketWrapper::new(socket);
    let answer = sntpc::get_time(server, &socket, NtpContext::new(Uptime::default())).await.ok()?;
    let now = Uptime::now_micros().checked_add_signed(answer.offset())?;
    Some(Timestamp::from_millis(i64::try_from(now / 1_000).ok()?))
}

/// A clock that is wrong, for the server to say by how much.
#[derive(Clone, Copy, Default)]
struct Uptime {
    micros: u64,
}

impl Uptime {
    /// 2026: near enough to tell which era of NTP it is, of 136 years each.
    const START_MICROS: u64 = 1_767_225_600_000_000;

    fn now_micros() -> u64 {
        Self::START_MICROS + Instant::now().as_micros()
    }
}

impl NtpTimestampGenerator for Uptime {
    fn init(&mut self) {
        self.micros = Self::now_micros();
    }

    fn timestamp_sec(&self) -> u64 {
        self.micros / 1_000_000
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        (self.micros % 1_000_000) as u32
    }
}
