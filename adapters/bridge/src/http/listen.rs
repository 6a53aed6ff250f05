//! Accepting connections: who is let in, and how long the beginning may take.

use core::convert::Infallible;
use core::net::SocketAddr;
use core::pin::pin;
use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::meter::{Meter, Metered};
use super::{Peer, Tls};
use crate::limits::{Held, Refused};
use crate::shared::Shared;

/// Bytes and lines of a request's head.
const MAX_HEAD: usize = 8 * 1024;
const MAX_HEADERS: usize = 64;
/// After an error of the listener (too many open files), so long nobody is accepted.
const RECOVER: Duration = Duration::from_millis(100);

/// What listens, and what it serves.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) router: Router,
    /// Its connections are counted and bounded.
    pub(crate) counted: bool,
}

/// Accepts until the bridge goes away.
pub(crate) async fn serve(shared: Arc<Shared>, listener: Listener) {
    let mut draining = pin!(shared.draining());
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = &mut draining => return,
        };
        match accepted {
            Ok((socket, address)) => begin(&shared, &listener, socket, address),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(RECOVER).await;
            }
        }
    }
}

fn begin(shared: &Arc<Shared>, listener: &Listener, socket: TcpStream, address: SocketAddr) {
    let counts = if listener.counted { &shared.counts } else { &shared.uncounted };
    let held = match counts.connect(address.ip()) {
        Ok(held) => held,
        // Without a word, which would cost more than it is worth.
        Err(Refused::Total) => return shared.metrics.turn_away("connections"),
        Err(Refused::Address) => return shared.metrics.turn_away("address"),
    };
    let (tls, router) = (listener.tls.clone(), listener.router.clone());
    tokio::spawn(connection(Arc::clone(shared), socket, address, held, tls, router));
}

async fn connection(
    shared: Arc<Shared>,
    socket: TcpStream,
    address: SocketAddr,
    held: Held,
    tls: Option<Arc<Tls>>,
    router: Router,
) {
    // Answers are written whole; a kernel that refuses costs latency, no more.
    let _ = socket.set_nodelay(true);
    let meter = Arc::<Meter>::default();
    let peer = Peer { address, meter: Arc::clone(&meter) };
    let stream = Metered::new(socket, meter, held);
    let Some(tls) = tls else { return http(&shared, stream, peer, router).await };
    let limit = Duration::from_secs(shared.config.limits.handshake_s);
    match timeout(limit, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => http(&shared, stream, peer, router).await,
        Ok(Err(_)) | Err(_) => shared.metrics.turn_away("tls"),
    }
}

async fn http<S>(shared: &Shared, stream: S, peer: Peer, router: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let answering = router.call(request);
        async move { Ok::<Response<Body>, Infallible>(answering.await.unwrap_or_default()) }
    });
    let limit = Duration::from_secs(shared.config.limits.handshake_s);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // An error is the client's: it went away, or was too slow or no HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shared.draining() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
