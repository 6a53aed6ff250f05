//! Drivers that die, and who starts the next one: with a driver that does nothing by itself.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Poll, Waker};
use std::io;
use std::sync::{Arc, Barrier, Mutex, MutexGuard};
use std::thread;

use klamm::{Reason, Record};
use klamm_host::{
    BuildError, Builder, ConnectionError, DeliveryError, Driver, Engine, Fact, Handle, KeepRecords,
    Link, Operation, Options, SendError, Shared, Start, Target, Unborn,
};

/// Keeps the engine; what becomes of it is the test's business.
#[derive(Clone, Default)]
struct Idle(Arc<Kept>);

#[derive(Default)]
struct Kept {
    engine: Mutex<Option<Engine>>,
    starts: AtomicUsize,
    fault: Mutex<Fault>,
}

#[derive(Clone, Copy, Default)]
enum Fault {
    #[default]
    None,
    /// There is no thread to be had.
    Refused,
    /// The driver is dead when it begins.
    Stillborn,
}

impl Driver for Idle {
    fn start(&self, unborn: Unborn) -> io::Result<Arc<Shared>> {
        self.0.starts.fetch_add(1, Ordering::Relaxed);
        let fault = *lock(&self.0.fault);
        if matches!(fault, Fault::Refused) {
            return Err(io::Error::other("no threads"));
        }
        let engine = unborn.engine(Waker::noop().clone());
        let shared = engine.shared();
        let engine = Some(engine).filter(|_| matches!(fault, Fault::None));
        *lock(&self.0.engine) = engine;
        Ok(shared)
    }
}

impl Idle {
    fn kill(&self) {
        drop(lock(&self.0.engine).take().expect("a driver"));
    }

    fn starts(&self) -> usize {
        self.0.starts.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no panic")
}

struct Producer(Handle<Idle>, Idle);

impl Start for Producer {
    fn start(options: Options) -> Result<Self, BuildError> {
        let driver = Idle::default();
        Ok(Self(Handle::new(options, driver.clone())?, driver))
    }
}

fn producer() -> (Handle<Idle>, Idle) {
    let Producer(handle, driver) = Builder::new("localhost:9092").build().expect("legal");
    (handle, driver)
}

/// RK-20.
#[test]
fn a_dead_driver_is_replaced_once_however_many_notice_it() {
    let (handle, driver) = producer();
    for round in 1..=20 {
        driver.kill();
        let barrier = Barrier::new(8);
        thread::scope(|scope| {
            for n in 0..8 {
                let (handle, barrier) = (&handle, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    if n % 2 == 0 {
                        handle.topic("t").now().expect("a new driver");
                    } else {
                        assert!(handle.flush().is_some());
                    }
                });
            }
        });
        assert_eq!(driver.starts(), 1 + round);
        let failure = handle.last_driver_failure().expect("it was killed");
        assert_eq!(failure.failures, u64::try_from(round).expect("small"));
    }
}

#[test]
fn what_a_dead_driver_had_is_reported_once_and_handed_back() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let builder = Builder::<Producer>::new("localhost:9092")
        .keep_records(KeepRecords::Undelivered)
        .on_report(move |batch| {
            let values = batch.records.iter().map(|record| record.value.clone());
            lock(&told).extend(values);
        });
    let Producer(handle, driver) = builder.build().expect("legal");
    let target = Target::Name("t");
    let (record, other) = (Record::value(b"1"), Record::value(b"2"));
    let delivery = handle.send(target, Some(0), &record).now().expect("accepted").expect("asked");
    let calls = Arc::new(Mutex::new(Vec::new()));
    let called = Arc::clone(&calls);
    let callback = Box::new(move |result| lock(&called).push(result));
    handle.send_then(target, Some(1), &other, callback).now().expect("accepted");
    driver.kill();
    let purged = Err(DeliveryError::NotPersisted(Reason::Purged));
    assert_eq!(delivery.outcome(), Some(purged));
    assert_eq!(*lock(&calls), [purged]);
    assert_eq!(*lock(&heard), [Some(b"1".to_vec()), Some(b"2".to_vec())]);
    // The next generation knows the topic by the same id, and nothing of the records.
    let id = handle.topic("t").now().expect("a new driver").0;
    assert_eq!((id.index(), handle.stats().accepted), (0, 0));
    assert_eq!(delivery.outcome(), Some(purged));
}

#[test]
fn who_waits_when_the_driver_dies_waits_for_the_next_one() {
    let (handle, driver) = producer();
    let record = Record::value(b"v");
    let mut sends: Vec<_> = (0..3).map(|_| handle.send(Target::Name("t"), None, &record)).collect();
    let waker = Some(Waker::noop());
    for send in &mut sends {
        assert!(send.poll(waker).is_pending(), "the topic is not known");
    }
    assert_eq!(handle.waiting(), 3);
    driver.kill();
    for send in &mut sends {
        assert!(send.poll(waker).is_pending());
    }
    assert_eq!((handle.waiting(), driver.starts()), (3, 2));
    let closing = handle.close(None);
    for send in &mut sends {
        let closed = SendError::Refused(klamm::SendError::Closed);
        assert!(matches!(send.poll(waker), Poll::Ready(Err(error)) if error == closed));
    }
    let mut engine = lock(&driver.0.engine).take().expect("a driver");
    assert!(engine.turn::<NoLink>(&mut []).end);
    engine.end(None);
    assert!(closing.signal().is_some_and(|ended| ended.wait(None)));
    // A closed producer starts no driver.
    assert!(handle.topic("u").now().is_err());
    assert_eq!(driver.starts(), 2);
    assert_eq!(handle.last_driver_failure().map(|failure| failure.failures), Some(1));
}

#[test]
fn a_driver_that_cannot_be_started_is_an_error_and_no_loop() {
    for fault in [Fault::Refused, Fault::Stillborn] {
        let (handle, driver) = producer();
        *lock(&driver.0.fault) = fault;
        driver.kill();
        let error = handle.topic("t").now().expect_err("no driver");
        assert_eq!(error, SendError::DriverFailed);
        assert!(handle.flush().is_none());
        let failed = driver.starts();
        assert!(failed < 10, "{failed}");
        *lock(&driver.0.fault) = Fault::None;
        handle.topic("t").now().expect("there are threads again");
        assert_eq!(driver.starts(), failed + 1);
    }
}

/// No connection is ever dialed here.
struct NoLink;

impl Link for NoLink {
    fn take_fact(&mut self) -> Option<Fact> {
        None
    }

    fn take_error(&mut self) -> Option<ConnectionError> {
        None
    }

    fn room(&mut self) -> Option<&mut [u8]> {
        None
    }

    fn fill(&mut self, _: usize) {}

    fn close(&mut self) {}

    fn is_drained(&self) -> bool {
        true
    }
}
