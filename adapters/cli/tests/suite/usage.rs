//! Command lines that are wrong: one line on standard error, exit code 2, nothing sent.

use crate::{klamm, text};

fn refusal(args: &[&str]) -> String {
    let output = klamm(args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
    assert!(output.stdout.is_empty());
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{args:?}: {line}");
    line
}

#[test]
fn clap_and_klamm_refuse_in_one_line() {
    let line = refusal(&["produce"]);
    assert!(line.contains("--topic"), "{line}");
    assert!(refusal(&["produce", "-t", "t", "--nonsense"]).contains("--nonsense"));
    assert!(refusal(&["produce", "-t", "t", "-k", "a", "-K", ":"]).contains("cannot be used with"));
    assert!(refusal(&["produce", "-t", "t", "-K", ""]).contains("at least one character"));
    assert!(refusal(&["produce", "-t", "t", "-p", "-1"]).contains("-1"));
    assert!(refusal(&["dev-broker", "--topic", "readings"]).contains("NAME:PARTITIONS"));
    assert!(refusal(&[]).contains("klamm produce or klamm dev-broker"));
}

#[test]
fn properties_are_checked_before_anything_is_sent() {
    let with = |properties: &[&str]| {
        let mut args = vec!["produce", "-b", "127.0.0.1:1", "-t", "t"];
        properties.iter().for_each(|property| args.extend(["-X", property]));
        refusal(&args)
    };
    let line = with(&["lingr.ms=5"]);
    assert_eq!(line, "klamm: unknown property lingr.ms; did you mean linger.ms?\n");
    let line = with(&["enable.idempotence=true", "acks=1"]);
    assert!(line.contains("enable.idempotence=true conflicts with acks=1"), "{line}");
    let line = with(&["delivery.timeout.ms=1"]);
    assert!(line.contains("delivery.timeout.ms=1 conflicts with linger.ms=5"), "{line}");
    let line = with(&["linger.ms=5", "queue.buffering.max.ms=6"]);
    assert!(line.contains("same property"), "{line}");
    assert!(with(&["linger.ms"]).contains("NAME=VALUE"));
    assert!(with(&["batch.size=many"]).contains("expected a whole number of bytes"));
    assert!(with(&["bootstrap.servers=other:1"]).contains("bootstrap.servers"));
    assert!(refusal(&["produce", "-b", "nonsense", "-t", "t"]).contains("host:port"));
    let codecs = "none, gzip, snappy, lz4 or zstd";
    assert!(refusal(&["produce", "-b", "h:1", "-t", "t", "-z", "zip"]).contains(codecs));
    assert!(refusal(&["produce", "-t", "t", "-z", "lz77"]).contains(codecs), "no broker yet");
    assert!(refusal(&["produce", "-b", "127.0.0.1:1", "-t", "no/topic"]).contains("no/topic"));
}

#[test]
fn a_dev_broker_says_what_names_topics_have() {
    let args = ["dev-broker", "--listen", "127.0.0.1:0", "--topic", "no/topic:1"];
    let output = klamm(&args).output().expect("it runs");
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    let line = text(&output.stderr);
    assert!(line.contains("\"no/topic\"") && line.contains("1 to 249 letters"), "{line}");
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [&["--help"][..], &["produce", "--help"], &["--version"]] {
        let output = klamm(args).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty() && !output.stdout.is_empty());
    }
}

#[test]
fn a_file_that_is_not_there_is_noticed_before_anything_is_sent() {
    let args = ["produce", "-b", "127.0.0.1:1", "-t", "t", "/nowhere/readings.txt"];
    let output = klamm(&args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let line = text(&output.stderr);
    assert_eq!(line, "klamm: cannot read /nowhere/readings.txt: No such file or directory\n");
}
