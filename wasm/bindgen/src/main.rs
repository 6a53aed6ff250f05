//! `klamm-bindgen IN.wasm OUT_DIR`: what `wasm-bindgen --target web` does. A program of the workspace, so that
//! `Cargo.lock` keeps it at the version of the crate, as it must be, and nothing has to be installed.

use std::env;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use walrus::{FunctionBuilder, FunctionId, FunctionKind, Module};
use wasm_bindgen_cli_support::Bindgen;

/// Parts of the names of functions that only ever panic. The module's panic handler is one instruction and looks at no
/// message, but the compiled core library makes each all the same: a third of the module.
const PANICS: &[&str] = &[
    "9panicking",
    "klamm7storage6broken",
    "slice_index_fail",
    "slice_error_fail",
    "unwrap_failed",
    "expect_failed",
    "handle_alloc_error",
    "capacity_overflow",
    "copy_from_slice_impl17len_mismatch_fail",
];

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let input = args.next().context("usage: klamm-bindgen IN.wasm OUT_DIR")?;
    let output = args.next().context("usage: klamm-bindgen IN.wasm OUT_DIR")?;
    let name = Path::new(&input).file_stem().and_then(|name| name.to_str());
    let name = name.context("the module's file has no name")?.to_owned();
    let mut module = Module::from_file(&input)?;
    let silenced = silence(&mut module)?;
    ensure!(silenced > 0, "{input} has no function that panics: are its names stripped?");
    let mut bindgen = Bindgen::new();
    bindgen.input_module(&name, module).web(true)?;
    // Each runtime's entry says where its module is; names would be the half of its size.
    bindgen.omit_default_module_path(true).remove_name_section(true).remove_producers_section(true);
    bindgen.typescript(true).generate(output)
}

/// Makes functions that panic trap at once, which is what their panic comes to. Returns how many there are.
fn silence(module: &mut Module) -> Result<usize> {
    let panics: Vec<FunctionId> = module
        .funcs
        .iter()
        .filter(|function| matches!(function.kind, FunctionKind::Local(_)))
        .filter(|function| {
            let name = function.name.as_deref().unwrap_or_default();
            PANICS.iter().any(|part| name.contains(part))
        })
        .map(|function| function.id())
        .collect();
    for id in &panics {
        let ty = module.types.get(module.funcs.get(*id).ty());
        let (params, results) = (ty.params().to_vec(), ty.results().to_vec());
        let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
        builder.func_body().unreachable();
        let args = params.iter().map(|param| module.locals.add(*param)).collect();
        let body = builder.local_func(args);
        module.funcs.get_mut(*id).kind = FunctionKind::Local(body);
    }
    walrus::passes::gc::run(module);
    Ok(panics.len())
}
