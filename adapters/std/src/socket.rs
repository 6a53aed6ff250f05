//! One connection's socket: resolving, connecting, moving bytes. It knows nothing of Kafka.

use core::net::SocketAddr;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use klamm_host::{ConnectionError, Fact, Link, Outbox, Route};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::resolve::{Answer, Resolver};

/// What `read` came to.
pub(crate) enum Incoming {
    Bytes(usize),
    /// Nothing for now, or the connection is lost, which `take_fact` will tell.
    Nothing,
}

enum State {
    Closed,
    Resolving(u64),
    Connecting(TcpStream, SocketAddr),
    Open(TcpStream),
}

pub(crate) struct Socket {
    token: Token,
    state: State,
    fact: Option<Fact>,
    route: Route,
    out: Outbox,
    readable: bool,
    /// The peer has sent its last byte, or there is an error to be read: no event will say so again.
    ended: bool,
    writable: bool,
    heard: bool,
    /// There was no room when some was asked for.
    asked: bool,
}

/// Does a poller of this system tell of every byte that comes? Then a read of fewer bytes than asked
/// for has read all there are, and one more only to hear that is a system call in vain.
const TELLS_OF_EACH: bool =
    cfg!(any(target_os = "linux", target_os = "android", target_vendor = "apple"));

impl Socket {
    pub(crate) fn new(token: Token) -> Self {
        Self {
            token,
            state: State::Closed,
            fact: None,
            route: Route::default(),
            out: Outbox::default(),
            readable: false,
            ended: false,
            writable: false,
            heard: false,
            asked: false,
        }
    }

    /// Starts to connect to a host, by asking for its addresses.
    pub(crate) fn dial(&mut self, host: String, port: u16, resolver: &mut Resolver) {
        self.reset();
        self.state = State::Resolving(resolver.ask(&host, port));
        self.route.set(host, port);
    }

    /// Takes the resolver's answer, if it is to this socket's question, and tries the first
    /// address.
    pub(crate) fn resolved(&mut self, answer: &Answer, registry: &Registry) {
        if !matches!(self.state, State::Resolving(question) if question == answer.question) {
            return;
        }
        match &answer.addresses {
            Ok(addresses) => {
                self.route.found(addresses.iter().copied());
                self.try_next(registry);
            }
            Err(error) => self.fail_io(error),
        }
    }

    /// Takes an event of the poller. `closed`: there will be no more to read than there is.
    pub(crate) fn handle_event(
        &mut self,
        readable: bool,
        closed: bool,
        writable: bool,
        registry: &Registry,
    ) {
        self.readable |= readable || closed;
        self.ended |= closed;
        self.writable |= writable;
        if let State::Connecting(stream, _) = &self.state
            && let Some(outcome) = connect_outcome(stream)
        {
            self.connected(outcome, registry);
        }
    }

