//! What the run loop calls: connections, bytes and time.

use core::convert::Infallible;
use core::ffi::{c_char, c_void};
use core::ptr;

use klamm::{ConnId, Demand, Instant};

use crate::pointer;
use crate::producer::klamm_producer;
use crate::status::klamm_status;

/// klamm_next_deadline: nothing is waited for.
pub const KLAMM_NEVER: u64 = u64::MAX;

/// What a connection wants. A level, not an event: ask as often as you like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum klamm_demand {
    /// Nothing: there is no connection, or it is being dialed.
    Nothing = 0,
    /// Call klamm_address, dial there, and call klamm_handle_dialing.
    Connect = 1,
    /// Read from the socket when it has something, and hand it to klamm_handle_received.
    Receive = 2,
    /// The same, and there is something to write: klamm_transmit.
    Transmit = 3,
    /// Close the socket, then call klamm_handle_disconnected.
    Close = 4,
}

/// How many connections there are, `connections` of klamm_limits. They are numbered from 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_connections(producer: *const klamm_producer) -> u8 {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::look(producer) }) else { return 0 };
    u8::try_from(producer.shown.len()).unwrap_or(u8::MAX)
}

/// What a connection wants now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_demand_of(
    producer: *const klamm_producer,
    connection: u8,
) -> klamm_demand {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::look(producer) }) else {
        return klamm_demand::Nothing;
    };
    match producer.connection(connection).map(|conn| producer.inner.demand(conn)) {
        Ok(Demand::Connect) => klamm_demand::Connect,
        Ok(Demand::Receive) => klamm_demand::Receive,
        Ok(Demand::Transmit) => klamm_demand::Transmit,
        Ok(Demand::Close) => klamm_demand::Close,
        _ => klamm_demand::Nothing,
    }
}

/// Where a connection should go: writes a host name or IP address (without brackets) and a zero byte to `host`, and
/// the TCP port to `port`. 65 bytes are always enough.
///
/// KLAMM_STATUS_MEMORY: `capacity` is too small. KLAMM_STATUS_NOT_CONNECTED: the connection has no broker now.
/// KLAMM_STATUS_ARGUMENT: a null pointer or a wrong connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_address(
    producer: *const klamm_producer,
    connection: u8,
    host: *mut c_char,
    capacity: usize,
    port: *mut u16,
) -> klamm_status {
    let look = || {
        // SAFETY: the program vouches for its pointers, as the header asks.
        let producer = unsafe { klamm_producer::look(producer) }?;
        let conn = producer.connection(connection)?;
        let address = producer.inner.address(conn).ok_or(klamm_status::NotConnected)?;
        if host.is_null() || port.is_null() {
            return Err(klamm_status::Argument);
        }
        if address.host.len() >= capacity {
            return Err(klamm_status::Memory);
        }
        // SAFETY: the same.
        unsafe {
            pointer::put_text(host, capacity, address.host);
            pointer::put(port, address.port);
        }
        Ok(())
    };
    klamm_status::of(look())
}

/// KLAMM_DEMAND_CONNECT is taken up: call it before dialing. Starts the setup timeout.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_handle_dialing(
    producer: *mut klamm_producer,
    connection: u8,
    now_us: u64,
) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok((producer, conn)) = unsafe { at(producer, connection) } {
        producer.inner.handle_dialing(conn, Instant::from_micros(now_us));
    }
}

/// The connection is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_handle_connected(
    producer: *mut klamm_producer,
    connection: u8,
    now_us: u64,
) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok((producer, conn)) = unsafe { at(producer, connection) } {
        producer.show(conn, 0);
        producer.inner.handle_connected(conn, Instant::from_micros(now_us));
    }
}

/// The connection is closed, or could not be made. No byte of it will be written any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_handle_disconnected(
    producer: *mut klamm_producer,
    connection: u8,
    now_us: u64,
) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok((producer, conn)) = unsafe { at(producer, connection) } {
        producer.show(conn, 0);
        producer.inner.handle_disconnected(conn, Instant::from_micros(now_us));
    }
}

