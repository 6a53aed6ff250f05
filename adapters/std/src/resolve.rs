//! Host names to addresses. The system's resolver blocks, for half a minute at worst: never on the
//! driver's thread.

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::Waker;

/// The answer to the question with this number.
pub(crate) struct Answer {
    pub(crate) question: u64,
    pub(crate) addresses: io::Result<Vec<SocketAddr>>,
}

/// Asks the system, one short-lived thread a question: there is one per dialed connection, and a
/// name that hangs must not hold up another.
pub(crate) struct Resolver {
    answers: Receiver<Answer>,
    sender: Sender<Answer>,
    waker: Arc<Waker>,
    next: u64,
}

impl Resolver {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let (sender, answers) = channel();
        Self { answers, sender, waker, next: 0 }
    }

    /// Asks for the addresses of a host, every time anew: they may have changed since the last
    /// connection (a broker in a container that was restarted). The answer comes with this number.
    pub(crate) fn ask(&mut self, host: &str, port: u16) -> u64 {
        self.next += 1;
        let question = self.next;
        if let Ok(ip) = host.parse::<IpAddr>() {
            self.put(Answer { question, addresses: Ok(vec![SocketAddr::new(ip, port)]) });
            return question;
        }
        let (sender, waker, name) = (self.sender.clone(), Arc::clone(&self.waker), host.to_owned());
        let look_up = move || {
            let addresses = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
            // Nobody listens any more when the driver has ended meanwhile.
            if sender.send(Answer { question, addresses }).is_ok() {
                let _ = waker.wake();
            }
        };
        if let Err(error) = thread::Builder::new().name("klamm-dns".into()).spawn(look_up) {
            self.put(Answer { question, addresses: Err(error) });
        }
        question
    }

    pub(crate) fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        self.answers.try_iter()
    }

    fn put(&self, answer: Answer) {
        // Both ends are ours.
        let _ = self.sender.send(answer);
        let _ = self.waker.wake();
    }
}
