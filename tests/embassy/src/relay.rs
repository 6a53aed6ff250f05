//! From the brokers' stack to brokers on the operating system's sockets, in real time.

use core::net::SocketAddr;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Timer, with_timeout};

use crate::executor::spawn;

/// Connections at the same time.
const BACKLOG: usize = 3;
/// How often the operating system's socket is looked at.
const LOOK: Duration = Duration::from_millis(1);

/// Connections to `port` of this stack go to `target`.
pub fn relay(stack: Stack<'static>, port: u16, target: SocketAddr) {
    for _ in 0..BACKLOG {
        spawn(listen(stack, port, target));
    }
}

async fn listen(stack: Stack<'static>, port: u16, target: SocketAddr) {
    let (mut rx, mut tx) = (vec![0; 16_384], vec![0; 16_384]);
    loop {
        let mut socket = TcpSocket::new(stack, &mut rx, &mut tx);
        socket.set_nagle_enabled(false);
        if socket.accept(port).await.is_ok() {
            // Whoever fails, the other side finds it closed.
            let _ = carry(&mut socket, target).await;
        }
        socket.abort();
        let _ = with_timeout(Duration::from_millis(100), socket.flush()).await;
    }
}

async fn carry(socket: &mut TcpSocket<'_>, target: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(target)?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let mut bytes = [0; 4_096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                let mut rest = &bytes[..read];
                while !rest.is_empty() {
                    let written = socket.write(rest).await.map_err(|_| ErrorKind::BrokenPipe)?;
                    rest = &rest[written..];
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        match with_timeout(LOOK, socket.read(&mut bytes)).await {
            Ok(Ok(read)) if read > 0 => write_all(&mut stream, &bytes[..read]).await?,
            Ok(_) => return Ok(()),
            Err(_) => {}
        }
    }
}

async fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => Timer::after(LOOK).await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
