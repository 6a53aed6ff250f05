//! One connection slot of the core, as a network serves it.

use core::cell::Cell;
use core::convert::Infallible;
use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::String;
use klamm::{ConnId, Demand};

use crate::error::Lost;
use crate::shared::Shared;

/// The longest host name, as in [`Resources`](crate::Resources).
const HOST: usize = 64;

/// A connection slot, for whoever implements [`Network`](crate::Network).
///
/// The order of calls: [`dial`](Self::dial), [`connected`](Self::connected), then
/// [`received`](Self::received) and [`transmit`](Self::transmit) as the socket allows, then
/// [`lost`](Self::lost). Whenever [`closing`](Self::closing) is ready, `lost` is what comes next.
pub struct Link<'l, 'd, M: RawMutex> {
    shared: &'l Shared<'d, M>,
    conn: ConnId,
    state: Cell<State>,
    dials: Cell<u8>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Closed,
    Dialing,
    Open,
}

/// Where to connect to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Dial {
    /// A host name or an IP address, without brackets.
    pub host: String<HOST>,
    /// The TCP port.
    pub port: u16,
    /// Counts dials: of a name with several addresses each is to be tried in turn.
    pub attempt: u8,
}

impl<'l, 'd, M: RawMutex> Link<'l, 'd, M> {
    pub(crate) fn new(shared: &'l Shared<'d, M>, conn: ConnId) -> Self {
        Self { shared, conn, state: Cell::new(State::Closed), dials: Cell::new(0) }
    }

    /// Waits until a connection is wanted. Its setup timeout runs from now on.
    pub async fn dial(&self) -> Dial {
        self.demanded(Demand::Connect).await;
        let attempt = self.dials.get();
        self.dials.set(attempt.wrapping_add(1));
        self.state.set(State::Dialing);
        let to = self.shared.with(|inner, now| {
            let (bytes, port) = inner.core.address_bytes(self.conn).unwrap_or_default();
            let mut host = String::new();
            // Byte by byte: a check of UTF-8 costs 0.6 KB of flash.
            let fits = bytes
                .iter()
                .all(|byte| byte.is_ascii() && host.push(char::from(byte & 0x7f)).is_ok());
            if !fits {
                // What is too long, or no ASCII, is no name: the look-up of an empty one fails.
                host.clear();
            }
            inner.core.handle_dialing(self.conn, now);
            Dial { host, port, attempt }
        });
        info!("klamm: connecting to {}:{}", to.host.as_str(), to.port);
        to
    }

    /// Waits until the core gives the connection up: abort it, then call [`lost`](Self::lost).
    pub async fn closing(&self) -> Lost {
        self.demanded(Demand::Close).await;
        if self.state.get() == State::Open { Lost::GivenUp } else { Lost::NoAnswer }
    }

    /// The connection is open.
    pub fn connected(&self) {
        self.state.set(State::Open);
        self.shared.with(|inner, now| inner.core.handle_connected(self.conn, now));
    }

    /// Bytes from the peer, any number; all of them are taken.
    ///
    /// # Errors
    /// The peer broke the protocol; the connection is to be given up.
    pub fn received(&self, bytes: &[u8]) -> Result<(), Lost> {
        self.shared
            .with(|inner, now| inner.core.handle_received(self.conn, bytes, now))
            .map_err(Lost::Protocol)
    }

    /// Waits until there are bytes for the peer.
    pub async fn wants_transmit(&self) {
        self.demanded(Demand::Transmit).await;
    }

    /// Puts bytes for the peer into `room`, and returns how many; from then on they count as
    /// written, so they have to be, or the connection has to be given up.
    pub fn transmit(&self, room: &mut [u8]) -> usize {
        let copy = |bytes: &klamm::Transmit<'_>| Ok::<_, Infallible>(bytes.copy_to(room));
        let Ok(bytes) =
            self.shared.with(|inner, now| inner.core.transmit_with(self.conn, now, copy));
        bytes
    }

    /// The connection is gone, or could not be made. No byte of it may be written any more.
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn lost(&self, why: Lost) {
        warning!("klamm: connection lost: {}", why);
        self.state.set(State::Closed);
        self.shared.with(|inner, now| {
            inner.lost = Some((why, inner.connects()));
            inner.core.handle_disconnected(self.conn, now);
        });
    }

    async fn demanded(&self, demand: Demand) {
        poll_fn(|cx| {
            self.shared.with(|inner, _| {
                inner.register_runner(cx.waker());
                if inner.core.demand(self.conn) == demand { Poll::Ready(()) } else { Poll::Pending }
            })
        })
        .await;
    }
}

/// Whoever served the link was dropped, and the socket with it.
impl<M: RawMutex> Drop for Link<'_, '_, M> {
    fn drop(&mut self) {
        if self.state.get() != State::Closed {
            self.shared.with(|inner, now| inner.core.handle_disconnected(self.conn, now));
        }
    }
}

impl<M: RawMutex> fmt::Debug for Link<'_, '_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("conn", &self.conn).finish_non_exhaustive()
    }
}
