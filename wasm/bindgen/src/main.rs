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
    // What writes numbers into such messages: nothing else is formatted.
    "4core3fmt",
    "3str5count14do_count_chars",
];

/// What `js/engine.ts` uses. Whatever else is exported would keep code that nobody calls.
const EXPORTS: &[&str] = &["memory", "setup_new", "setup_area", "engine_start", "engine_call"];

/// Texts of panics, which nobody reads any more: the linker has put them among other data, so they are blanked out.
const WORDS: &[&str] = &[
    "a batch has one outcome",
    "a chunk is freed once",
    "a list runs through its slots",
    "a slot has links for every list",
    "an epoch is bumped with nothing in flight",
    "an index lies in its slab",
    "every chunk has a bit",
    "only what is in flight comes back",
    ": this is a bug in klamm",
    "attempted to take ownership of Rust value while it was borrowed",
    "capacity overflow",
    "copy_from_slice: source slice length (",
    ") does not match destination slice length (",
    "dest is out of bounds",
    "memory allocation of ",
    " bytes failed",
    "null pointer passed to rust",
    "recursive use of an object detected which would lead to unsafe aliasing in rust",
    "slice index starts at ",
    " but ends at ",
    "range start index ",
    "range end index ",
    " out of range for slice of length ",
    "Tried to shrink to a larger capacity",
];

/// Where names of source files begin.
const FOLDERS: &[&str] = &["/rustc/", "core/src/", "wasm/src/"];
/// No such name is longer.
const PATH_MAX: usize = 120;

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let usage = "usage: klamm-bindgen IN.wasm OUT_DIR [--whole]";
    let input = args.next().context(usage)?;
    let output = args.next().context(usage)?;
    // The playground formats texts and has exports of its own.
    let whole = args.next().is_some_and(|arg| arg == "--whole");
    let name = Path::new(&input).file_stem().and_then(|name| name.to_str());
    let name = name.context("the module's file has no name")?.to_owned();
    let mut module = Module::from_file(&input)?;
    if !whole {
        let silenced = silence(&mut module)?;
        ensure!(silenced > 0, "{input} has no function that panics: are its names stripped?");
    }
    let mut bindgen = Bindgen::new();
    bindgen.input_module(&name, module).web(true)?;
    // Each runtime's entry says where its module is; names would be the half of its size.
    bindgen.omit_default_module_path(true).remove_name_section(true).remove_producers_section(true);
    bindgen.typescript(true).generate(&output)?;
    if whole {
        return Ok(());
    }
    let made = Path::new(&output).join(format!("{name}_bg.wasm"));
    let mut module = Module::from_file(&made)?;
    let unused: Vec<_> = module
        .exports
        .iter()
        .filter(|export| !EXPORTS.contains(&export.name.as_str()))
        .map(|export| export.id())
        .collect();
    for id in unused {
        module.exports.delete(id);
    }
    walrus::passes::gc::run(&mut module);
    blank(&mut module);
    module.emit_wasm_file(made)
}

/// Makes texts of panics and names of source files zeros, which gzip likes.
fn blank(module: &mut Module) {
    let ids: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    for id in ids {
        let bytes = &mut module.data.get_mut(id).value;
        for word in WORDS {
            while let Some(at) = find(bytes, word.as_bytes()) {
                bytes[at..at + word.len()].fill(0);
            }
        }
        for folder in FOLDERS {
            while let Some(at) = find(bytes, folder.as_bytes()) {
                let end = find(&bytes[at..], b".rs").map_or(folder.len(), |length| length + 3);
                bytes[at..at + end.min(PATH_MAX)].fill(0);
            }
        }
    }
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|part| part == word)
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
