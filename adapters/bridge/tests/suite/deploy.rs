//! The Dockerfile and the systemd unit, as far as they can be tried without an engine: no container is
//! built here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use klamm_sim::dev_broker::nobody;

use crate::client::get;
use crate::common::{ORIGIN, SECRET, broker};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Instructions and what follows them, of the last stage or of all.
fn instructions(of_last_stage: bool) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(here("deploy/Dockerfile")).unwrap();
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, rest) = line.split_once(' ').unwrap();
        if name == "FROM" && of_last_stage {
            all.clear();
        }
        all.push((name.to_owned(), rest.to_owned()));
    }
    all
}

fn all_of(name: &str) -> Vec<String> {
    let all = instructions(true).into_iter();
    all.filter(|(it, _)| it == name).map(|(_, rest)| rest).collect()
}

/// `["a", "b"]`, the form without a shell.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap()
}

/// Ends it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_image_has_the_program_where_it_starts_it() {
    let built: Vec<_> = instructions(false).into_iter().filter(|(name, _)| name == "RUN").collect();
    let package = built[0].1.rsplit_once("-p ").unwrap().1;
    assert_eq!(package, env!("CARGO_PKG_NAME"));
    // The binary's own name, and the path at which the image looks for it.
    let program = Path::new(env!("CARGO_BIN_EXE_klamm-bridge")).file_name().unwrap();
    let copied = all_of("COPY");
    let [copied] = &copied[..] else { panic!("{copied:?}") };
    let [_, from, to] = copied.split(' ').collect::<Vec<_>>()[..] else { panic!("{copied}") };
    assert_eq!(Path::new(from), Path::new("/klamm/target/release").join(program));
    assert_eq!(all_of("ENTRYPOINT").iter().flat_map(|it| words(it)).collect::<Vec<_>>(), [to]);
    assert_eq!(all_of("USER"), ["65534:65534"], "nobody");
}

/// Cargo needs every manifest of the workspace, and the program its page.
#[test]
fn what_the_build_reads_is_not_ignored() {
    let ignored = std::fs::read_to_string(here("deploy/Dockerfile.dockerignore")).unwrap();
    let is_ignored = |path: &str| {
        ignored.lines().any(|line| match line.strip_prefix("**/") {
            Some(name) => path.split('/').any(|part| part == name),
            None => path == line || path.starts_with(&format!("{line}/")),
        })
    };
    assert!(is_ignored("target/release/x") && is_ignored(".git/config"));
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(here(""))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let root = metadata["workspace_root"].as_str().unwrap();
    let mut read: BTreeSet<String> =
        ["Cargo.toml", "Cargo.lock", "adapters/bridge/page/index.html"].map(str::to_owned).into();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = package["manifest_path"].as_str().unwrap();
        if let Some(path) = manifest.strip_prefix(root) {
            read.insert(path.trim_start_matches('/').to_owned());
        }
    }
    assert!(read.len() > 10, "{read:?}");
    for path in read {
        assert!(!is_ignored(&path), "{path}");
        assert!(Path::new(root).join(&path).is_file(), "{path}");
    }
}

#[tokio::test]
async fn the_image_listens_where_it_says_and_its_health_can_be_asked() {
    let broker = broker();
    let [pages, operators] = [nobody().unwrap(), nobody().unwrap()];
    let mut bridge = Command::new(env!("CARGO_BIN_EXE_klamm-bridge"));
    let mut exposed = Vec::new();
    for (entry, free) in all_of("ENV").iter().zip([pages, operators]) {
        let (name, value) = entry.split_once('=').unwrap();
        let (host, port) = value.rsplit_once(':').unwrap();
        assert_eq!(host, "0.0.0.0", "{name}: other containers reach no other address");
        exposed.push(port.to_owned());
        bridge.env(name, format!("{host}:{}", free.port()));
    }
    assert_eq!(all_of("EXPOSE"), [exposed.join(" ")]);

    let check = all_of("HEALTHCHECK");
    let check = words(check[0].split_once("CMD ").unwrap().1).into_iter();
    let check: Vec<_> =
        check.map(|word| word.replace(&exposed[1], &operators.port().to_string())).collect();
    let ask = || -> Output { Command::new(&check[0]).args(&check[1..]).output().unwrap() };
    assert!(!ask().status.success(), "nobody is there yet");

    let keys = format!("[{{algorithm='HS256', secret='{SECRET}'}}]");
    let bootstrap = broker.address().to_string();
    bridge.env("KLAMM_BRIDGE_AUTH_KEYS", keys).env("KLAMM_BRIDGE_KAFKA_BOOTSTRAP", bootstrap);
    bridge.env("KLAMM_BRIDGE_AUTH_ORIGINS", ORIGIN).stderr(Stdio::null());
    let running = Running(bridge.spawn().unwrap());
    while std::net::TcpStream::connect(operators).is_err()
        || std::net::TcpStream::connect(pages).is_err()
    {
        tokio::task::yield_now().await;
    }
    let asked = ask();
    assert!(asked.status.success(), "{asked:?}");
    // Numbers are for operators, not for pages.
    assert!(get(operators, "/metrics").await.starts_with("HTTP/1.1 200"));
    assert!(get(pages, "/metrics").await.starts_with("HTTP/1.1 404"));
    drop(running);
    assert!(!ask().status.success(), "nobody is there any more");
}
