//! klamm over TLS 1.3: a [`Network`] of embedded-tls over embassy-net, for brokers with an SSL
//! listener. Certificates are verified: signed by the authority that the device knows, for the name
//! under which the broker was dialed.
//!
//! ```no_run
//! # use embassy_net::Stack;
//! # use klamm_embassy::{Config, ConfigError, Resources};
//! # use klamm_firmware_tls::{Records, Tls};
//! # fn start<R: rand_core::RngCore + rand_core::CryptoRng>(
//! #     stack: Stack<'static>, random: R, seed: u64,
//! #     memory: &'static mut Resources<'static, 1_400, 4, 2>, records: &'static [Records; 1],
//! # ) -> Result<(), ConfigError> {
//! const AUTHORITY: &[u8] = &[/* include_bytes!("ca.der") */];
//! let network: Tls<'_, _> = Tls::new(stack, AUTHORITY, random, records);
//! let config = Config::new("kafka.example.com:9094");
//! let (producer, runner) = klamm_embassy::new(memory, network, &config, seed)?;
//! # let _ = (producer, runner);
//! # Ok(())
//! # }
//! ```
//!
//! What it takes, beside klamm: 73 KB of flash and 26 KB of RAM on a Cortex-M3, for a TLS record of
//! 16 KB may have to be read whole. It speaks TLS 1.3 with P-256 certificates, and keeps no sessions:
//! every connection is a whole handshake, seconds of computing on a small chip. So use one connection
//! (`CONNS` 1), and keep it open.
//!
//! Why not [`Nal`](klamm_embassy::Nal)? That drops a `read` when there is something to write, and
//! embedded-tls forgets what a dropped `read` had read of a record's head. Here reading and writing go
//! on side by side. And [`Dial`] has the name that the certificate has to be for.
#![no_std]
#![forbid(unsafe_code)]

mod provider;
mod socket;

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::marker::PhantomData;

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embassy_sync::mutex::Mutex;
use embassy_time::{Duration, with_timeout};
use embedded_io_async::Write as _;
use embedded_tls::{FlushPolicy, NoClock, TlsClock, TlsConfig, TlsConnection, TlsContext};
use klamm_embassy::{Dial, Link, Lost, Network};
use rand_core::{CryptoRng, RngCore};

use provider::Provider;
use socket::Socket;

/// How long a socket may take to tell its peer that it is gone.
const FAREWELL: Duration = Duration::from_millis(100);
/// Bytes that are taken from the producer and encrypted at a time.
const PIECE: usize = 1_024;

/// TLS records of one connection. They are read whole, whatever their size, which most servers
/// choose: 16 KB and what TLS adds. Those that are written are one [`PIECE`] at most.
#[derive(Debug)]
pub struct Records(Mutex<NoopRawMutex, Buffers>);

#[derive(Debug)]
struct Buffers {
    read: [u8; 16_640],
    write: [u8; PIECE + 1_024],
}

impl Records {
    /// Empty memory.
    pub const fn new() -> Self {
        Self(Mutex::new(Buffers { read: [0; _], write: [0; _] }))
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

/// TLS over an embassy-net stack. Sockets and deadlines are as with
/// [`EmbassyNet`](klamm_embassy::EmbassyNet).
///
/// `C` says what time it is, for certificates that are not valid yet or any more; without it
/// ([`NoClock`]) those are taken for valid: a device has to have been online to know the time.
pub struct Tls<'d, R, C = NoClock> {
    stack: Stack<'d>,
    authority: &'d [u8],
    random: RefCell<R>,
    records: &'d [Records],
    clock: PhantomData<C>,
}

impl<'d, R: RngCore + CryptoRng, C: TlsClock> Tls<'d, R, C> {
    /// Over this stack, which somebody else runs. `authority` is the certificate (DER) that brokers'
    /// certificates are signed with; `random` has to be cryptographically secure; `records` are as
    /// many as there are connections (`CONNS`): a slot without has none.
    pub fn new(stack: Stack<'d>, authority: &'d [u8], random: R, records: &'d [Records]) -> Self {
        Self { stack, authority, random: RefCell::new(random), records, clock: PhantomData }
    }

    /// One connection, until it is lost.
    async fn session<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        to: &Dial,
        socket: &mut TcpSocket<'_>,
        buffers: &mut Buffers,
    ) -> Lost {
        self.stack.wait_config_up().await;
        let found = self.stack.dns_query(&to.host, DnsQueryType::A).await.unwrap_or_default();
        let turn = usize::from(to.attempt).checked_rem(found.len());
        let Some(address) = turn.and_then(|turn| found.get(turn)) else { return Lost::Name };
        if socket.connect((*address, to.port)).await.is_err() {
            return Lost::Refused;
        }
        socket.set_nagle_enabled(false);

        let socket = Socket::new(socket);
        let mut tls = TlsConnection::new(&socket, &mut buffers.read, &mut buffers.write);
        tls.set_flush_policy(FlushPolicy::Relaxed);
        let config = TlsConfig::new().with_server_name(&to.host);
        let provider = Provider::<_, C>::new(&self.random, self.authority);
        if tls.open(TlsContext::new(&config, provider)).await.is_err() {
            return Lost::Refused;
        }
        link.connected();
        let (mut reader, mut writer) = tls.split();
        let reading = async {
            loop {
                let Ok(mut record) = reader.read_buffered().await else { return Lost::Closed };
                if let Err(lost) = link.received(record.pop_all()) {
                    return lost;
                }
            }
        };
        let writing = async {
            let mut piece = [0; PIECE];
            loop {
                link.wants_transmit().await;
                let bytes = link.transmit(&mut piece);
                let bytes = piece.get(..bytes).unwrap_or_default();
                if writer.write_all(bytes).await.is_err() || writer.flush().await.is_err() {
                    return Lost::Closed;
                }
            }
        };
        whichever(select(reading, writing).await)
    }
}

impl<R: RngCore + CryptoRng, C: TlsClock> Network for Tls<'_, R, C> {
    async fn serve<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        rx: &mut [u8],
        tx: &mut [u8],
    ) -> Infallible {
        let free = self.records.iter().find_map(|records| records.0.try_lock().ok());
        let Some(mut buffers) = free else { core::future::pending().await };
        loop {
            let mut socket = TcpSocket::new(self.stack, &mut *rx, &mut *tx);
            let to = link.dial().await;
            // The session first: it knows why better than the core does.
            let session = self.session(link, &to, &mut socket, &mut buffers);
            let lost = select(session, link.closing()).await;
            socket.abort();
            link.lost(whichever(lost));
            let _ = with_timeout(FAREWELL, socket.flush()).await;
        }
    }
}

/// Both mean the same.
fn whichever<T>(either: Either<T, T>) -> T {
    match either {
        Either::First(value) | Either::Second(value) => value,
    }
}

impl<R, C> fmt::Debug for Tls<'_, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
