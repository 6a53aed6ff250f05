//! A TCP socket as embedded-tls wants one that is read and written at the same time: of two halves,
//! and as many copies as it likes.

use embassy_net::tcp::{Error, TcpReader, TcpSocket, TcpWriter};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_io_async::{ErrorType, Read, Write};

pub(crate) struct Socket<'s> {
    reader: Mutex<NoopRawMutex, TcpReader<'s>>,
    writer: Mutex<NoopRawMutex, TcpWriter<'s>>,
}

impl<'s> Socket<'s> {
    pub(crate) fn new(socket: &'s mut TcpSocket<'_>) -> Self {
        let (reader, writer) = socket.split();
        Self { reader: Mutex::new(reader), writer: Mutex::new(writer) }
    }
}

impl ErrorType for &Socket<'_> {
    type Error = Error;
}

impl Read for &Socket<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        self.reader.lock().await.read(bytes).await
    }
}

impl Write for &Socket<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.writer.lock().await.write(bytes).await
    }

    /// smoltcp sends what it has; its own flush waits until the peer has it, which nobody needs.
    async fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
