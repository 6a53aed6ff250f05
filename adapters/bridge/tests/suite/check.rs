//! `klamm-bridge --check`: says what is wrong with a configuration, and starts nothing.

use std::process::Command;

use crate::common::SECRET;

/// What the program ends with and says, with these flags.
fn check(flags: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_klamm-bridge"))
        .args(["--check", "--listen", "192.0.2.1:1"])
        .args(flags)
        .env("KLAMM_BRIDGE_KAFKA_BOOTSTRAP", "kafka.invalid:9092")
        .env("KLAMM_BRIDGE_AUTH_KEYS", format!("[{{algorithm='HS256', secret='{SECRET}'}}]"))
        .output()
        .unwrap();
    assert!(output.stdout.is_empty());
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_good_configuration_is_good_without_a_broker_or_its_address() {
    assert_eq!(check(&[]), (true, String::new()));
    // Shorter than what a request has by default.
    assert_eq!(check(&["--http.delivery-timeout-s", "5"]), (true, String::new()));
    let sasl = ["--kafka.sasl", "scram-sha-256", "--kafka.username", "u", "--kafka.password", "p"];
    assert_eq!(check(&sasl), (true, String::new()));
}

#[test]
fn what_is_wrong_is_named() {
    let nowhere = "/nowhere/file.pem";
    for (flags, named) in [
        (&["--tls.certificate", nowhere, "--tls.key", nowhere][..], "tls.certificate"),
        (&["--kafka.tls", "true", "--kafka.ca", nowhere], "kafka.ca"),
        (&["--kafka.bootstrap", "kafka.invalid"], "kafka.bootstrap"),
        (&["--kafka.sasl", "plain", "--kafka.username", "u", "--kafka.password", "p"], "kafka.tls"),
        (&["--kafka.sasl", "gssapi", "--kafka.username", "u", "--kafka.password", "p"], "gssapi"),
        (&["--kafka.sasl", "scram-sha-256"], "kafka.password"),
        (&["--kafka.sasl", "scram-sha-256", "--kafka.password-file", nowhere], nowhere),
        (&["--auth.keys", "[]"], "auth.keys"),
        (&["--auth.keys", "[{algorithm='HS256', secret='short'}]"], "auth.keys"),
        (&["--auth.origins", "https://a.example/"], "auth.origins"),
        (&["--limits.message", "1"], "limits.message"),
        (&["--limits.idle-s", "1"], "limits.idle_s"),
        (&["--policy.codecs", "brotli"], "brotli"),
        (&["--http.compression", "brotli"], "brotli"),
        (&["--http.delivery-timeout-s", "0"], "http"),
        (&["--config", nowhere], nowhere),
    ] {
        let (is_good, said) = check(flags);
        assert!(!is_good, "{flags:?}");
        assert!(said.starts_with("klamm-bridge: ") && said.contains(named), "{flags:?}: {said}");
        assert!(!said.contains(SECRET) && !said.contains("'short'"), "{said}");
    }
}

#[test]
fn the_environment_goes_over_the_file_and_flags_over_both() {
    let name = format!("klamm-bridge-{}-layers.toml", std::process::id());
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, "[limits]\nmessage = 1\n").unwrap();
    let good = |variable: Option<&str>, flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm-bridge"));
        command.arg("--check").arg("--config").arg(&file).args(flags);
        command
            .env("KLAMM_BRIDGE_AUTH_KEYS", format!("[{{algorithm='HS256', secret='{SECRET}'}}]"));
        if let Some(value) = variable {
            command.env("KLAMM_BRIDGE_LIMITS_MESSAGE", value);
        }
        command.output().unwrap().status.success()
    };
    assert!(!good(None, &[]));
    assert!(good(Some("65536"), &[]));
    assert!(!good(Some("65536"), &["--limits.message", "2"]));
    assert!(good(Some("2"), &["--limits.message", "65536"]));
    std::fs::remove_file(&file).unwrap();
}
