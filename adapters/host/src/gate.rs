//! Senders that wait for memory or for a topic, served in the order they came.

use core::task::Waker;
use std::collections::VecDeque;

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
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) gate: Gate,
    number: u64,
}

struct Waiter {
    number: u64,
    waker: Waker,
}

/// All queues. Only the first of a queue is ever woken (but all at `Gate::Broker`); leaving the queue, it wakes the next: so
/// nobody is forgotten, whoever gives up, and those that fit into one batch come right behind each
/// other.
#[derive(Default)]
pub(crate) struct Gates {
    memory: VecDeque<Waiter>,
    brokers: VecDeque<Waiter>,
    topics: Vec<(TopicId, VecDeque<Waiter>)>,
    next: u64,
    /// To be called when the lock around all this is given back: wakers run foreign code.
    due: Vec<Waker>,
}

impl Gates {
    /// Queues someone up, who then waits to be the first.
    pub(crate) fn join(&mut self, gate: Gate, waker: Waker) -> Ticket {
        let number = self.next;
        self.next += 1;
        let waiter = Waiter { number, waker };
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
        if let Some(queue) = self.queue_mut(ticket.gate)
            && let Ok(place) = queue.binary_search_by_key(&ticket.number, |waiter| waiter.number)
        {
            queue.remove(place);
        }
        self.topics.retain(|(_, queue)| !queue.is_empty());
        self.wake(ticket.gate);
    }

    /// Whom to wake at this place from now on.
    pub(crate) fn set_waker(&mut self, ticket: &Ticket, waker: &Waker) {
        if let Some(queue) = self.queue_mut(ticket.gate)
            && let Ok(place) = queue.binary_search_by_key(&ticket.number, |waiter| waiter.number)
        {
            queue[place].waker.clone_from(waker);
        }
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

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        let broad = self.memory.len() + self.brokers.len();
        broad + self.topics.iter().map(|(_, queue)| queue.len()).sum::<usize>()
    }

    /// Lets those try again whose turn it is.
    pub(crate) fn wake(&mut self, gate: Gate) {
        let turn = if gate == Gate::Broker { usize::MAX } else { 1 };
        let queue = self.queue(gate).into_iter().flatten().take(turn);
        let due: Vec<Waker> = queue.map(|waiter| waiter.waker.clone()).collect();
        self.due.extend(due);
    }

    /// The topics that someone waits for.
    pub(crate) fn topics(&self) -> Vec<TopicId> {
        self.topics.iter().map(|(topic, _)| *topic).collect()
    }

    /// Lets everyone look again: the producer is closed, or its driver has ended.
    pub(crate) fn wake_all(&mut self) {
        let topics = self.topics.iter().flat_map(|(_, queue)| queue);
        let all = self.memory.iter().chain(&self.brokers).chain(topics);
        self.due.extend(all.map(|waiter| waiter.waker.clone()));
    }

    /// Those to be woken now.
    pub(crate) fn take_due(&mut self) -> Vec<Waker> {
        core::mem::take(&mut self.due)
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
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn join(gates: &mut Gates) -> (Ticket, Arc<Count>) {
        let count = Arc::<Count>::default();
        (gates.join(Gate::Memory, Waker::from(Arc::clone(&count))), count)
    }

    fn woken(gates: &mut Gates, count: &Count) -> bool {
        gates.take_due().into_iter().for_each(Waker::wake);
        count.0.swap(0, Ordering::Relaxed) > 0
    }

    #[test]
    fn places_are_served_in_the_order_they_were_taken() {
        let mut gates = Gates::default();
        let [(first, _), (second, _), (third, _)] = core::array::from_fn(|_| join(&mut gates));
        assert!(gates.may_try(&first) && !gates.may_try(&second));
        gates.leave(&second);
        assert!(gates.may_try(&first) && !gates.may_try(&third), "one in the middle gave up");
        gates.leave(&first);
        assert!(gates.may_try(&third));
        gates.leave(&third);
        assert!(!gates.is_crowded(Gate::Memory));
    }

    #[test]
    fn only_the_first_is_woken_and_whoever_leaves_wakes_the_first() {
        let mut gates = Gates::default();
        let [(first, one), (second, two), (third, three)] =
            core::array::from_fn(|_| join(&mut gates));
        gates.wake(Gate::Memory);
        assert!(woken(&mut gates, &one));
        assert!(!woken(&mut gates, &two) && !woken(&mut gates, &three));
        // Woken and gone without having looked: the next one must not wait for another wake.
        gates.leave(&first);
        assert!(woken(&mut gates, &two));
        gates.leave(&third);
        assert!(woken(&mut gates, &two), "harmless");
        gates.leave(&second);
        assert!(gates.take_due().is_empty());
    }

    #[test]
    fn a_place_has_the_waker_that_was_set_last() {
        let mut gates = Gates::default();
        let (first, old) = join(&mut gates);
        let new = Arc::<Count>::default();
        gates.set_waker(&first, &Waker::from(Arc::clone(&new)));
        gates.wake_all();
        assert!(woken(&mut gates, &new));
        assert!(!woken(&mut gates, &old));
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
