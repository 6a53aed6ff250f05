//! Connections, with a bridge between or without.

use anyhow::{Context, Result, anyhow, bail};
use core::net::SocketAddr;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, Message, WebSocket};

/// Largest message: the bridge's default limit is 64 KiB.
const MESSAGE: usize = 32 * 1024;
/// For what is read, with a bridge or without. tungstenite clears all of it before each read, 128 KiB by
/// default: a time of its own beside that of the bridge.
const READ: usize = 4 * 1024;
/// ApiVersions 0, number 7, of nobody.
const HELLO: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255];

/// How connections are made.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    address: SocketAddr,
    /// Of the bridge, if there is one.
    token: Option<String>,
}

pub(crate) enum Connection {
    Direct(TcpStream),
    Bridged(Box<WebSocket<TcpStream>>),
}

impl Wire {
    pub(crate) fn direct(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    pub(crate) fn bridged(address: SocketAddr, token: &str) -> Self {
        Self { address, token: Some(token.to_owned()) }
    }

    pub(crate) fn bootstrap(&self) -> &str {
        // The bridge looks at names alone, a direct connection at the address alone: there is one broker.
        "bootstrap:1"
    }

    pub(crate) fn connect_to(&self, host: &str, port: u16) -> Result<Connection> {
        match (&self.token, host) {
            (Some(_), _) | (None, "bootstrap") => self.connect(host),
            (None, _) => Self::direct(format!("{host}:{port}").parse()?).connect(host),
        }
    }

    pub(crate) fn connect(&self, host: &str) -> Result<Connection> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let Some(token) = &self.token else {
            stream.set_nonblocking(true)?;
            return Ok(Connection::Direct(stream));
        };
        let url = format!("ws://{}/v1/kafka/{host}", self.address);
        let mut request = url.into_client_request()?;
        let protocols = format!("klamm.v1, bearer.{token}").parse()?;
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        let config = WebSocketConfig::default().read_buffer_size(READ);
        let handshake = client_with_config(request, stream, Some(config));
        let (socket, _) = handshake.map_err(|error| anyhow!("no WebSocket: {error}"))?;
        socket.get_ref().set_nonblocking(true)?;
        Ok(Connection::Bridged(Box::new(socket)))
    }
}

impl Connection {
    /// Asks what the broker can do, and waits for the answer.
    pub(crate) fn say_hello(&mut self) -> Result<()> {
        self.stream().set_nonblocking(false)?;
        self.write(&HELLO)?;
        if let Self::Bridged(socket) = self {
            socket.flush()?;
        }
        let answer = self.read()?;
        if answer.get(4..8) != Some(&[0, 0, 0, 7][..]) {
            bail!("an answer to something else");
        }
        self.stream().set_nonblocking(true)?;
        Ok(())
    }

    /// What was written before is with the kernel.
    pub(crate) fn has_room(&mut self) -> Result<bool> {
        let Self::Bridged(socket) = self else { return Ok(true) };
        match socket.flush() {
            Ok(()) => Ok(true),
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                Ok(false)
            }
            Err(error) => Err(error).context("the bridge"),
        }
    }

    /// Takes some of the bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Direct(stream) => match stream.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                written => written,
            },
            Self::Bridged(socket) => {
                let piece = &bytes[..bytes.len().min(MESSAGE)];
                match socket.send(Message::Binary(Bytes::copy_from_slice(piece))) {
                    Ok(()) => Ok(piece.len()),
                    // It is in the WebSocket's buffer all the same.
                    Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                        Ok(piece.len())
                    }
                    Err(error) => Err(io::Error::other(error)),
                }
            }
        }
    }

    /// What has come.
    pub(crate) fn read(&mut self) -> io::Result<Bytes> {
        match self {
            Self::Direct(stream) => {
                let mut bytes = vec![0; READ];
                let length = stream.read(&mut bytes)?;
                if length == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                bytes.truncate(length);
                Ok(bytes.into())
            }
            Self::Bridged(socket) => match socket.read() {
                Ok(Message::Binary(bytes)) => Ok(bytes),
                Ok(Message::Close(frame)) => Err(io::Error::other(format!("closed: {frame:?}"))),
                Ok(_) => Err(ErrorKind::WouldBlock.into()),
                Err(tungstenite::Error::Io(error)) => Err(error),
                Err(error) => Err(io::Error::other(error)),
            },
        }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        match self {
            Self::Direct(stream) => stream,
            Self::Bridged(socket) => socket.get_ref(),
        }
    }
}
