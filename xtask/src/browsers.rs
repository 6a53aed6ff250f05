//! The stage `browsers`: every JavaScript runtime and real browsers produce to Apache Kafka, while what they need is
//! taken from them; and what bundlers make of the package is loaded in Chromium.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{setup, test, web};

/// The programs that the tests start, and the variable that names each of them.
const PROGRAMS: &[(&str, &str)] =
    &[("klamm", "KLAMM"), ("klamm-bridge", "KLAMM_BRIDGE"), ("interop-kafka", "INTEROP_KAFKA")];

pub(crate) fn check(sh: &Shell) -> Result<()> {
    test::kafka_tools(sh)?;
    setup::program(sh, "chromium", "chromium")?;
    setup::program(sh, "firefox-esr", "firefox-esr")?;
    setup::program(sh, "openssl", "openssl")?;
    web::build(sh)?;
    let mut build = cmd!(sh, "cargo build -p klamm-cli -p klamm-bridge -p klamm-interop");
    let mut tests = cmd!(sh, "node --test --test-concurrency=1");
    for (program, variable) in PROGRAMS {
        build = build.args(["--bin", program]);
        tests = tests.env(variable, sh.current_dir().join("target/debug").join(program));
    }
    build.run()?;
    let _dir = sh.push_dir("wasm");
    let files = sh.read_dir("test/browsers")?;
    let files = files.iter().filter(|file| file.to_string_lossy().ends_with(".test.mjs"));
    tests.args(files).run()?;
    Ok(())
}
