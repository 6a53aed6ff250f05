//! Writes traces into a directory, and tells what each comes to: name, hash and bytes.

use std::path::PathBuf;
use std::process::ExitCode;

use klamm_replay::record::record;
use klamm_replay::{Codec, Digest, Output};

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: record DIRECTORY");
        return ExitCode::FAILURE;
    };
    for (name, codec) in [("plain", Codec::None), ("gzip", Codec::Gzip)] {
        let Some(run) = record(codec, 7, 4_000) else {
            eprintln!("the codec of `{name}` is not built in");
            return ExitCode::FAILURE;
        };
        let mut digest = Digest::default();
        digest.put(&run.output);
        let path = dir.join(name).with_extension("trace");
        if let Err(error) = std::fs::write(&path, run.trace) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{name} {:016x} {}", digest.hash, digest.bytes);
    }
    ExitCode::SUCCESS
}
