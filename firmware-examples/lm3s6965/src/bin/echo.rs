//! The network without klamm: sends to a TCP server that sends everything back, as a check of the
//! driver, and as what the size of `readings` is compared with.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpEndpoint, Stack};
use embassy_time::Instant;
use embedded_io_async::{Read as _, Write as _};
use klamm_firmware_app::Board as _;
use klamm_firmware_qemu::semihosting::{self, Host};
use klamm_lm3s6965::start;

/// Bytes that are sent and received at a time, and how often.
const PIECE: usize = 1_000;
const PIECES: usize = 256;

#[embassy_executor::main(entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) -> ! {
    let mut buffer = [0; 64];
    let server = semihosting::arguments(&mut buffer).parse();
    let code = match (start(spawner, 1), server) {
        (Some(stack), Ok(server)) => match echo(stack, server).await {
            Some(()) => 0,
            None => 1,
        },
        _ => 2,
    };
    semihosting::exit(code)
}

async fn echo(stack: Stack<'static>, server: core::net::SocketAddrV4) -> Option<()> {
    stack.wait_config_up().await;
    let (mut receive, mut send) = ([0; 1_536], [0; 1_536]);
    let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
    socket.connect(IpEndpoint::from(server)).await.ok()?;
    let begin = Instant::now();
    for piece in 0..PIECES {
        let sent: [u8; PIECE] = core::array::from_fn(|at| (piece + at) as u8);
        let mut back = [0; PIECE];
        socket.write_all(&sent).await.ok()?;
        socket.read_exact(&mut back).await.ok()?;
        if back != sent {
            return None;
        }
    }
    let bytes = PIECE * PIECES;
    Host.print(format_args!("{bytes} bytes there and back in {} ms", begin.elapsed().as_millis()));
    Some(())
}
