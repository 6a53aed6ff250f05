//! S24, and tokens that are forged, or say too much.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use klamm_bridge::KeyConfig;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

use crate::client::{Client, hello};
use crate::common::{ORIGIN, Rig, SECRET, claims, now_s, signed, token_of, unsigned};

const RSA_PRIVATE: &[u8] = include_bytes!("rsa.der");
const RSA_PUBLIC: &str = include_str!("rsa.pub.pem");

/// The code that a page with this token is closed with; `None`: it is let in.
async fn refusal(rig: &Rig, token: &str) -> Option<u16> {
    let mut client = Client::open_with(rig.address(), token).await;
    client.send(hello()).await.ok()?;
    client.answer().await.err().map(|closed| closed.code)
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn a_good_token_gets_in_and_others_do_not() {
    let rig = Rig::start().await;
    let head = json!({ "alg": "HS256" });
    let good = token_of(&claims());
    assert_eq!(refusal(&rig, &good).await, None);
    let (body, tag) = good.rsplit_once('.').unwrap();
    let other_body = unsigned(&head, &with("sub", json!("bob")));
    for (what, token) in [
        ("another secret", signed(&head, &claims(), b"another secret of thirty-two bytes")),
        ("no signature", format!("{body}.")),
        ("alg none", format!("{}.", unsigned(&json!({ "alg": "none" }), &claims()))),
        ("alg none, signed", signed(&json!({ "alg": "none" }), &claims(), SECRET.as_bytes())),
        ("alg of another key", signed(&json!({ "alg": "RS256" }), &claims(), SECRET.as_bytes())),
        ("alg HS512", signed(&json!({ "alg": "HS512" }), &claims(), SECRET.as_bytes())),
        ("another body", format!("{other_body}.{tag}")),
        ("no token", "x".to_owned()),
        ("two dots", "..".to_owned()),
        ("another audience", token_of(&with("aud", json!("other")))),
        ("no audience", token_of(&without("aud"))),
        ("no end", token_of(&without("exp"))),
        ("an end that is text", token_of(&with("exp", json!("9999999999")))),
        ("no subject", token_of(&without("sub"))),
        ("an empty subject", token_of(&with("sub", json!("")))),
        ("no topics", token_of(&without("topics"))),
        ("topics that are text", token_of(&with("topics", json!("events")))),
        ("expired", token_of(&with("exp", json!(now_s() - 31)))),
        ("not yet valid", token_of(&with("nbf", json!(now_s() + 60)))),
        ("too long", token_of(&with("jti", json!("x".repeat(4_096))))),
    ] {
        assert_eq!(refusal(&rig, &token).await, Some(4401), "{what}");
    }
}

#[tokio::test]
async fn a_token_that_allows_too_much_is_refused() {
    let rig = Rig::start().await;
    for (what, claims) in [
        ("for ever", with("exp", json!(u64::MAX))),
        ("for two hours", with("exp", json!(now_s() + 7_200))),
        ("all topics", with("topics", json!(["*"]))),
        ("topics by a pattern", with("topics", json!(["events", "event*"]))),
        ("internal topics", with("topics", json!(["__consumer_offsets"]))),
        ("too many topics", with("topics", (0..101).map(|n| format!("t{n}")).collect())),
    ] {
        assert_eq!(refusal(&rig, &token_of(&claims)).await, Some(4403), "{what}");
    }
}

#[tokio::test]
async fn of_two_tokens_none_is_taken() {
    let rig = Rig::start().await;
    let good = token_of(&claims());
    for (first, second) in [(&*good, "x"), ("x", &good)] {
        let both = format!("klamm.v1, bearer.{first}, bearer.{second}");
        let headers = [("origin", ORIGIN)];
        let mut page =
            Client::connect(rig.address(), "bootstrap", &headers, &both).await.expect("upgraded");
        assert_eq!(page.closed().await.code, 4401, "{first} {second}");
    }
}

#[tokio::test]
async fn a_token_ends_while_connected() {
    let rig = Rig::with(|config| config.limits.ping_s = 1).await;
    let mut idle = Client::open(rig.address()).await;
    let mut busy = Client::open(rig.address()).await;
    busy.send(hello()).await.unwrap();
    busy.answer().await.expect("still valid");
    // 600 seconds, and 30 of leeway, which are this test's, too.
    rig.clock.shift(600_000);
    busy.send(hello()).await.unwrap();
    busy.answer().await.expect("still valid");
    rig.clock.shift(31_000);
    // Not one request more is answered.
    busy.send(hello()).await.unwrap();
    assert_eq!(busy.answer().await.unwrap_err().code, 4401);
    assert_eq!(idle.closed().await.code, 4401);
    // A new one is a new connection.
    rig.clock.shift(-631_000);
    assert_eq!(refusal(&rig, &token_of(&claims())).await, None);
}

/// A bridge with one public key.
async fn with_key(algorithm: &str, pem: &str) -> Rig {
    let name = format!("klamm-bridge-{}-{algorithm}.pem", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, pem).unwrap();
    let rig = Rig::with(|config| {
        config.auth.keys = vec![KeyConfig {
            algorithm: algorithm.to_owned(),
            public_key_file: file.to_str().unwrap().to_owned(),
            ..KeyConfig::default()
        }];
    })
    .await;
    std::fs::remove_file(&file).unwrap();
    rig
}

fn by(algorithm: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let body = unsigned(&json!({ "alg": algorithm }), &claims());
    let tag = sign(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(tag))
}

#[tokio::test]
async fn public_keys_of_all_kinds_and_none_of_them_is_a_secret() {
    let random = SystemRandom::new();
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pair.serialize_der()).unwrap();
    let ed = (pair.public_key_pem(), by("EdDSA", |body| key.sign(body).as_ref().to_vec()));

    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, &pair.serialize_der(), &random).unwrap();
    let sign = |body: &[u8]| key.sign(&random, body).unwrap().as_ref().to_vec();
    let ec = (pair.public_key_pem(), by("ES256", sign));

    let key = RsaKeyPair::from_der(RSA_PRIVATE).unwrap();
    let sign = |body: &[u8]| {
        let mut tag = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &random, body, &mut tag).unwrap();
        tag
    };
    let rsa = (RSA_PUBLIC.to_owned(), by("RS256", sign));

    let all = [("EdDSA", ed), ("ES256", ec), ("RS256", rsa)];
    for (algorithm, (pem, good)) in &all {
        let rig = with_key(algorithm, pem).await;
        assert_eq!(refusal(&rig, good).await, None, "{algorithm}");
        for (_, (_, token)) in all.iter().filter(|(other, _)| other != algorithm) {
            assert_eq!(refusal(&rig, token).await, Some(4401), "{algorithm}");
        }
        // The public key is known to everybody, so it must not do as a secret.
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = base64::engine::general_purpose::STANDARD.decode(der).unwrap();
        for secret in [pem.as_bytes(), pem.trim().as_bytes(), &der] {
            let confused = signed(&json!({ "alg": "HS256" }), &claims(), secret);
            assert_eq!(refusal(&rig, &confused).await, Some(4401), "{algorithm}");
        }
    }
}
