//! The example of TLS, `firmware-examples/tls`, against rustls: a device, a TLS endpoint that passes
//! everything on, and the model brokers behind it, in virtual time.

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Write as _;
use klamm_embassy::{Config, Destination, Lost, Producer, Record, Resources};
use klamm_embassy_tests::{
    Answer, Brokers, Cable, Names, UNIX_MS, Weather, simulate, spawn, stack,
};
use klamm_firmware_tls::{Records, Tls};
use rand_core::OsRng;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection};

/// The name that brokers advertise, and their certificate's.
const NAME: &str = "kafka.test";
const SERVERS: &str = "kafka.test:9093";
const PORT: u16 = 9_093;

/// An authority and the settings of a server that it vouches for, under this name.
fn authority(name: &str) -> (&'static [u8], Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("random numbers");
    let authority = CertifiedIssuer::self_signed(params, key).expect("legal");
    let key = KeyPair::generate().expect("random numbers");
    let params = CertificateParams::new([name.to_owned()]).expect("a legal name");
    let certificate = params.signed_by(&key, &authority).expect("legal");
    let config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("a certificate of that key");
    (authority.der().to_vec().leak(), Arc::new(config))
}

/// A device that knows this authority, the TLS endpoint, and brokers behind that.
fn start(
    authority: &'static [u8],
    server: Arc<ServerConfig>,
) -> (Producer<'static>, Brokers, Cable) {
    let (outside, inside) = (Cable::new(1), Cable::new(2));
    let brokers = Brokers::with_config(stack::host(&inside), 1, 2, |config| {
        for node in &mut config.nodes {
            node.host = NAME.to_owned();
        }
    });
    let (front, back) = (stack::host(&outside), stack::device::<4>(&inside));
    let _ = Names::new(front, Answer::Address(stack::HOST));
    for _ in 0..2 {
        spawn(terminate(front, back, Arc::clone(&server)));
    }
    let resources = Box::leak(Box::new(Resources::<1_200, 8, 8>::new()));
    let records = Box::leak(Box::new([Records::new()]));
    let network: Tls<'_, _> = Tls::new(stack::device::<2>(&outside), authority, OsRng, records);
    let mut config = Config::new(SERVERS);
    config.delivery_timeout_ms = u32::MAX;
    let (producer, mut runner) =
        klamm_embassy::new(resources, network, &config, 7).expect("legal options");
    spawn(async move { runner.run().await });
    producer.set_clock(klamm_embassy::Timestamp::from_millis(UNIX_MS));
    (producer, brokers, outside)
}

/// Takes TLS connections at the front, and passes on what is in them at the back.
async fn terminate(front: Stack<'static>, back: Stack<'static>, server: Arc<ServerConfig>) {
    let mut buffers = [(); 4].map(|()| vec![0; 8_192]);
    let [rx, tx, broker_rx, broker_tx] = &mut buffers;
    loop {
        let mut device = TcpSocket::new(front, rx, tx);
        let mut broker = TcpSocket::new(back, broker_rx, broker_tx);
        let tls = ServerConnection::new(Arc::clone(&server)).expect("legal");
        if device.accept(PORT).await.is_ok() && broker.connect((stack::HOST, PORT)).await.is_ok() {
            device.set_nagle_enabled(false);
            broker.set_nagle_enabled(false);
            let _ = pass(&mut device, &mut broker, tls).await;
        }
        for socket in [&mut device, &mut broker] {
            socket.abort();
            let _ = with_timeout(Duration::from_secs(1), socket.flush()).await;
        }
    }
}

/// Until either side closes, or breaks TLS.
async fn pass(
    device: &mut TcpSocket<'_>,
    broker: &mut TcpSocket<'_>,
    mut tls: ServerConnection,
) -> Option<()> {
    let (mut encrypted, mut plain) = ([0; 1_024], [0; 1_024]);
    loop {
        let mut out = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut out).ok()?;
        }
        device.write_all(&out).await.ok()?;
        match select(device.read(&mut encrypted), broker.read(&mut plain)).await {
            Either::First(Ok(read)) if read > 0 => {
                let mut bytes = &encrypted[..read];
                while !bytes.is_empty() {
                    tls.read_tls(&mut bytes).ok()?;
                    // The alert says to the device what is wrong.
                    if tls.process_new_packets().is_err() {
                        let mut alert = Vec::new();
                        tls.write_tls(&mut alert).ok()?;
                        device.write_all(&alert).await.ok()?;
                        return None;
                    }
                }
                let mut request = Vec::new();
                match tls.reader().read_to_end(&mut request) {
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return None,
                    _ => broker.write_all(&request).await.ok()?,
                }
            }
            Either::Second(Ok(read)) if read > 0 => tls.writer().write_all(&plain[..read]).ok()?,
            _ => return None,
        }
    }
}

#[test]
fn records_go_through_tls_once_and_in_order() {
    let (authority, server) = authority(NAME);
    simulate(async {
        let (producer, brokers, cable) = start(authority, server);
        cable.set(Weather {
            lost: 10,
            twice: 10,
            delay: Duration::from_millis(1),
            jitter: Duration::from_millis(2),
            cut: false,
        });
        let topic = producer.topic("t").expect("legal");
        let count = 600_i32;
        let sending = async {
            for n in 0..count {
                let to = Destination::partition(topic, n % 2);
                let value = [&n.to_be_bytes()[..], &[7; 60]].concat();
                producer.send(to, &Record::value(&value)).await.expect("accepted");
                Timer::after_millis(5).await;
            }
            producer.flush().await;
        };
        let restart = async {
            Timer::after_secs(1).await;
            brokers.with(|cluster, now| cluster.restart(1, now)).expect("it was up");
        };
        embassy_futures::join::join(sending, restart).await;
        let stats = producer.stats();
        assert_eq!(stats.delivered, u64::from(count.unsigned_abs()), "{stats:?}");
        assert!(stats.connects > 1, "the connection outlived a restart: {stats:?}");
        for partition in 0..2 {
            let numbers = brokers
                .values(partition)
                .into_iter()
                .map(|value| i32::from_be_bytes(*value.first_chunk().expect("a number")));
            let expected = (0..count).filter(|n| n % 2 == partition);
            assert!(numbers.eq(expected), "partition {partition}");
        }
    });
}

/// Nothing is sent to whom the authority does not vouch for.
#[test]
fn a_stranger_and_another_name_get_nothing() {
    let (ours, server) = authority(NAME);
    let (_, strangers) = authority(NAME);
    let (other, others) = authority("kafka.example");
    for (authority, server, believed) in
        [(ours, strangers, false), (other, others, false), (ours, server, true)]
    {
        simulate(async move {
            let (producer, brokers, _cable) = start(authority, server);
            let to = Destination::partition(producer.topic("t").expect("legal"), 0);
            producer.send(to, &Record::value(b"secret")).await.expect("accepted");
            Timer::after_secs(20).await;
            assert_eq!(brokers.log(0).len(), usize::from(believed));
            let lost = producer.last_error();
            assert_eq!(lost, (!believed).then_some(Lost::Refused));
            assert_eq!(producer.stats().connects > 0, believed);
        });
    }
}
