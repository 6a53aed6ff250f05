//! The example of SNTP, `firmware-examples/sntp`, against a time server that is silent or wrong at
//! first.

use core::cell::Cell;
use std::rc::Rc;

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::{Duration, Instant, Timer};
use klamm_embassy::{Config, Destination, EmbassyNet, Producer, Record, Resources};
use klamm_embassy_tests::{
    Answer, Brokers, Cable, Names, SERVERS, UNIX_MS, simulate, spawn, stack,
};
use klamm_firmware_sntp::{AGAIN, ANSWER, RETRY, keep};

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// What the time server does with a question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Silent,
    /// It says that it does not know the time, and a wrong one.
    Unsynchronized,
    /// It answers what somebody else asked.
    Confused,
    Right,
}

#[derive(Clone)]
struct TimeServer {
    mood: Rc<Cell<Mood>>,
    asked: Rc<Cell<u32>>,
    /// By how many milliseconds the device's clock is behind.
    ahead_ms: Rc<Cell<u64>>,
}

impl TimeServer {
    fn new(stack: Stack<'static>, mood: Mood) -> Self {
        let server =
            Self { mood: Rc::new(Cell::new(mood)), asked: Rc::default(), ahead_ms: Rc::default() };
        spawn(server.clone().serve(stack));
        server
    }

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        UNIX_MS + i64::try_from(Instant::now().as_millis() + self.ahead_ms.get()).expect("now")
    }

    async fn serve(self, stack: Stack<'static>) {
        let (mut rx, mut tx) = ([0; 512], [0; 512]);
        let (mut rx_meta, mut tx_meta) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
        let mut socket = UdpSocket::new(stack, &mut rx_meta, &mut rx, &mut tx_meta, &mut tx);
        socket.bind(123).expect("a free port");
        let mut question = [0; 48];
        loop {
            let Ok((48, from)) = socket.recv_from(&mut question).await else { continue };
            self.asked.set(self.asked.get() + 1);
            if let Some(answer) = self.answer(&question) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    }

    /// RFC 4330: mode, stratum and times; all else is zero.
    fn answer(&self, question: &[u8; 48]) -> Option<[u8; 48]> {
        let mut answer = [0; 48];
        let mut now_ms = u64::try_from(self.now_ms()).expect("after 1970");
        let sent = &question[40..48];
        match self.mood.get() {
            Mood::Silent => return None,
            Mood::Unsynchronized => {
                answer[..2].copy_from_slice(&[0xE4, 0]);
                now_ms += 3_600_000;
            }
            Mood::Confused => answer[..2].copy_from_slice(&[0x24, 1]),
            Mood::Right => {
                answer[..2].copy_from_slice(&[0x24, 1]);
                answer[24..32].copy_from_slice(sent);
            }
        }
        let fraction = ((now_ms % 1_000) << 32) / 1_000;
        let time = ((now_ms / 1_000 + NTP_TO_UNIX) << 32 | fraction).to_be_bytes();
        answer[32..40].copy_from_slice(&time);
        answer[40..48].copy_from_slice(&time);
        Some(answer)
    }
}

/// A device that asks `time.test`, and brokers.
fn start(mood: Mood) -> (Producer<'static>, Brokers, TimeServer) {
    let cable = Cable::new(1);
    let host = stack::host(&cable);
    let brokers = Brokers::new(host, 1, 1);
    // Names live as long as their task.
    let _ = Names::new(host, Answer::Address(stack::HOST));
    let server = TimeServer::new(host, mood);
    // DNS, SNTP, and a broker.
    let stack = stack::device::<3>(&cable);
    let resources = Box::leak(Box::new(Resources::<1_200, 8, 2>::new()));
    let config = Config::new(SERVERS);
    let (producer, mut runner) =
        klamm_embassy::new(resources, EmbassyNet::new(stack), &config, 7).expect("legal options");
    spawn(async move { runner.run().await });
    spawn(keep(stack, producer, "time.test"));
    (producer, brokers, server)
}

/// Not to the millisecond: an answer has been under way.
fn near(stamp: i64, expected: i64) -> bool {
    (stamp - expected).abs() <= 2
}

#[test]
fn what_was_recorded_before_the_time_is_known_gets_the_time_of_its_making() {
    for mood in [Mood::Silent, Mood::Unsynchronized, Mood::Confused] {
        simulate(async move {
            let (producer, brokers, server) = start(mood);
            let to = Destination::partition(producer.topic("t").expect("legal"), 0);
            let mut made = Vec::new();
            for _ in 0..6 {
                made.push(server.now_ms());
                producer.send(to, &Record::value(b"early")).await.expect("accepted");
                Timer::after_secs(10).await;
            }
            assert!(server.asked.get() >= 2, "{} questions", server.asked.get());
            assert!(brokers.log(0).is_empty(), "they wait for the time");
            server.mood.set(Mood::Right);
            Timer::after(ANSWER + RETRY + Duration::from_secs(1)).await;
            let stamps: Vec<i64> = brokers.log(0).iter().map(|r| r.timestamp).collect();
            assert_eq!(stamps.len(), made.len(), "nobody had to flush");
            for (stamp, made) in stamps.into_iter().zip(made) {
                assert!(near(stamp, made), "{stamp}, made at {made}");
            }
        });
    }
}

#[test]
fn a_clock_that_drifts_is_set_right_after_hours() {
    simulate(async {
        let (producer, brokers, server) = start(Mood::Right);
        let to = Destination::partition(producer.topic("t").expect("legal"), 0);
        Timer::after_secs(1).await;
        producer.send_and_wait(to, &Record::value(b"first")).await.expect("delivered");
        let first = server.now_ms();
        server.ahead_ms.set(400);
        producer.send_and_wait(to, &Record::value(b"off")).await.expect("delivered");
        Timer::after(AGAIN).await;
        producer.send_and_wait(to, &Record::value(b"right")).await.expect("delivered");
        let stamps: Vec<i64> = brokers.log(0).iter().map(|r| r.timestamp - first).collect();
        assert!(stamps[0].abs() < 50 && stamps[1].abs() < 100, "{stamps:?}");
        let later = i64::try_from(AGAIN.as_millis()).expect("hours") + 400;
        assert!((later..later + 200).contains(&stamps[2]), "{stamps:?}, {later}");
        assert_eq!(server.asked.get(), 2);
    });
}
