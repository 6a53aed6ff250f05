//! The yardstick: the same readings with the MQTT client minimq at QoS 1, which is at least once, to
//! the one broker that `bootstrap` names.
#![no_std]
#![no_main]

use core::net::SocketAddrV4;

use embassy_executor::Spawner;
use embassy_net::tcp::TcpSocket;
use embassy_net::{IpEndpoint, Stack};
use embassy_time::Instant;
use klamm_firmware_app::Board as _;
use klamm_firmware_app::reading::Reading;
use klamm_firmware_app::settings::Settings;
use klamm_firmware_qemu::semihosting::{self, Host};
use klamm_firmware_qemu::{count, stack};
use klamm_lm3s6965::start;
use minimq::{Buffers, ConfigBuilder, Property, Publication, QoS, Session};

#[embassy_executor::main(entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) -> ! {
    let mut buffer = [0; 256];
    let settings = Settings::parse(semihosting::arguments(&mut buffer));
    let code = match (start(spawner, 1), settings) {
        (Some(network), Some(settings)) => match publish(network, &settings).await {
            Some(()) => 0,
            None => 1,
        },
        _ => 2,
    };
    Host.print(format_args!("busy {}", count::busy()));
    semihosting::exit(code)
}

async fn publish(network: Stack<'static>, settings: &Settings<'_>) -> Option<()> {
    let server: SocketAddrV4 = settings.bootstrap.parse().ok()?;
    network.wait_config_up().await;
    Host.print(format_args!("address"));
    let begin = Instant::now();
    // As much for the socket as klamm's has, and for packets as klamm has for batches.
    let (mut receive, mut send) = ([0; 1_024], [0; 2_048]);
    let (mut incoming, mut outgoing) = ([0; 256], [0; 4 * 1_400]);
    let mut socket = TcpSocket::new(network, &mut receive, &mut send);
    socket.connect(IpEndpoint::from(server)).await.ok()?;
    socket.set_nagle_enabled(false);
    let config = ConfigBuilder::new(Buffers::new(&mut incoming, &mut outgoing));
    let mut session = Session::new(config.client_id("minimq-firmware").ok()?);
    let mut connection = session.connect(socket).await.ok()?;
    let unit = [Property::UserProperty("unit".into(), "celsius".into())];
    for number in 0..settings.records {
        let reading = Reading::new(number, settings);
        while !connection.can_publish(QoS::AtLeastOnce) {
            connection.poll().await.ok()?;
        }
        let topic = core::str::from_utf8(reading.key()).ok()?;
        let publication = Publication::bytes(topic, reading.value()).properties(&unit);
        connection.publish(publication.qos(QoS::AtLeastOnce)).await.ok()?;
    }
    while !connection.session().is_publish_quiescent() {
        connection.poll().await.ok()?;
    }
    let (records, ms) = (settings.records, begin.elapsed().as_millis());
    Host.print(format_args!("end delivered={records} ms={ms} stack={}", stack::used()));
    Some(())
}
