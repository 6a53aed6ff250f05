//! Over any stack with the traits of `embedded-nal-async`: modems, W5500, hosts.

use core::convert::Infallible;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embedded_io_async::{Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};

use crate::error::Lost;
use crate::link::{Dial, Link};
use crate::network::Network;

/// TCP and DNS of a stack with the traits of `embedded-nal-async`.
///
/// # What the connection has to promise
/// `read` is dropped when there is something to write, and called again. It must lose no bytes by
/// that, as `embedded-io-async` encourages; what reads straight from the hardware into the caller's
/// memory may do so, and then garbles the stream: wrap it in a buffer. So does embedded-tls, which
/// wants a [`Network`](crate::Network) of its own: `firmware-examples/tls`. Dropping the connection has
/// to close it. A `write` is dropped only to give the connection up.
///
/// # Deadlines
/// Those of `Config`: connects, look-ups and writes are dropped when they take too long, so they
/// need no timeouts of their own. (embassy-net's `TcpClient` has none for connects, and does not
/// need one here; but [`EmbassyNet`](crate::EmbassyNet) does without copying.)
///
/// `rx` and `tx` of [`Resources`](crate::Resources) hold what is read or written at once.
pub struct Nal<'n, T, D> {
    tcp: &'n T,
    dns: &'n D,
}

impl<'n, T: TcpConnect, D: Dns> Nal<'n, T, D> {
    /// Over these.
    pub const fn new(tcp: &'n T, dns: &'n D) -> Self {
        Self { tcp, dns }
    }

    /// One connection, until it is lost.
    async fn session<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        to: &Dial,
        rx: &mut [u8],
        tx: &mut [u8],
    ) -> Lost {
        let address = match to.host.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => match self.dns.get_host_by_name(&to.host, kind(to.attempt)).await {
                Ok(address) => address,
                Err(_) => return Lost::Name,
            },
        };
        let Ok(mut socket) = self.tcp.connect(SocketAddr::new(address, to.port)).await else {
            return Lost::Refused;
        };
        link.connected();
        loop {
            match select(socket.read(rx), link.wants_transmit()).await {
                Either::First(Ok(bytes)) if bytes > 0 => {
                    if let Err(lost) = link.received(rx.get(..bytes).unwrap_or_default()) {
                        return lost;
                    }
                }
                Either::First(_) => return Lost::Closed,
                Either::Second(()) => {
                    // All there is, then a flush: on some transports that waits for the peer.
                    loop {
                        let bytes = link.transmit(tx);
                        let Some(bytes) = tx.get(..bytes).filter(|bytes| !bytes.is_empty()) else {
                            break;
                        };
                        if socket.write_all(bytes).await.is_err() {
                            return Lost::Closed;
                        }
                    }
                    if socket.flush().await.is_err() {
                        return Lost::Closed;
                    }
                }
            }
        }
    }
}

/// The traits tell one address of a name. Where that is an IPv6 one of a host that answers on IPv4
/// only, the next attempt finds the other.
const fn kind(attempt: u8) -> AddrType {
    if attempt.is_multiple_of(2) { AddrType::Either } else { AddrType::IPv4 }
}

impl<T: TcpConnect, D: Dns> Network for Nal<'_, T, D> {
    async fn serve<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        rx: &mut [u8],
        tx: &mut [u8],
    ) -> Infallible {
        loop {
            let to = link.dial().await;
            // The session first: it knows why better than the core does. It ends with its socket.
            let lost = select(self.session(link, &to, rx, tx), link.closing()).await;
            match lost {
                Either::First(lost) | Either::Second(lost) => link.lost(lost),
            }
        }
    }
}

impl<T, D> Clone for Nal<'_, T, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, D> Copy for Nal<'_, T, D> {}

impl<T, D> fmt::Debug for Nal<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nal").finish_non_exhaustive()
    }
}
