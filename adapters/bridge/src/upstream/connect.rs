//! Opening a connection to a broker: TCP, TLS, what it can do, SASL.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::egress::Egress;
use super::sasl::Sasl;
use crate::kafka::api_versions::Offer;
use crate::kafka::{Api, Reader, Writer};

/// Longest answer while a connection is being opened.
const MAX_ANSWER: usize = 64 * 1024;

/// A connection's bytes, with or without TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A stream of bytes to a broker.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<dyn Io>),
}

/// A connection that is ready for requests.
pub(crate) struct Open {
    pub(crate) stream: Stream,
    pub(crate) offer: Offer,
}

/// How connections are opened.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) sasl: Sasl,
    pub(crate) egress: Egress,
    /// For all of it.
    pub(crate) timeout: Duration,
}

/// Why there is no connection. For the log: pages are told less.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// A host that the bridge may not connect to.
    Egress,
    Io(io::Error),
    Timeout,
    /// The broker does not speak Kafka's protocol, or speaks it without TLS where there should be.
    Protocol,
    Sasl(String),
}

impl Connector {
    pub(crate) async fn open(&self, host: &str, port: u16) -> Result<Open, ConnectError> {
        let opening = Box::pin(self.open_in_time(host, port));
        timeout(self.timeout, opening).await.map_err(|_| ConnectError::Timeout)?
    }

    async fn open_in_time(&self, host: &str, port: u16) -> Result<Open, ConnectError> {
        let tcp = self.dial(host, port).await?;
        // Requests are written whole; a kernel that refuses costs latency, no more.
        let _ = tcp.set_nodelay(true);
        let mut stream = match &self.tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                let tls = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await?;
                Stream::Tls(Box::new(tls))
            }
        };
        let offer = versions(&mut stream).await?;
        self.sasl.run(&mut stream).await?;
        Ok(Open { stream, offer })
    }

    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        if !self.egress.allows(host) {
            return Err(ConnectError::Egress);
        }
        let mut problem = ConnectError::Egress;
        for address in lookup_host((host, port)).await? {
            // What was looked up is what is connected to: no second answer can differ.
            if self.egress.allows_address(host, address.ip()) {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => problem = ConnectError::Io(error),
                }
            }
        }
        Err(problem)
    }
}

/// ApiVersions 0: every broker answers it, before SASL, too.
async fn versions(stream: &mut Stream) -> Result<Offer, ConnectError> {
    let answer = ask(stream, Api::ApiVersions.key(), 0, &[]).await?;
    Ok(Offer::read(Reader::new(&answer, false))?)
}

/// One request, none of them flexible, and its answer's body.
pub(crate) async fn ask(
    stream: &mut Stream,
    key: i16,
    version: i16,
    body: &[u8],
) -> Result<Vec<u8>, ConnectError> {
    let mut request = Writer::new(false);
    request.i16(key);
    request.i16(version);
    request.i32(0);
    request.string("klamm-bridge");
    request.raw(body);
    let request = request.frame().ok_or(ConnectError::Protocol)?;
    let io: &mut dyn Io = match stream {
        Stream::Plain(tcp) => tcp,
        Stream::Tls(tls) => tls,
    };
    io.write_all(&request).await?;
    io.flush().await?;
    let length = usize::try_from(io.read_i32().await?).map_err(|_| ConnectError::Protocol)?;
    if length > MAX_ANSWER {
        return Err(ConnectError::Protocol);
    }
    let mut answer = vec![0; length];
    io.read_exact(&mut answer).await?;
    match answer.split_first_chunk::<4>() {
        Some(([0, 0, 0, 0], body)) => Ok(body.to_vec()),
        _ => Err(ConnectError::Protocol),
    }
}

impl Stream {
    /// Reading and writing together.
    pub(crate) fn into_io(self) -> Box<dyn Io> {
        match self {
            Self::Plain(tcp) => Box::new(tcp),
            Self::Tls(tls) => tls,
        }
    }

    /// Reading and writing apart.
    pub(crate) fn split(
        self,
    ) -> (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>) {
        match self {
            Self::Plain(tcp) => {
                let (read, write) = tcp.into_split();
                (Box::new(read), Box::new(write))
            }
            Self::Tls(tls) => {
                let (read, write) = tokio::io::split(tls);
                (Box::new(read), Box::new(write))
            }
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Egress => f.write_str(
                "the bridge may not connect there; if it is a broker, add its host to kafka.hosts",
            ),
            Self::Io(error) => error.fmt(f),
            Self::Timeout => f.write_str("no connection in time"),
            Self::Protocol => {
                f.write_str("what answered is no Kafka broker, or one with TLS: see kafka.tls")
            }
            Self::Sasl(why) => write!(f, "SASL: {why}"),
        }
    }
}
