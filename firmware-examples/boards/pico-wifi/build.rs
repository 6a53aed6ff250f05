//! Finds the description of the board for the Wi-Fi chip, or takes an empty one.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-env-changed=KLAMM_CYW43_NVRAM");
    let path = match env::var_os("KLAMM_CYW43_NVRAM") {
        Some(path) => fs::canonicalize(path).expect("KLAMM_CYW43_NVRAM: the path of a file"),
        None => {
            println!("cargo:warning=no KLAMM_CYW43_NVRAM: compiles, but stops at the start");
            let path = PathBuf::from(env::var_os("OUT_DIR").expect("set by Cargo")).join("empty");
            fs::write(&path, []).expect("OUT_DIR can be written to");
            path
        }
    };
    println!("cargo:rerun-if-changed={}", path.display());
    println!("cargo:rustc-env=KLAMM_NVRAM={}", path.display());
}
