//! `klamm-bridge --check`: says what is wrong with a configuration, and starts nothing.

use std::process::Command;

use klamm_bridge::Config;

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

/// What operators copy.
#[test]
fn the_readme_knows_the_options() {
    let readme = include_str!("../../README.md");
    let (_, example) = readme.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let given: Config = toml::from_str(example).unwrap();
    assert_eq!((given.kafka.tls, given.auth.keys.len()), (true, 1));

    // `a`, `b` | 1, 2 | of the table of limits are options, with what they are without a word.
    let all = toml::Table::try_from(Config::default()).unwrap();
    let limits = all["limits"].as_table().unwrap();
    let (_, table) = readme.split_once("## Limits\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.split('|').skip(1);
        let (names, values) = (cells.next().unwrap(), cells.next().unwrap());
        for (name, value) in names.split(',').zip(values.split(", ")) {
            let name = name.trim().trim_matches('`');
            let value = value.trim().replace(',', "");
            let (number, unit) = value.split_once(' ').unwrap_or((&value, ""));
            let scale = match unit {
                "KiB" => 1_024.0,
                "MiB" => 1_048_576.0,
                _ => 1.0,
            };
            let said = number.parse::<f64>().unwrap() * scale;
            let default = limits[name].as_integer().unwrap();
            // 1.06 MiB is rounded.
            let off = (said / f64::from(i32::try_from(default).unwrap()) - 1.0).abs();
            assert!(off < 0.01, "limits.{name}: {default}, not {said}");
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}
