//! Completions and the manual: made of the command line's description, so they know all of it.

use std::process::{Command, Stdio};

use crate::{klamm, text};

const COMMANDS: [&str; 7] =
    ["produce", "perf", "metadata", "explain", "dev-broker", "completions", "man"];

fn output(args: &[&str]) -> String {
    let output = klamm(args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty());
    text(&output.stdout)
}

/// What bash would offer for these words, of which the last is being typed.
fn completed(words: &[&str]) -> Vec<String> {
    let script = output(&["completions", "bash"]);
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let asking = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_klamm klamm '{last}' '{before}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
    );
    let output = Command::new("bash").args(["--norc", "-c", &asking]).output().expect("bash runs");
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(completed(&["klamm", "p"]), ["produce", "perf"]);
    assert_eq!(completed(&["klamm", "perf", "--war"]), ["--warmup"]);
    assert_eq!(completed(&["klamm", "perf", "--payload", "r"]), ["random"]);
    assert_eq!(completed(&["klamm", "metadata", "--js"]), ["--json"]);
}

#[test]
fn every_shell_has_a_script_that_knows_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = output(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("key-delimiter") && script.contains("warmup"), "{shell}");
    }
    let output = klamm(&["completions", "tcsh"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("possible values"), "{output:?}");
}

#[test]
fn the_manual_has_a_page_for_every_command_with_all_its_options() {
    let page = output(&["man"]);
    assert!(page.contains(".TH klamm 1"), "{page}");
    for command in COMMANDS {
        let name = command.replace('-', "\\-");
        assert!(page.contains(&format!("klamm\\-{name}(1)")), "{command}: {page}");
        let page = output(&["man", command]);
        assert!(page.contains(&format!(".TH klamm-{command} 1")), "{page}");
        // What the help knows, the page knows.
        let help = output(&[command, "--help"]);
        let options = help.lines().filter_map(|line| line.trim_start().strip_prefix('-'));
        let long =
            options.filter_map(|line| line.split("--").nth(1).or_else(|| line.strip_prefix('-')));
        let mut count = 0;
        for option in long.filter_map(|option| option.split([' ', ',']).next()) {
            let option = option.replace('-', "\\-");
            assert!(page.contains(&format!("\\-\\-{option}")), "{command}: {option}");
            count += 1;
        }
        assert!(count > 0, "{help}");
    }
    let output = klamm(&["man", "nope"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let line = text(&output.stderr);
    assert!(
        line.starts_with("klamm: there is no command nope; there are produce, perf, "),
        "{line}"
    );
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    for args in
        [&["completions", "zsh"][..], &["man"], &["metadata"], &["perf", "-t", "t", "-n", "9"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
        let output = command.args(args).stdout(writer).stderr(Stdio::piped()).spawn();
        let output = output.expect("it starts").wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        let complaints = text(&output.stderr);
        assert!(!complaints.contains("klamm: "), "{args:?}: {complaints}");
    }
}