/// The next bytes to be written on a connection, where they lie in the producer's memory: write any number of them, and
/// say how many with klamm_transmitted. They may be read until the next call with this producer. `*len` is 0, and
/// `*data` null, while there is nothing to write.
///
/// KLAMM_STATUS_ARGUMENT: a null pointer or a wrong connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_transmit(
    producer: *mut klamm_producer,
    connection: u8,
    now_us: u64,
    data: *mut *const u8,
    len: *mut usize,
) -> klamm_status {
    let transmit = || {
        if data.is_null() || len.is_null() {
            return Err(klamm_status::Argument);
        }
        // SAFETY: the program vouches for its pointers, as the header asks.
        let (producer, conn) = unsafe { at(producer, connection) }?;
        let mut next = (ptr::null(), 0);
        // Nothing is committed yet: the same bytes are offered until klamm_transmitted says how many are gone.
        let Ok(_) = producer.inner.transmit_with(conn, Instant::from_micros(now_us), |transmit| {
            let slice = transmit.slices().find(|slice| !slice.is_empty()).unwrap_or_default();
            next = (slice.as_ptr(), slice.len());
            Ok::<_, Infallible>(0)
        });
        producer.show(conn, next.1);
        // SAFETY: the same.
        unsafe {
            pointer::put(data, next.0);
            pointer::put(len, next.1);
        }
        Ok(())
    };
    klamm_status::of(transmit())
}

/// So many of the bytes that klamm_transmit gave have been written, or are in a socket's buffer.
///
/// KLAMM_STATUS_ARGUMENT: those are more than klamm_transmit gave since the last call, or the connection is wrong.
/// Nothing has changed then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_transmitted(
    producer: *mut klamm_producer,
    connection: u8,
    len: usize,
    now_us: u64,
) -> klamm_status {
    let commit = || {
        // SAFETY: the program vouches for its pointers, as the header asks.
        let (producer, conn) = unsafe { at(producer, connection) }?;
        if len > producer.shown.get(conn.index()).copied().unwrap_or(0) {
            return Err(klamm_status::Argument);
        }
        producer.show(conn, 0);
        if len > 0 {
            let now = Instant::from_micros(now_us);
            let Ok(_) = producer.inner.transmit_with(conn, now, |_| Ok::<_, Infallible>(len));
        }
        Ok(())
    };
    klamm_status::of(commit())
}

/// Hands in bytes from the peer: any number, split anywhere. They are always taken all, and not needed afterwards.
///
/// KLAMM_STATUS_PROTOCOL, KLAMM_STATUS_TLS: the demand is KLAMM_DEMAND_CLOSE now. KLAMM_STATUS_NOT_CONNECTED: the
/// connection is not open. KLAMM_STATUS_ARGUMENT: a null pointer or a wrong connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_handle_received(
    producer: *mut klamm_producer,
    connection: u8,
    data: *const c_void,
    len: usize,
    now_us: u64,
) -> klamm_status {
    let receive = || {
        // SAFETY: the program vouches for its pointers, as the header asks.
        let (producer, conn) = unsafe { at(producer, connection) }?;
        // SAFETY: the same.
        let bytes = unsafe { pointer::bytes(data, len) }?.unwrap_or_default();
        let now = Instant::from_micros(now_us);
        producer.inner.handle_received(conn, bytes, now).map_err(klamm_status::from)
    };
    klamm_status::of(receive())
}

/// Lets time pass: call it when klamm_next_deadline has come. Harmless to call too early or too often.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_handle_timeout(producer: *mut klamm_producer, now_us: u64) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    if let Ok(producer) = unsafe { klamm_producer::of(producer) } {
        producer.inner.handle_timeout(Instant::from_micros(now_us));
    }
}

/// When klamm_handle_timeout is due, in microseconds as in `now_us`; KLAMM_NEVER while nothing is waited for. It may
/// change with every call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_next_deadline(producer: *const klamm_producer) -> u64 {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::look(producer) }) else { return KLAMM_NEVER };
    producer.inner.next_deadline().map_or(KLAMM_NEVER, |(at, _)| at.as_micros())
}

/// # Safety
/// As `klamm_producer::of`.
unsafe fn at<'a>(
    producer: *mut klamm_producer,
    connection: u8,
) -> Result<(&'a mut klamm_producer, ConnId), klamm_status> {
    // SAFETY: as this function's caller vouches.
    let producer = unsafe { klamm_producer::of(producer) }?;
    let conn = producer.connection(connection)?;
    Ok((producer, conn))
}

impl klamm_producer {
    /// Notes how many bytes the program was shown.
    fn show(&mut self, conn: ConnId, len: usize) {
        if let Some(shown) = self.shown.get_mut(conn.index()) {
            *shown = len;
        }
    }
}