    /// Writes what the kernel takes. Was it anything?
    pub(crate) fn write(&mut self) -> bool {
        let mut moved = false;
        while self.writable && !self.out.is_empty() {
            let State::Open(stream) = &mut self.state else { break };
            match stream.write(self.out.rest()) {
                Ok(0) => self.fail("the socket takes no more bytes"),
                Ok(bytes) => {
                    moved = true;
                    self.out.wrote(bytes);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.fail_io(&error),
            }
        }
        moved
    }

    /// Was there no room when some was asked for? Forgets that.
    pub(crate) fn was_asked(&mut self) -> bool {
        core::mem::take(&mut self.asked)
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Incoming {
        while self.readable {
            let State::Open(stream) = &mut self.state else { break };
            match stream.read(buffer) {
                Ok(0) if self.heard => self.fail("the broker closed the connection"),
                Ok(0) => self.fail("the connection was closed without an answer"),
                Ok(bytes) => {
                    self.heard = true;
                    self.readable = self.ended || bytes == buffer.len() || !TELLS_OF_EACH;
                    return Incoming::Bytes(bytes);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.fail_io(&error),
            }
        }
        Incoming::Nothing
    }

    /// Ends an idle connection in peace: what was written still arrives.
    pub(crate) fn shut_down(&mut self) {
        if let State::Open(stream) = &self.state {
            // It may be gone already, which is as good.
            let _ = stream.shutdown(Shutdown::Write);
        }
        self.state = State::Closed;
    }

    pub(crate) fn has_fact(&self) -> bool {
        self.fact.is_some()
    }

    /// Is there something that needs no event to go on?
    pub(crate) fn is_ready(&self) -> bool {
        self.fact.is_some() || (self.readable && matches!(self.state, State::Open(_)))
    }

    fn try_next(&mut self, registry: &Registry) {
        while let Some(address) = self.route.next_address() {
            match connect(address, self.token, registry) {
                Ok(stream) => {
                    self.state = State::Connecting(stream, address);
                    return;
                }
                Err(error) => self.route.note_io(Some(address), &error),
            }
        }
        self.state = State::Closed;
        self.fact = Some(Fact::Lost);
    }

    fn connected(&mut self, outcome: io::Result<()>, registry: &Registry) {
        let State::Connecting(stream, address) = core::mem::replace(&mut self.state, State::Closed)
        else {
            return;
        };
        match outcome {
            Ok(()) => {
                // Requests are written whole: waiting for more bytes only delays the last segment.
                // A kernel that refuses the option costs latency, not correctness.
                let _ = stream.set_nodelay(true);
                self.state = State::Open(stream);
                self.route.connected();
                self.writable = true;
                self.fact = Some(Fact::Connected);
            }
            Err(error) => {
                drop(stream);
                self.route.note_io(Some(address), &error);
                (self.readable, self.ended, self.writable) = (false, false, false);
                self.try_next(registry);
            }
        }
    }

    fn fail(&mut self, message: &str) {
        self.route.note(None, message);
        self.lose();
    }

    fn fail_io(&mut self, error: &io::Error) {
        self.route.note_io(None, error);
        self.lose();
    }

    fn lose(&mut self) {
        self.reset();
        self.fact = Some(Fact::Lost);
    }

    /// Keeps what went wrong.
    pub(crate) fn note(&mut self, message: &str) {
        self.route.note(None, message);
    }

    /// Forgets the connection, but not the host.
    fn reset(&mut self) {
        if let State::Open(stream) = &self.state {
            // Closing is not enough: a forked child has a copy of the socket, which keeps the
            // connection open. It may be gone already, which is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.state = State::Closed;
        self.fact = None;
        self.route.done();
        self.out.clear();
        (self.readable, self.ended) = (false, false);
        (self.writable, self.heard) = (false, false);
    }
}

impl Link for Socket {
    fn take_fact(&mut self) -> Option<Fact> {
        self.fact.take()
    }

    fn take_error(&mut self) -> Option<ConnectionError> {
        self.route.take_error()
    }

    fn room(&mut self) -> Option<&mut [u8]> {
        if !matches!(self.state, State::Open(_)) || self.fact.is_some() {
            return None;
        }
        self.asked = !self.out.is_empty();
        self.out.room()
    }

    fn fill(&mut self, bytes: usize) {
        self.out.fill(bytes);
    }

    fn close(&mut self) {
        match &self.state {
            State::Connecting(_, address) => self.route.kept_silent(*address),
            State::Open(_) if !self.heard => {
                self.note("connected, but no answer: is it a Kafka broker without TLS?");
            }
            State::Resolving(_) => self.note("no answer from the name resolver"),
            State::Open(_) | State::Closed => {}
        }
        self.reset();
    }

    fn is_drained(&self) -> bool {
        self.out.is_empty()
    }
}

fn connect(address: SocketAddr, token: Token, registry: &Registry) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

/// `None` while the connection is still being made.
fn connect_outcome(stream: &TcpStream) -> Option<io::Result<()>> {
    match stream.take_error() {
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
        Ok(None) => {}
    }
    match stream.peer_addr() {
        Ok(_) => Some(Ok(())),
        // An event of the socket that had this token before, or a spurious one.
        Err(error) if error.kind() == ErrorKind::NotConnected => None,
        Err(error) => Some(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;
    use core::time::Duration;
    use std::net::TcpListener;
    use std::sync::Arc;

    use mio::{Events, Poll, Waker};

    use super::*;

    /// A socket with a poller of its own.
    struct Rig {
        poll: Poll,
        resolver: Resolver,
        socket: Socket,
    }

    impl Rig {
        fn new() -> Self {
            let poll = Poll::new().expect("a poller");
            let waker = Arc::new(Waker::new(poll.registry(), Token(9)).expect("a waker"));
            Self { poll, resolver: Resolver::new(waker), socket: Socket::new(Token(0)) }
        }

        fn dial(&mut self, addresses: &[SocketAddr]) {
            // A literal address, so that nobody asks a name server; what it "resolves" to is ours.
            self.socket.dial("127.0.0.9".into(), 9092, &mut self.resolver);
            let State::Resolving(question) = self.socket.state else { panic!("not resolving") };
            let addresses = Ok(addresses.to_vec());
            self.socket.resolved(&Answer { question, addresses }, self.poll.registry());
        }

        /// Takes events until `done` gives something.
        fn until<T>(&mut self, mut done: impl FnMut(&mut Socket) -> Option<T>) -> T {
            let mut events = Events::with_capacity(8);
            for _ in 0..100 {
                if let Some(value) = done(&mut self.socket) {
                    return value;
                }
                let limit = Some(Duration::from_secs(10));
                self.poll.poll(&mut events, limit).expect("the poller works");
                assert!(!events.is_empty(), "nothing happens");
                for event in events.iter().filter(|event| event.token() == Token(0)) {
                    let (read, write) = (event.is_readable(), event.is_writable());
                    let closed = event.is_read_closed() || event.is_error();
                    self.socket.handle_event(read, closed, write, self.poll.registry());
                }
            }
            panic!("100 rounds were not enough");
        }
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    /// An address at which nobody listens.
    fn refusing() -> SocketAddr {
        klamm_sim::dev_broker::nobody().expect("a free port")
    }

    #[test]
    fn the_next_address_is_tried_when_one_refuses() {
        let mut rig = Rig::new();
        let (listener, address) = listener();
        rig.dial(&[refusing(), refusing(), address]);
        assert_eq!(rig.until(Socket::take_fact), Fact::Connected);
        let (_, peer) = listener.accept().expect("the socket connects");
        assert!(peer.ip().is_loopback());
    }

    #[test]
    fn lost_when_no_address_answers_and_the_error_names_host_and_address() {
        let mut rig = Rig::new();
        let address = refusing();
        rig.dial(&[refusing(), address]);
        assert_eq!(rig.until(Socket::take_fact), Fact::Lost);
        let error = rig.socket.take_error().expect("an error");
        assert_eq!(error.to_string(), format!("127.0.0.9:9092 ({address}): connection refused"));
        rig.dial(&[]);
        assert_eq!(rig.socket.take_fact(), Some(Fact::Lost));
        let error = rig.socket.take_error().expect("an error");
        assert_eq!(error.to_string(), "127.0.0.9:9092: the name has no address");
    }

    #[test]
    fn an_address_that_kept_silent_comes_last_next_time() {
        let mut rig = Rig::new();
        let ((_one, first), (_two, second), (_three, third)) = (listener(), listener(), listener());
        let target = |rig: &Rig| match &rig.socket.state {
            State::Connecting(_, address) => *address,
            _ => panic!("not connecting"),
        };
        for expected in [first, second, third, first] {
            rig.dial(&[first, second, third]);
            assert_eq!(target(&rig), expected);
            rig.socket.close();
        }
    }

    #[test]
    fn an_answer_to_an_older_question_is_ignored() {
        let mut rig = Rig::new();
        rig.socket.dial("127.0.0.1".into(), 1, &mut rig.resolver);
        let old: Vec<Answer> = rig.resolver.answers().collect();
        rig.socket.close();
        rig.socket.dial("127.0.0.1".into(), 1, &mut rig.resolver);
        old.iter().for_each(|answer| rig.socket.resolved(answer, rig.poll.registry()));
        assert!(matches!(rig.socket.state, State::Resolving(_)));
    }

    /// The end may come with the last bytes: then no event follows that would tell of it.
    #[test]
    fn an_end_that_came_with_bytes_is_read_behind_them() {
        let mut rig = Rig::new();
        let (listener, address) = listener();
        rig.dial(&[address]);
        assert_eq!(rig.until(Socket::take_fact), Fact::Connected);
        let (mut peer, _) = listener.accept().expect("the socket connects");
        peer.write_all(b"bye").expect("the socket reads");
        peer.shutdown(Shutdown::Write).expect("it is open");
        // By now both are here, and one event tells of both.
        let mut buffer = [0; 16];
        let fact = rig.until(|socket| {
            while let Incoming::Bytes(bytes) = socket.read(&mut buffer) {
                assert_eq!(&buffer[..bytes], b"bye");
            }
            socket.take_fact()
        });
        assert_eq!(fact, Fact::Lost);
    }

    #[test]
    fn bytes_go_both_ways_and_the_end_is_noticed() {
        let mut rig = Rig::new();
        let (listener, address) = listener();
        rig.dial(&[address]);
        assert_eq!(rig.until(Socket::take_fact), Fact::Connected);
        let (mut peer, _) = listener.accept().expect("the socket connects");
        let room = rig.socket.room().expect("an open socket with nothing to write");
        room[..5].copy_from_slice(b"hello");
        rig.socket.fill(5);
        assert!(rig.socket.room().is_none(), "one request at a time");
        assert!(rig.socket.write());
        assert!(rig.socket.is_drained());
        let mut heard = [0; 5];
        peer.read_exact(&mut heard).expect("the bytes come");
        assert_eq!(&heard, b"hello");

        peer.write_all(b"world").expect("the socket reads");
        let mut buffer = [0; 16];
        let bytes = rig.until(|socket| match socket.read(&mut buffer) {
            Incoming::Bytes(bytes) => Some(bytes),
            Incoming::Nothing => None,
        });
        assert_eq!(&buffer[..bytes], b"world");
        drop(peer);
        let fact = rig.until(|socket| {
            assert!(matches!(socket.read(&mut [0; 16]), Incoming::Nothing));
            socket.take_fact()
        });
        assert_eq!(fact, Fact::Lost);
        let error = rig.socket.take_error().expect("an error");
        assert_eq!(error.message, "the broker closed the connection");
    }
}
