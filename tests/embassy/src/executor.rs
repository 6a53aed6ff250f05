//! An executor for one thread: in virtual time, where it finds tasks that spin or sleep for ever,
//! and in real time.

use core::cell::RefCell;
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};

use crate::time;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Polls of one task at one moment, at most: beyond that it spins.
const POLLS: u32 = 100_000;

/// What no test takes, in ticks.
const DAY: u64 = 24 * 3_600 * embassy_time::TICK_HZ;

thread_local! {
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
    static COUNT: RefCell<u64> = const { RefCell::new(0) };
}

struct Alarm {
    rung: AtomicBool,
    thread: Thread,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Alarm {
    fn new() -> Arc<Self> {
        Arc::new(Self { rung: AtomicBool::new(true), thread: thread::current() })
    }

    fn take(&self) -> bool {
        self.rung.swap(false, Ordering::Acquire)
    }
}

/// Another task of this thread's, until `simulate` or `run` ends.
pub fn spawn<T>(future: impl Future<Output = T> + 'static) {
    SPAWNED.with_borrow_mut(|tasks| {
        tasks.push(Box::pin(async {
            future.await;
        }));
    });
}

/// How often tasks were polled since `simulate` began: what a device is awake for.
#[must_use]
pub fn polls() -> u64 {
    COUNT.with_borrow(|count| *count)
}

/// Runs a task, and those it spawns, in virtual time.
///
/// # Panics
/// When all of them wait for nothing that could come, or one of them spins.
pub fn simulate<T>(main: impl Future<Output = T>) -> T {
    time::start();
    COUNT.set(0);
    let result = drive(main, || {
        let now = time::advance().expect("everybody waits for ever");
        assert!(now < DAY, "it takes more than a day");
    });
    time::stop();
    result
}

/// Runs a task, and those it spawns, in real time.
pub fn run<T>(main: impl Future<Output = T>) -> T {
    drive(main, thread::park)
}

fn drive<T>(main: impl Future<Output = T>, idle: impl Fn()) -> T {
    let mut main = pin!(main);
    let bell = Alarm::new();
    let mut others: Vec<(Arc<Alarm>, Task, u32)> = Vec::new();
    let mut spins = 0;
    let result = loop {
        let mut moved = false;
        if bell.take() {
            moved = true;
            spins = count(spins);
            let waker = Waker::from(Arc::clone(&bell));
            if let Poll::Ready(result) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                break result;
            }
        }
        let spawned = SPAWNED.take();
        others.extend(spawned.into_iter().map(|task| (Alarm::new(), task, 0)));
        for (alarm, task, spins) in &mut others {
            if alarm.take() {
                moved = true;
                *spins = count(*spins);
                let waker = Waker::from(Arc::clone(alarm));
                // A task that is over is not woken again.
                let _ = task.as_mut().poll(&mut Context::from_waker(&waker));
            }
        }
        if !moved {
            spins = 0;
            others.iter_mut().for_each(|(_, _, spins)| *spins = 0);
            idle();
        }
    };
    // Those that tasks hold are dropped with them, in this order.
    drop(others);
    SPAWNED.take();
    result
}

fn count(spins: u32) -> u32 {
    COUNT.with_borrow_mut(|count| *count += 1);
    assert!(spins < POLLS, "a task spins");
    spins + 1
}

/// Polls a future so many times, as it is woken, then drops it; its result, if it was ready by then.
pub async fn poll_times<T>(future: impl Future<Output = T>, times: u32) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = times;
    core::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
