//! Apache Kafka behind the bridge: exactly once and in order, while the bridge is killed; and with TLS and SASL.

#![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "in a test a failure is a panic")]
#![allow(dead_code, reason = "the other tests use the rest of these modules")]

#[path = "suite/authority.rs"]
mod authority;
#[path = "suite/client.rs"]
mod client;
#[path = "suite/common.rs"]
mod common;
#[path = "suite/page.rs"]
mod page;
#[path = "suite/process.rs"]
mod process;

use kafka_protocol::messages::{ApiKey, InitProducerIdRequest};
use klamm_bridge::{Bridge, Clock, Config, Secret};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::log::Faults;
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup;
use tokio::runtime::Runtime;

use authority::Authority;
use client::{Client, frame, http};
use common::{PARTITIONS, TOPIC, config, token};
use page::{Outcomes, Page};
use process::Process;

const RECORDS: u64 = 30_000;
/// Of each mechanism.
const FEW: u64 = 2_000;
const USER: &str = "bridge";
const PASSWORD: &str = "a password, of course";

#[test]
fn a_page_produces_exactly_once_to_kafka() {
    let run = RunDir::new("bridge").unwrap();
    let options = Options { nodes: 1, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    kafka.create_topic(TOPIC, u32::try_from(PARTITIONS).unwrap(), &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    let mut bridge = Process::start(&bootstrap);
    let mut page = Page::new(bridge.address());
    let (mut sent, mut kills) = (0, 0);
    while sent < RECORDS || page.buffered() > 0 {
        let partition = |record: u64| i32::try_from(record).unwrap() % PARTITIONS;
        while sent < RECORDS && page.send(partition(sent), &sent.to_string()) {
            sent += 1;
        }
        page.turn();
        if kills < 2 && page.outcomes.delivered > (kills + 1) * RECORDS / 4 {
            bridge.again();
            kills += 1;
        }
    }
    assert_eq!(kills, 2);
    assert_eq!(page.outcomes, Outcomes { delivered: RECORDS, ..Outcomes::default() });
    let log = kafka.helper.read(&bootstrap, TOPIC).unwrap();
    let faults = Faults::find(&log, RECORDS).unwrap();
    assert!(faults.is_empty(), "{}: {faults:?}", faults.summary());
    run.done();
}

/// Its second listener has TLS and SASL.
fn secured(run: &RunDir, authority: &Authority) -> Cluster {
    let (certificate, key) = authority.certify(&["127.0.0.1"]);
    let keystore = run.file("keystore.pem");
    std::fs::write(&keystore, key + &certificate).unwrap();
    let module = "org.apache.kafka.common.security";
    let plain = format!("{module}.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";");
    let scram = format!("{module}.scram.ScramLoginModule required;");
    let properties = [
        (
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT,PROXIED:SASL_SSL",
        ),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", keystore.to_str().unwrap()),
        ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
        ("listener.name.proxied.plain.sasl.jaas.config", &plain),
        ("listener.name.proxied.scram-sha-256.sasl.jaas.config", &scram),
        ("listener.name.proxied.scram-sha-512.sasl.jaas.config", &scram),
    ];
    let options =
        Options { nodes: 1, advertised_ports: &[0], properties: &properties, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), run, &options).unwrap();
    kafka.create_topic(TOPIC, u32::try_from(PARTITIONS).unwrap(), &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    kafka.helper.create_user(&bootstrap, USER, PASSWORD).unwrap();
    kafka
}

#[test]
fn with_tls_and_sasl_towards_kafka() {
    let run = RunDir::new("bridge-secured").unwrap();
    let authority = Authority::new();
    let mut kafka = secured(&run, &authority);
    let port = kafka.node(1).unwrap().proxied_port();
    let ca = |name: &str, authority: &Authority| {
        let file = run.file(name);
        std::fs::write(&file, authority.pem()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let believed = ca("ca.pem", &authority);
    let with = |mechanism: &str| {
        let mut config = config(([127, 0, 0, 1], port).into());
        (config.kafka.tls, config.kafka.ca) = (true, believed.clone());
        config.kafka.sasl = mechanism.to_owned();
        config.kafka.username = USER.to_owned();
        config.kafka.password = Secret::new(PASSWORD.to_owned());
        config
    };
    let runtime = Runtime::new().unwrap();
    let start = |config| runtime.block_on(Bridge::start(config, false, Clock::default())).unwrap();

    let mut sent = 0;
    for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
        let bridge = start(with(mechanism));
        let mut page = Page::new(bridge.address());
        let end = sent + FEW;
        while sent < end || page.buffered() > 0 {
            let partition = i32::try_from(sent).unwrap() % PARTITIONS;
            if sent < end && page.send(partition, &sent.to_string()) {
                sent += 1;
            } else {
                page.turn();
            }
        }
        assert_eq!(page.outcomes, Outcomes { delivered: FEW, ..Outcomes::default() });
        // The bridge's own producer dials for itself.
        let body = format!("{{\"value\":\"{sent}\",\"partition\":0}}");
        let request = format!(
            "POST /topics/{TOPIC} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\
             authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
            token(),
            body.len()
        );
        let answer = runtime.block_on(http(bridge.address(), &request));
        assert!(answer.starts_with("HTTP/1.1 200"), "{mechanism}: {answer}");
        sent += 1;
    }

    let asked = InitProducerIdRequest::default().with_transactional_id(None);
    let refused = |what: &str, change: &dyn Fn(&mut Config)| {
        for mechanism in ["plain", "scram-sha-256", "scram-sha-512"] {
            let mut config = with(mechanism);
            change(&mut config);
            let bridge = start(config);
            let code = runtime.block_on(async {
                let mut page = Client::open(bridge.address()).await;
                // It may be closed by now.
                let _ = page.send(frame(ApiKey::InitProducerId, 4, 1, &asked)).await;
                page.closed().await.code
            });
            assert_eq!(code, 4502, "{mechanism}, {what}");
        }
    };
    let wrong = Secret::new("another password".to_owned());
    refused("a wrong password", &|config| config.kafka.password = wrong.clone());
    refused("an unknown user", &|config| "nobody".clone_into(&mut config.kafka.username));
    let other = ca("other.pem", &Authority::new());
    refused("another authority", &|config| config.kafka.ca.clone_from(&other));
    // The certificate is for the address, not for the name.
    let name = vec![format!("localhost:{port}")];
    refused("another name", &|config| config.kafka.bootstrap.clone_from(&name));
    refused("no SASL", &|config| config.kafka.sasl.clear());

    let bootstrap = kafka.bootstrap();
    let log = kafka.helper.read(&bootstrap, TOPIC).unwrap();
    let faults = Faults::find(&log, sent).unwrap();
    assert!(faults.is_empty(), "{}: {faults:?}", faults.summary());
    run.done();
}
