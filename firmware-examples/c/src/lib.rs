//! `include/network.h`: TCP for programs in C, by smoltcp and the driver that the Rust firmware has.
#![no_std]

mod device;

use core::ffi::{CStr, c_char, c_int};
use core::net::Ipv4Addr;
use core::slice;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::{dhcpv4, tcp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};
use static_cell::{ConstStaticCell, StaticCell};

use device::Device;

/// `NETWORK_SOCKETS` of the header, and bytes on their way in and out of each: two requests of
/// klamm's default batches fit.
const SOCKETS: usize = 1;
const RECEIVE: usize = 1_024;
const SEND: usize = 3_072;

/// A port of ours is one of these: the range that IANA leaves to clients.
const FIRST_PORT: u16 = 49_152;
const PORTS: u16 = 16_384;

/// `NETWORK_CLOSED` and so on.
const CLOSED: c_int = 0;
const CONNECTING: c_int = 1;
const OPEN: c_int = 2;

/// What `network_start` gives.
pub struct Network {
    device: Device,
    interface: Interface,
    sockets: SocketSet<'static>,
    dhcp: SocketHandle,
    tcp: [SocketHandle; SOCKETS],
    /// Another one for each connection, or the peer could take one for the one before.
    port: u16,
}

struct Buffers {
    receive: [u8; RECEIVE],
    send: [u8; SEND],
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn network_start(seed: u64, now_us: u64) -> Option<&'static mut Network> {
    // Apart from each other: an empty slot is not all zeros, and would take the buffers to `.data`.
    static SLOTS: ConstStaticCell<[SocketStorage<'static>; SOCKETS + 1]> =
        ConstStaticCell::new([const { SocketStorage::EMPTY }; _]);
    static BUFFERS: ConstStaticCell<[Buffers; SOCKETS]> =
        ConstStaticCell::new([const { Buffers { receive: [0; _], send: [0; _] } }; _]);
    static NETWORK: StaticCell<Network> = StaticCell::new();
    let (slots, buffers) = (SLOTS.try_take()?, BUFFERS.try_take()?);
    let (mut device, address) = Device::start()?;
    let mut config = Config::new(EthernetAddress(address).into());
    config.random_seed = seed;
    let interface = Interface::new(config, &mut device, instant(now_us));
    let mut sockets = SocketSet::new(&mut slots[..]);
    let dhcp = sockets.add(dhcpv4::Socket::new());
    let tcp = buffers.each_mut().map(|Buffers { receive, send }| {
        let [receive, send] = [&mut receive[..], &mut send[..]].map(tcp::SocketBuffer::new);
        let mut socket = tcp::Socket::new(receive, send);
        // Requests are whole: waiting for more bytes only delays the last segment.
        socket.set_nagle_enabled(false);
        sockets.add(socket)
    });
    let port = FIRST_PORT + (seed % u64::from(PORTS)) as u16;
    NETWORK.try_init(Network { device, interface, sockets, dhcp, tcp, port })
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn network_poll(net: &mut Network, now_us: u64) {
    let Network { device, interface, sockets, dhcp, .. } = net;
    interface.poll(instant(now_us), device, sockets);
    match sockets.get_mut::<dhcpv4::Socket<'_>>(*dhcp).poll() {
        Some(dhcpv4::Event::Configured(lease)) => {
            interface.update_ip_addrs(|addresses| {
                addresses.clear();
                // There is room for one.
                let _ = addresses.push(IpCidr::Ipv4(lease.address));
            });
            if let Some(router) = lease.router {
                let _ = interface.routes_mut().add_default_ipv4_route(router);
            }
        }
        Some(dhcpv4::Event::Deconfigured) => {
            interface.update_ip_addrs(|addresses| addresses.clear());
            interface.routes_mut().remove_default_ipv4_route();
        }
        None => {}
    }
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn network_is_up(net: &Network) -> bool {
    net.interface.ipv4_addr().is_some()
}

/// See the header.
///
/// # Safety
/// `host` is a text that ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn network_connect(
    net: &mut Network,
    socket: u8,
    host: *const c_char,
    port: u16,
) -> bool {
    // SAFETY: the caller's promise.
    let host = unsafe { CStr::from_ptr(host) }.to_str().unwrap_or_default();
    let Ok(address) = host.parse::<Ipv4Addr>() else { return false };
    if !network_is_up(net) {
        return false;
    }
    net.port = FIRST_PORT + (net.port - FIRST_PORT + 1) % PORTS;
    let Network { interface, sockets, tcp, port: local, .. } = net;
    let Some(handle) = tcp.get(usize::from(socket)) else { return false };
    let socket = sockets.get_mut::<tcp::Socket<'_>>(*handle);
    socket.connect(interface.context(), (address, port), *local).is_ok()
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn network_state(net: &Network, socket: u8) -> c_int {
    let Some(handle) = net.tcp.get(usize::from(socket)) else { return CLOSED };
    let socket = net.sockets.get::<tcp::Socket<'_>>(*handle);
    match socket.state() {
        tcp::State::SynSent | tcp::State::SynReceived => CONNECTING,
        _ if socket.may_recv() => OPEN,
        _ => CLOSED,
    }
}

/// See the header.
///
/// # Safety
/// `data` points to `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn network_send(
    net: &mut Network,
    socket: u8,
    data: *const u8,
    len: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let data = unsafe { slice::from_raw_parts(data, len) };
    net.socket(socket).and_then(|socket| socket.send_slice(data).ok()).unwrap_or_default()
}

/// See the header.
///
/// # Safety
/// `data` points to `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn network_receive(
    net: &mut Network,
    socket: u8,
    data: *mut u8,
    capacity: usize,
) -> usize {
    // SAFETY: the caller's promise; bytes of a C program are initialized for this purpose.
    let data = unsafe { slice::from_raw_parts_mut(data, capacity) };
    net.socket(socket).and_then(|socket| socket.recv_slice(data).ok()).unwrap_or_default()
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn network_close(net: &mut Network, socket: u8) {
    if let Some(socket) = net.socket(socket) {
        socket.abort();
    }
}

impl Network {
    fn socket(&mut self, number: u8) -> Option<&mut tcp::Socket<'static>> {
        let handle = self.tcp.get(usize::from(number))?;
        Some(self.sockets.get_mut(*handle))
    }
}

fn instant(now_us: u64) -> Instant {
    Instant::from_micros(i64::try_from(now_us).unwrap_or(i64::MAX))
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn network_panicked();
    }
    loop {
        // SAFETY: the header says that the program defines it so, with no arguments and no result.
        unsafe { network_panicked() }
    }
}
