//! `klamm-bindgen IN.wasm OUT_DIR`: what `wasm-bindgen --target web` does. A program of the workspace, so that
//! `Cargo.lock` keeps it at the version of the crate, as it must be, and nothing has to be installed.

use std::env;

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let input = args.next().context("usage: klamm-bindgen IN.wasm OUT_DIR")?;
    let output = args.next().context("usage: klamm-bindgen IN.wasm OUT_DIR")?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).web(true)?;
    // Each runtime's entry says where its module is; names would be the half of its size.
    bindgen.omit_default_module_path(true).remove_name_section(true).remove_producers_section(true);
    bindgen.typescript(true).generate(output)
}
