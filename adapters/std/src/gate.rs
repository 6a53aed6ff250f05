//! Threads that wait for memory or for a topic, served in the order they came.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::thread::{self, Thread};

use klamm::{ErrorCode, SendError, TopicId};

/// What a blocked `send` waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Gate {
    /// Memory: there is one queue, so that a large record is not overtaken for ever by small ones.
    Memory,
    /// The partitions of a topic: other topics are not held up.
    Topic(TopicId),
    /// Room in the queue of a broker, whichever it is: nobody is held up, and all try again.
    Broker,
}

impl Gate {
    /// The gate that may open after this refusal; `None` for a refusal that waiting does not heal.
    pub(crate) fn of(refusal: SendError, topic: TopicId) -> Option<Self> {
        match refusal {
            SendError::QueueFull { option, .. } if option.starts_with("broker_") => {
                Some(Self::Broker)
            }
            SendError::Full | SendError::QueueFull { .. } => Some(Self::Memory),
            SendError::TopicPending => Some(Self::Topic(topic)),
            // A topic that is just being created; Java's producer waits for it as well.
            SendError::Topic(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::LEADER_NOT_AVAILABLE,
            ) => Some(Self::Topic(topic)),
            _ => None,
        }
    }
}

/// A place in a queue.
pub(crate) struct Ticket {
    gate: Gate,
    number: u64,
}

struct Waiter {
    number: u64,
    thread: Thread,
}

/// All queues. Only the first of a queue is ever woken; leaving the queue, it wakes the next.
#[derive(Default)]
pub(crate) struct Gates {
    memory: VecDeque<Waiter>,
    brokers: VecDeque<Waiter>,
    topics: Vec<(TopicId, VecDeque<Waiter>)>,
}

impl Gates {
    /// Queues the calling thread up, which then parks until it is the first.
    pub(crate) fn join(&mut self, gate: Gate) -> Ticket {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let waiter = Waiter { number, thread: thread::current() };
        match gate {
            Gate::Memory => self.memory.push_back(waiter),
            Gate::Broker => self.brokers.push_back(waiter),
            Gate::Topic(topic) => match self.topics.iter_mut().find(|(id, _)| *id == topic) {
                Some((_, queue)) => queue.push_back(waiter),
                None => self.topics.push((topic, VecDeque::from([waiter]))),
            },
        }
        Ticket { gate, number }
    }

    /// Gives the place up, whatever it is, and lets the next one try.
    pub(crate) fn leave(&mut self, ticket: &Ticket) {
        if let Some(queue) = self.queue_mut(ticket.gate) {
            queue.retain(|waiter| waiter.number != ticket.number);
        }
        self.topics.retain(|(_, queue)| !queue.is_empty());
        self.wake(ticket.gate);
    }

    /// Is it this place's turn?
    pub(crate) fn may_try(&self, ticket: &Ticket) -> bool {
        let first = self.queue(ticket.gate).and_then(VecDeque::front);
        ticket.gate == Gate::Broker || first.is_some_and(|waiter| waiter.number == ticket.number)
    }

    /// Does anyone wait at this gate?
    pub(crate) fn is_crowded(&self, gate: Gate) -> bool {
        self.queue(gate).is_some_and(|queue| !queue.is_empty())
    }

    /// Lets those try again whose turn it is.
    pub(crate) fn wake(&self, gate: Gate) {
        let turn = if gate == Gate::Broker { usize::MAX } else { 1 };
        let queue = self.queue(gate).into_iter().flatten();
        queue.take(turn).for_each(|waiter| waiter.thread.unpark());
    }

    /// The topics that threads wait for.
    pub(crate) fn topics(&self) -> impl Iterator<Item = TopicId> + '_ {
        self.topics.iter().map(|(topic, _)| *topic)
    }

    /// Lets everyone look again: the producer is closed.
    pub(crate) fn wake_all(&self) {
        let topics = self.topics.iter().flat_map(|(_, queue)| queue);
        self.memory
            .iter()
            .chain(&self.brokers)
            .chain(topics)
            .for_each(|waiter| waiter.thread.unpark());
    }

    fn queue(&self, gate: Gate) -> Option<&VecDeque<Waiter>> {
        match gate {
            Gate::Memory => Some(&self.memory),
            Gate::Broker => Some(&self.brokers),
            Gate::Topic(topic) => {
                self.topics.iter().find(|(id, _)| *id == topic).map(|(_, queue)| queue)
            }
        }
    }

    fn queue_mut(&mut self, gate: Gate) -> Option<&mut VecDeque<Waiter>> {
        match gate {
            Gate::Memory => Some(&mut self.memory),
            Gate::Broker => Some(&mut self.brokers),
            Gate::Topic(topic) => {
                self.topics.iter_mut().find(|(id, _)| *id == topic).map(|(_, queue)| queue)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_served_in_the_order_they_were_taken() {
        let mut gates = Gates::default();
        let first = gates.join(Gate::Memory);
        let second = gates.join(Gate::Memory);
        let third = gates.join(Gate::Memory);
        assert!(gates.may_try(&first) && !gates.may_try(&second));
        gates.leave(&second);
        assert!(gates.may_try(&first) && !gates.may_try(&third), "one in the middle gave up");
        gates.leave(&first);
        assert!(gates.may_try(&third));
        gates.leave(&third);
        assert!(!gates.is_crowded(Gate::Memory));
    }

    #[test]
    fn the_next_one_is_woken_by_the_one_before() {
        let mut gates = Gates::default();
        let first = gates.join(Gate::Memory);
        let gates = std::sync::Arc::new(std::sync::Mutex::new(gates));
        let (sender, joined) = std::sync::mpsc::channel();
        let others = std::sync::Arc::clone(&gates);
        let second = thread::spawn(move || {
            let ticket = others.lock().expect("no panic").join(Gate::Memory);
            sender.send(()).expect("the test listens");
            while !others.lock().expect("no panic").may_try(&ticket) {
                thread::park();
            }
        });
        joined.recv().expect("the thread joins the queue");
        gates.lock().expect("no panic").leave(&first);
        second.join().expect("it was woken");
    }

    #[test]
    fn only_what_may_heal_is_waited_for() {
        assert_eq!(Gate::of(SendError::Full, topic()), Some(Gate::Memory));
        assert_eq!(Gate::of(SendError::TopicPending, topic()), Some(Gate::Topic(topic())));
        let creating = SendError::Topic(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(Gate::of(creating, topic()), Some(Gate::Topic(topic())));
        let refused = SendError::Topic(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        assert_eq!(Gate::of(refused, topic()), None);
        assert_eq!(Gate::of(SendError::TooLarge { size: 2, max: 1 }, topic()), None);
    }

    fn topic() -> TopicId {
        let storage = klamm::Storage::boxed(&klamm::Limits::new());
        let config = klamm::Config::new("localhost:9092");
        let now = klamm::Instant::ZERO;
        let mut core = klamm::Producer::new(&config, storage, 1, now).expect("the defaults fit");
        core.topic("t").expect("a legal name")
    }
}
