//! The model cluster behind an embassy-net stack.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::rc::Rc;

use embassy_futures::select::{Either3, select3};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use klamm_sim::cluster::{Cluster, Config, LoggedRecord, PeerId, Pending, TopicConfig};

use crate::executor::spawn;
use crate::stack::HOST;

/// Connections that a node takes at the same time.
const BACKLOG: usize = 3;

/// The brokers; clones are the same ones.
#[derive(Clone)]
pub struct Brokers {
    state: Rc<RefCell<State>>,
}

struct State {
    cluster: Cluster,
    /// Counts changes, so that nobody misses one.
    version: u64,
    waiting: Vec<Waker>,
}

impl Brokers {
    /// So many nodes with the ids from 1 on, which listen on `HOST`, ports from 9093 on: node 1 at
    /// 9093. With a topic `t`.
    #[must_use]
    pub fn new(stack: Stack<'static>, nodes: i32, partitions: i32) -> Self {
        Self::with_config(stack, nodes, partitions, |_| {})
    }

    /// The same, with a configuration that `change` has changed.
    #[must_use]
    pub fn with_config(
        stack: Stack<'static>,
        nodes: i32,
        partitions: i32,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::new(nodes);
        for node in &mut config.nodes {
            node.host = HOST.to_string();
            node.port = port(node.id);
        }
        change(&mut config);
        let mut cluster = Cluster::new(config);
        cluster.create_topic("t", TopicConfig::new(partitions, 3)).expect("a new topic");
        let state = State { cluster, version: 0, waiting: Vec::new() };
        let brokers = Self { state: Rc::new(RefCell::new(state)) };
        for node in 1..=nodes {
            for _ in 0..BACKLOG {
                spawn(brokers.clone().listen(stack, node));
            }
        }
        brokers
    }

    /// Does something with the cluster.
    pub fn with<T>(&self, act: impl FnOnce(&mut Cluster, u64) -> T) -> T {
        let mut state = self.state.borrow_mut();
        let result = act(&mut state.cluster, Instant::now().as_micros());
        state.version += 1;
        let waiting = core::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        result
    }

    /// What is in a partition of `t`.
    #[must_use]
    pub fn log(&self, partition: i32) -> Vec<LoggedRecord> {
        self.state.borrow().cluster.log("t", partition).collect()
    }

    /// The values in a partition of `t`.
    #[must_use]
    pub fn values(&self, partition: i32) -> Vec<Vec<u8>> {
        let value = |record: LoggedRecord| record.value.map(|value| value.to_vec());
        self.log(partition).into_iter().map(|record| value(record).unwrap_or_default()).collect()
    }

    async fn listen(self, stack: Stack<'static>, node: i32) {
        let (mut rx, mut tx) = (vec![0; 8_192], vec![0; 8_192]);
        loop {
            let mut socket = TcpSocket::new(stack, &mut rx, &mut tx);
            socket.set_nagle_enabled(false);
            if socket.accept(port(node)).await.is_err() {
                continue;
            }
            // A node that is down refuses.
            if let Some(peer) = self.with(|cluster, now| cluster.accept(node, now)) {
                self.serve(&mut socket, peer).await;
                self.with(|cluster, _| cluster.disconnect(peer, Pending::Process));
            }
            socket.abort();
            let _ = with_timeout(Duration::from_secs(1), socket.flush()).await;
        }
    }

    /// Until either side closes.
    async fn serve(&self, socket: &mut TcpSocket<'_>, peer: PeerId) {
        let mut bytes = [0; 1_024];
        loop {
            let (answer, closed, deadline, version) = {
                let state = self.state.borrow();
                let answer = state.cluster.readable(peer).to_vec();
                let closed = state.cluster.wants_close(peer);
                (answer, closed, state.cluster.next_deadline(), state.version)
            };
            if !answer.is_empty() {
                let Ok(written) = socket.write(&answer).await else { return };
                self.state.borrow_mut().cluster.consume(peer, written);
                continue;
            }
            if closed {
                return;
            }
            let due = deadline.map_or(Instant::MAX, Instant::from_micros);
            match select3(socket.read(&mut bytes), self.changed(version), Timer::at(due)).await {
                Either3::First(Ok(read)) if read > 0 => {
                    self.with(|cluster, now| cluster.receive(peer, &bytes[..read], now));
                }
                Either3::First(_) => return,
                Either3::Second(()) => {}
                Either3::Third(()) => self.with(|cluster, now| cluster.handle_timeout(now)),
            }
        }
    }

    async fn changed(&self, since: u64) {
        poll_fn(|cx| {
            let mut state = self.state.borrow_mut();
            if state.version != since {
                return Poll::Ready(());
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Where a node listens.
#[must_use]
pub fn port(node: i32) -> u16 {
    u16::try_from(9_092 + node).expect("a few nodes")
}
