//! S23: what one page writes never gets into another one's request, also where the first one ends in the middle.

use core::net::SocketAddr;
use core::time::Duration;

use kafka_protocol::messages::ApiKey;
use klamm_bridge::{Bridge, Clock};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::client::{Client, SOON, frame};
use crate::common::{TOPIC, claims, config, token_of};
use crate::records::request;

/// More than the sockets between bridge and broker keep.
const LARGE: usize = 8_000_000;

/// Answers ApiVersions. Of Produce requests it takes the first bytes, and the rest when it is told to.
struct Broker {
    address: SocketAddr,
    /// Everything of each connection with Produce requests, at its end.
    connections: mpsc::UnboundedReceiver<Vec<u8>>,
    /// The first bytes of a request are here; and once more, all of it.
    begun: mpsc::UnboundedReceiver<()>,
    go_on: watch::Sender<bool>,
}

impl Broker {
    async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = mpsc::unbounded_channel();
        let (beginning, begun) = mpsc::unbounded_channel();
        let (go_on, going) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, beginning, going) = (seen.clone(), beginning.clone(), going.clone());
                tokio::spawn(async move {
                    if let Some(bytes) = serve(socket, beginning, going).await {
                        let _ = seen.send(bytes);
                    }
                });
            }
        });
        Self { address, connections, begun, go_on }
    }
}

/// All bytes from the first Produce request on; `None`: there was none.
async fn serve(
    mut socket: TcpStream,
    beginning: mpsc::UnboundedSender<()>,
    mut going: watch::Receiver<bool>,
) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; 12];
        socket.read_exact(&mut head).await.ok()?;
        if head[4..6] == [0, 0] {
            beginning.send(()).ok()?;
            going.wait_for(|go| *go).await.ok()?;
            let mut all = head.to_vec();
            let length =
                usize::try_from(i32::from_be_bytes(head[..4].try_into().unwrap())).unwrap();
            // A bridge that gives a request up may reset its connection.
            while all.len() < 4 + length {
                if socket.read_buf(&mut all).await.ok().filter(|bytes| *bytes > 0).is_none() {
                    return Some(all);
                }
            }
            beginning.send(()).ok()?;
            let _ = socket.read_to_end(&mut all).await;
            return Some(all);
        }
        let length = usize::try_from(i32::from_be_bytes(head[..4].try_into().unwrap())).unwrap();
        let mut rest = vec![0; length - 8];
        socket.read_exact(&mut rest).await.ok()?;
        if head[4..6] != [0, 18] {
            continue;
        }
        let mut answer = vec![0, 0, 0, 34];
        answer.extend_from_slice(&head[8..12]);
        answer.extend_from_slice(&[0, 0, 0, 0, 0, 4]);
        for (key, most) in [(0_u8, 9_u8), (3, 9), (18, 3), (22, 4)] {
            answer.extend_from_slice(&[0, key, 0, 0, 0, most]);
        }
        socket.write_all(&answer).await.ok()?;
    }
}

async fn open(bridge: &Bridge, subject: &str, topic: &str) -> Client {
    let mut claims = claims();
    (claims["sub"], claims["topics"]) = (json!(subject), json!([topic]));
    Client::open_with(bridge.address(), &token_of(&claims)).await
}

/// A large Produce request of one letter, without a producer id.
async fn send(page: &mut Client, topic: &str, letter: &str) {
    let body = request(topic, -1, 0, &letter.repeat(LARGE));
    for piece in frame(ApiKey::Produce, 9, 1, &body).chunks(60_000) {
        page.send(piece.to_vec()).await.unwrap();
    }
}

/// Alice's request stops in the middle, where `ends` ends it; then comes Bob's.
async fn alice_ends_while_she_is_written(ends: impl AsyncFnOnce(Client, &Clock)) {
    let mut broker = Broker::start().await;
    let clock = Clock::default();
    let mut config = config(broker.address);
    config.limits.ping_s = 1;
    config.limits.bytes_per_s = 0;
    (config.limits.request, config.limits.uncompressed) = (LARGE + (1 << 20), LARGE + (1 << 20));
    // One request, and not a second one beside it.
    config.limits.requests_in_flight = config.limits.request;
    let bridge = Bridge::start(config, false, clock.clone()).await.unwrap();
    let mut alice = open(&bridge, "alice", TOPIC).await;
    send(&mut alice, TOPIC, "a").await;
    timeout(SOON, broker.begun.recv()).await.expect("Alice's request arrives");
    ends(alice, &clock).await;

    let mut bob = open(&bridge, "bob", "other").await;
    send(&mut bob, "other", "b").await;
    timeout(SOON, broker.begun.recv()).await.expect("Bob's request arrives");
    broker.go_on.send(true).unwrap();
    let hers = timeout(SOON, broker.connections.recv()).await.expect("hers ends").unwrap();
    timeout(SOON, broker.begun.recv()).await.expect("all of Bob's request arrives");
    drop(bob);
    let his = timeout(SOON, broker.connections.recv()).await.expect("his ends").unwrap();

    let said = |bytes: &[u8]| usize::try_from(i32::from_be_bytes(bytes[..4].try_into().unwrap()));
    // Hers is cut off, and nothing stands where its rest would be.
    assert!(hers.len() < 4 + said(&hers).unwrap(), "{} bytes: it was not cut off", hers.len());
    assert!(contains(&hers, TOPIC.as_bytes()) && !contains(&hers, b"other"));
    assert!(!contains(&hers, b"bbbb"), "Bob's bytes in Alice's request");
    // His is whole.
    assert_eq!(his.len(), 4 + said(&his).unwrap());
    assert!(contains(&his, b"other") && !contains(&his, TOPIC.as_bytes()));
    assert!(!contains(&his, b"aaaa"), "Alice's bytes in Bob's request");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_page_that_leaves_while_it_is_written_leaves_nothing_behind() {
    alice_ends_while_she_is_written(async |alice, _| {
        drop(alice);
        sleep(Duration::from_millis(100)).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_that_ends_while_it_is_written_leaves_nothing_behind() {
    alice_ends_while_she_is_written(async |mut alice, clock| {
        clock.shift(631_000);
        assert_eq!(alice.closed().await.code, 4401);
        clock.shift(-631_000);
    })
    .await;
}
