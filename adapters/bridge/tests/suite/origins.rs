//! S16: pages of other origins.

use tokio_tungstenite::tungstenite::Error;

use crate::client::{Client, get, protocols};
use crate::common::{ORIGIN, Rig, token};

async fn status(rig: &Rig, headers: &[(&'static str, &str)], protocols: &str) -> u16 {
    match Client::connect(rig.address(), "bootstrap", headers, protocols).await {
        Ok(client) => client.response.status().as_u16(),
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn only_listed_origins_get_in() {
    let rig = Rig::start().await;
    let good = protocols(&token());
    assert_eq!(status(&rig, &[("origin", ORIGIN)], &good).await, 101);
    for origin in [
        "null",
        "https://evil.example",
        "https://evil-page.example",
        "https://page.example.evil.org",
        "https://page.example:443",
        "https://page.example/",
        "http://page.example",
        "https://PAGE.example",
        "https://sub.page.example",
        "https://page.example, https://evil.example",
    ] {
        assert_eq!(status(&rig, &[("origin", origin)], &good).await, 403, "{origin}");
    }
    assert_eq!(status(&rig, &[], &good).await, 403, "no origin");
    let twice = [("origin", ORIGIN), ("origin", "https://evil.example")];
    assert_eq!(status(&rig, &twice, &good).await, 403, "two origins");
    let metrics = get(rig.address(), "/metrics").await;
    assert!(metrics.contains("turned_away_total{reason=\"origin\"} 12"), "{metrics}");
}

#[tokio::test]
async fn programs_get_in_where_that_is_configured_and_null_never() {
    let rig = Rig::with(|config| config.auth.allow_no_origin = true).await;
    let good = protocols(&token());
    assert_eq!(status(&rig, &[], &good).await, 101);
    assert_eq!(status(&rig, &[("origin", "null")], &good).await, 403);
}

#[tokio::test]
async fn the_token_is_not_echoed_and_is_taken_from_nowhere_else() {
    let rig = Rig::start().await;
    let token = token();
    let client = Client::open_with(rig.address(), &token).await;
    assert_eq!(client.response.headers().get("sec-websocket-protocol").unwrap(), "klamm.v1");
    assert!(!format!("{:?}", client.response).contains(&token));
    // Neither in a cookie, nor in the URL, nor in a header that no page can set.
    let (cookie, bearer) = (format!("token={token}"), format!("Bearer {token}"));
    let query = format!("bootstrap?token={token}&bearer={token}");
    let elsewhere = [("origin", ORIGIN), ("cookie", &cookie), ("authorization", &bearer)];
    let mut client =
        Client::connect(rig.address(), &query, &elsewhere, "klamm.v1").await.expect("upgraded");
    assert_eq!(client.closed().await.code, 4401);
    let only = format!("bearer.{token}");
    let unnamed = Client::connect(rig.address(), "bootstrap", &elsewhere, &only).await;
    assert!(matches!(unnamed, Err(Error::Http(response)) if response.status() == 400));
}
