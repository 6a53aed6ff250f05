//! A WebSocket that speaks Kafka by hand.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, InitProducerIdRequest, InitProducerIdResponse, RequestHeader,
    ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, encode_request_header_into_buffer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::common::{ORIGIN, token};

/// Longer than anything should take.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// With or without TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<Box<dyn Stream>>,
    /// The answer to the handshake.
    pub(crate) response: Response,
    buffer: BytesMut,
    /// Text messages that came.
    pub(crate) words: Vec<String>,
}

/// How it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Closed {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Client {
    /// A good page with a good token.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        Self::connect(address, "bootstrap", &[("origin", ORIGIN)], &protocols(&token()))
            .await
            .expect("connected")
    }

    pub(crate) async fn open_with(address: SocketAddr, token: &str) -> Self {
        Self::connect(address, "bootstrap", &[("origin", ORIGIN)], &protocols(token))
            .await
            .expect("connected")
    }

    pub(crate) async fn connect(
        address: SocketAddr,
        broker: &str,
        headers: &[(&'static str, &str)],
        protocols: &str,
    ) -> Result<Self, Error> {
        let stream = Box::new(TcpStream::connect(address).await?);
        Self::over(stream, address, broker, headers, protocols).await
    }

    /// Over a connection that is there.
    pub(crate) async fn over(
        stream: Box<dyn Stream>,
        address: SocketAddr,
        broker: &str,
        headers: &[(&'static str, &str)],
        protocols: &str,
    ) -> Result<Self, Error> {
        let url = format!("ws://{address}/v1/kafka/{broker}");
        let mut request = url.into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("header"));
        }
        if !protocols.is_empty() {
            let value = protocols.parse().expect("header");
            request.headers_mut().insert("sec-websocket-protocol", value);
        }
        let (socket, response) = client_async(request, stream).await?;
        Ok(Self { socket, response, buffer: BytesMut::new(), words: Vec::new() })
    }

    pub(crate) async fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), Error> {
        self.socket.send(Message::Binary(bytes.into())).await
    }

    /// Sends a request, and waits for its answer.
    pub(crate) async fn ask<R: Encodable, A: Decodable>(
        &mut self,
        key: ApiKey,
        version: i16,
        body: &R,
    ) -> A {
        self.send(frame(key, version, 1, body)).await.expect("sent");
        let mut answer = self.answer().await.expect("an answer");
        let head = key.response_header_version(version);
        let header = ResponseHeader::decode(&mut answer, head).expect("header");
        assert_eq!(header.correlation_id, 1);
        A::decode(&mut answer, version).expect("body")
    }

    /// The next answer, without its length.
    pub(crate) async fn answer(&mut self) -> Result<Bytes, Closed> {
        loop {
            if let Some(length) = self.buffer.first_chunk::<4>() {
                let length = usize::try_from(i32::from_be_bytes(*length)).expect("length");
                if self.buffer.len() >= 4 + length {
                    let mut frame = self.buffer.split_to(4 + length);
                    return Ok(frame.split_off(4).freeze());
                }
            }
            let bytes = self.next().await?;
            self.buffer.extend_from_slice(&bytes);
        }
    }

    /// The next binary message.
    async fn next(&mut self) -> Result<Bytes, Closed> {
        loop {
            let message = timeout(SOON, self.socket.next()).await.expect("something in time");
            match message {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Text(words))) => self.words.push(words.to_string()),
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(Closed {
                        code: frame.code.into(),
                        reason: frame.reason.to_string(),
                    });
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Closed { code: 1006, reason: String::new() }),
            }
        }
    }

    /// Waits for the end.
    pub(crate) async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.next().await {
                return closed;
            }
        }
    }

    /// A producer id of its own.
    pub(crate) async fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000);
        let answer: InitProducerIdResponse = self.ask(ApiKey::InitProducerId, 4, &request).await;
        assert_eq!(answer.error_code, 0);
        answer.producer_id.0
    }
}

/// The subprotocols of a page with this token.
pub(crate) fn protocols(token: &str) -> String {
    format!("klamm.v1, tickets, bearer.{token}")
}

/// A request with its length.
pub(crate) fn frame<R: Encodable>(
    key: ApiKey,
    version: i16,
    correlation: i32,
    body: &R,
) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(correlation);
    let mut bytes = BytesMut::from(&[0; 4][..]);
    encode_request_header_into_buffer(&mut bytes, &header).expect("header");
    body.encode(&mut bytes, version).expect("body");
    let length = i32::try_from(bytes.len() - 4).expect("length");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes.to_vec()
}

/// A small request that is always answered.
pub(crate) fn hello() -> Vec<u8> {
    frame(ApiKey::ApiVersions, 0, 1, &ApiVersionsRequest::default())
}

/// Plain HTTP: all of the answer.
pub(crate) async fn http(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.expect("connected");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    // A server that closes with bytes unread resets the connection, after its answer.
    let _ = timeout(SOON, socket.read_to_end(&mut answer)).await.expect("an answer in time");
    String::from_utf8(answer).expect("text")
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    http(address, &format!("GET {path} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\r\n"))
        .await
}
