//! Over embassy-net.

use core::convert::Infallible;
use core::fmt;

use embassy_futures::select::{Either, select};
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpAddress, Stack};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_time::{Duration, with_timeout};

use crate::error::Lost;
use crate::link::{Dial, Link};
use crate::network::Network;

/// How long a socket may take to tell its peer that it is gone. Next door it takes a moment; where
/// there is no way to the peer it takes for ever.
const FAREWELL: Duration = Duration::from_millis(100);

/// TCP and DNS of an embassy-net stack.
///
/// # Sockets
/// Each connection slot has a socket of its own, from when [`Runner::run`](crate::Runner::run)
/// begins. With DHCP's and DNS's own that is `StackResources<2 + CONNS>`, and one for each
/// socket of the application's. With too few embassy-net panics ("adding a socket to a full
/// SocketSet"): at the start, not later.
///
/// # Deadlines
/// The socket has no timeout and no keep-alive: an idle producer stays connected, and a peer that
/// has gone silently is found out by `request_timeout_ms`. Nothing waits longer than
/// `socket_connection_setup_timeout_ms` for an address, a name server and a connection together.
#[derive(Clone, Copy)]
pub struct EmbassyNet<'d> {
    stack: Stack<'d>,
}

impl<'d> EmbassyNet<'d> {
    /// Over this stack, which somebody else runs.
    #[must_use]
    pub const fn new(stack: Stack<'d>) -> Self {
        Self { stack }
    }

    /// One connection, until it is lost.
    async fn session<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        to: &Dial,
        socket: &mut TcpSocket<'_>,
    ) -> Lost {
        // Without an address of our own there is nobody to ask for another's.
        self.stack.wait_config_up().await;
        let Some(address) = self.look_up(to).await else { return Lost::Name };
        if socket.connect((address, to.port)).await.is_err() {
            return Lost::Refused;
        }
        // Requests are whole: waiting for more bytes only delays the last segment.
        socket.set_nagle_enabled(false);
        link.connected();
        let (mut reader, mut writer) = socket.split();
        let reading = async {
            loop {
                match reader.read_with(|bytes| (bytes.len(), link.received(bytes))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(lost)) => return lost,
                    Err(_) => return Lost::Closed,
                }
            }
        };
        let writing = async {
            loop {
                link.wants_transmit().await;
                if writer.write_with(|room| (link.transmit(room), ())).await.is_err() {
                    return Lost::Closed;
                }
            }
        };
        whichever(select(reading, writing).await)
    }

    /// One of the host's addresses, another one with each attempt.
    async fn look_up(&self, to: &Dial) -> Option<IpAddress> {
        let attempt = usize::from(to.attempt);
        // With two kinds each is the first one every other time.
        let first = attempt % QUERIES.len();
        for kind in QUERIES.iter().cycle().skip(first).take(QUERIES.len()) {
            let found = self.stack.dns_query(&to.host, *kind).await.unwrap_or_default();
            let turn = (attempt / QUERIES.len()).checked_rem(found.len());
            if let Some(address) = turn.and_then(|turn| found.get(turn)) {
                return Some(*address);
            }
        }
        None
    }
}

/// Both mean the same.
fn whichever<T>(either: Either<T, T>) -> T {
    match either {
        Either::First(value) | Either::Second(value) => value,
    }
}

#[cfg(not(feature = "ipv6"))]
const QUERIES: &[DnsQueryType] = &[DnsQueryType::A];
#[cfg(feature = "ipv6")]
const QUERIES: &[DnsQueryType] = &[DnsQueryType::A, DnsQueryType::Aaaa];

impl Network for EmbassyNet<'_> {
    async fn serve<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        rx: &mut [u8],
        tx: &mut [u8],
    ) -> Infallible {
        loop {
            // A new one each time, which takes the old one's place at once: one that was left trying
            // to say goodbye to a peer that is gone would ask for its address for ever, and
            // smoltcp asks for one address a second, so that other sockets would get no answer.
            let mut socket = TcpSocket::new(self.stack, &mut *rx, &mut *tx);
            let to = link.dial().await;
            // The session first: it knows why better than the core does.
            let lost = select(self.session(link, &to, &mut socket), link.closing()).await;
            socket.abort();
            link.lost(whichever(lost));
            let _ = with_timeout(FAREWELL, socket.flush()).await;
        }
    }
}

impl fmt::Debug for EmbassyNet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbassyNet").finish_non_exhaustive()
    }
}
