//! Where a firmware image can panic: every call of a function of `core` that panics or may, found in
//! its machine code, whether anything calls that code or not.
//!
//! Not seen is a call of such a function through a pointer, which no compiler here has made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use addr2line::Loader;
use anyhow::{Context as _, Result, anyhow, ensure};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

/// Functions of `core` that panic, or may, by the start of their names.
const PANICKING: &[&str] = &[
    "core::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    BORROW_FAILED,
    "core::slice::index::slice_",
    "core::slice::copy_from_slice_impl",
    "core::str::slice_error_fail",
    "core::slice::<impl [T]>::copy_from_slice::len_mismatch_fail",
    "__rustc::rust_begin_unwind",
    // What the handlers of the libraries in a C program call, and nothing else may.
    "klamm_panicked",
    "network_panicked",
];

/// The same of indexing by a range, where the compiler made a function of it: beginning, and ends.
const INDEXING: (&str, [&str; 2]) = ("core::ops::range::", ["::index", "::index_mut"]);

const BORROW_FAILED: &str = "core::cell::panic_already";

/// A crate that may have such calls, how many, and why. Whatever is not here may have none.
struct Allowed {
    owner: &'static str,
    sites: usize,
    reason: &'static str,
}

/// Ours are counted: fewer is better. Others' numbers change with their versions.
const ALLOWED: &[Allowed] = &[
    ours(
        "klamm",
        2,
        "`broken`, where an invariant of its own does not hold; `copy`, of two pieces of one length",
    ),
    ours(
        BORROWED,
        20,
        "RefCells of the adapter and of embassy, held over no await and no call back",
    ),
    ours(
        MERGED,
        6,
        "others' inlined into ours: the compiler made one call of several, and kept no line",
    ),
    others("byteorder", "smoltcp's fields of packets, of lengths that it checked"),
    others("embassy-executor", "a task that is run before it is initialized"),
    others("embassy-futures", "a join that is polled after its end"),
    others("embassy-net", "more sockets than `StackResources` has, at the start"),
    others("embassy-time", "an instant past the end of time"),
    others("embassy-time-queue-utils", "a waker that is no embassy executor's"),
    others("heapless", "indices into vectors of its own"),
    others("managed", "a socket handle of another set"),
    others("nom", "a split at a length that was compared before"),
    others("smoltcp", "lengths of packets that it checked before, indices of its own rings"),
];

/// A place in a function that is `core`'s and was inlined nowhere.
const CORE: &str = "core, ";
const APPLICATION: &str = "the application";
/// Whatever crate it is of: the compiler keeps the place where it was inlined.
const BORROWED: &str = "(a RefCell)";
const MERGED: &str = "(no line)";
/// Allowed everywhere: the compiler makes it for every `async fn`, and an `await` never polls one
/// that has ended.
const RESUMED: &str = "core::panicking::panic_const::panic_const_async_fn_resumed";

const fn ours(owner: &'static str, sites: usize, reason: &'static str) -> Allowed {
    Allowed { owner, sites, reason }
}

const fn others(owner: &'static str, reason: &'static str) -> Allowed {
    Allowed { owner, sites: usize::MAX, reason }
}

/// One call that panics.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Site {
    owner: String,
    place: String,
    callee: String,
}

/// Prints the calls by crate; fails for one that is in no crate of the list.
pub(crate) fn check(image: &Path) -> Result<()> {
    let sites = sites(image).with_context(|| image.display().to_string())?;
    // Every image here has smoltcp: nothing found is a decoder that finds nothing.
    ensure!(!sites.is_empty(), "no panic was found in {}, not even smoltcp's", image.display());
    let mut crates: BTreeMap<&str, Vec<&Site>> = BTreeMap::new();
    for site in &sites {
        crates.entry(&site.owner).or_default().push(site);
    }
    let mut bad = Vec::new();
    for (owner, sites) in crates {
        let allowed = ALLOWED.iter().find(|allowed| allowed.owner == owner);
        let reason = allowed.map_or("NOT ALLOWED", |allowed| allowed.reason);
        println!("{:>4} panics in {owner}: {reason}", sites.len());
        if sites.len() > allowed.map_or(0, |allowed| allowed.sites) {
            for site in &sites {
                println!("       {} calls {}", site.place, site.callee);
            }
            bad.push(owner);
        }
    }
    ensure!(bad.is_empty(), "more panics than are allowed in {}", bad.join(", "));
    Ok(())
}

fn sites(image: &Path) -> Result<BTreeSet<Site>> {
    let bytes = std::fs::read(image)?;
    let file = object::File::parse(&*bytes)?;
    let loader = Loader::new(image).map_err(|error| anyhow!("no debug information: {error}"))?;
    let text = file.section_by_name(".text").context("no .text")?;
    let (base, code) = (text.address(), text.data()?);

    let mut panicking = BTreeMap::new();
    let mut marks = BTreeMap::new();
    for symbol in file.symbols() {
        let name = symbol.name().unwrap_or_default();
        match name.get(..2) {
            // Arm's marks: here code begins, here data.
            Some("$t") => _ = marks.insert(symbol.address(), true),
            Some("$d") => _ = marks.insert(symbol.address(), false),
            _ => {}
        }
        let name = format!("{:#}", rustc_demangle::demangle(name));
        if symbol.kind() == SymbolKind::Text && may_panic(&name) {
            // The lowest bit says that it is Thumb.
            let start = symbol.address() & !1;
            panicking.insert(start, (start + symbol.size(), name));
        }
    }
    let within = |at: u64| {
        let (_, (end, name)) = panicking.range(..=at).next_back()?;
        (at < *end).then_some(name)
    };

    let mut sites = BTreeSet::new();
    let ends = marks.keys().skip(1).copied().chain([base + code.len() as u64]);
    for ((&start, is_code), end) in marks.iter().zip(ends).collect::<Vec<_>>() {
        let end = end.min(base + code.len() as u64);
        if !is_code || start < base || start >= end {
            continue;
        }
        let piece = &code[usize::try_from(start - base)?..usize::try_from(end - base)?];
        for (at, to) in branches(piece, start) {
            let Some(callee) = panicking.get(&to).map(|(_, name)| name) else { continue };
            if within(at).is_none() && callee != RESUMED {
                sites.insert(site(&loader, at, callee)?);
            }
        }
    }
    Ok(sites)
}

fn may_panic(function: &str) -> bool {
    let plain = function.trim_start_matches('<');
    let (start, ends) = INDEXING;
    PANICKING.iter().any(|start| plain.starts_with(start))
        || plain.starts_with(start) && ends.iter().any(|end| plain.ends_with(end))
}

/// Calls and far jumps: address and target of each 32-bit branch that knows its target (`BL`,
/// `B.W`).
fn branches(code: &[u8], start: u64) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let halves: Vec<u32> = code
        .chunks_exact(2)
        .map(|half| u32::from(u16::from_le_bytes([half[0], half[1]])))
        .collect();
    let mut i = 0;
    while i < halves.len() {
        let (first, second) = (halves[i], halves.get(i + 1).copied().unwrap_or_default());
        if first >> 11 < 0b11101 {
            i += 1;
            continue;
        }
        // 11110 S imm10, 1 1/0 J1 1 J2 imm11: a distance of 25 bits.
        if first >> 11 == 0b11110 && second & 0x9000 == 0x9000 {
            let sign = first >> 10 & 1;
            let [i1, i2] = [second >> 13 & 1, second >> 11 & 1].map(|j| 1 ^ j ^ sign);
            let distance =
                sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1;
            let at = start + 2 * i as u64;
            let distance = i64::from(distance) - (i64::from(sign) << 25);
            found.push((at, at.wrapping_add(4).wrapping_add_signed(distance)));
        }
        i += 2;
    }
    found
}

/// Of the functions that were inlined at `at` the innermost that is not `core`'s.
fn site(loader: &Loader, at: u64, callee: &str) -> Result<Site> {
    let failed = |error| anyhow!("no place for {at:#x}: {error}");
    let mut frames = loader.find_frames(at).map_err(failed)?;
    let function = rustc_demangle::demangle(loader.find_symbol(at).unwrap_or_default());
    let mut place = format!("{CORE}{function:#}");
    while let Some(frame) = frames.next().map_err(|error| anyhow!("{error}"))? {
        let Some(location) = frame.location else { continue };
        let file = location.file.unwrap_or_default();
        if !file.contains("/library/core/") {
            place = format!("{file}:{}", location.line.unwrap_or_default());
            break;
        }
    }
    let borrowed = callee.starts_with(BORROW_FAILED);
    let owner = if borrowed { BORROWED } else { owner(&place) }.to_owned();
    Ok(Site { owner, place, callee: callee.to_owned() })
}

/// The crate that a source file is of: a folder `name-1.2.3` of the registry, or one of this
/// repository.
fn owner(place: &str) -> &str {
    if place.starts_with(CORE) {
        return "core";
    }
    let versioned = place.split('/').find_map(|folder| {
        let (name, version) = folder.rsplit_once('-')?;
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().is_ok());
        (numbers.next()? && numbers.next()? && numbers.next()?).then_some(name)
    });
    let here = [
        ("/firmware-examples/", APPLICATION),
        ("/adapters/embassy/", "klamm-embassy"),
        ("/adapters/c/", "klamm-c"),
        ("/core/src/", "klamm"),
    ];
    let here = || {
        let (_, name) = here.iter().find(|(folder, _)| place.contains(folder))?;
        Some(if place.ends_with(":0") { MERGED } else { name })
    };
    versioned.or_else(here).unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_decoded_forwards_and_backwards() {
        // movs r0, #0; bl +0x10; b.w to itself; bl to the first instruction
        let code =
            [0x00, 0x20, 0x00, 0xF0, 0x08, 0xF8, 0xFF, 0xF7, 0xFE, 0xBF, 0xFF, 0xF7, 0xF9, 0xFF];
        assert_eq!(branches(&code, 0x100), [(0x102, 0x116), (0x106, 0x106), (0x10A, 0x100)]);
    }

    #[test]
    fn indexing_that_is_a_function_counts_for_its_callers() {
        let name = "<core::ops::range::RangeFrom<usize> as core::slice::index::SliceIndex<[T]>>::";
        assert!(may_panic(&format!("{name}index_mut")));
        assert!(!may_panic(&format!("{name}get_mut")));
        assert!(may_panic("core::panicking::panic_fmt"));
        assert!(!may_panic("core::str::converts::from_utf8"));
    }

    #[test]
    fn a_place_has_an_owner() {
        let registry = "/x/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        assert_eq!(owner(&format!("{registry}/smoltcp-0.13.1/src/a.rs:7")), "smoltcp");
        assert_eq!(owner(&format!("{registry}/smoltcp-0.13.1/src/a.rs:0")), "smoltcp");
        assert_eq!(owner("core, core::str::from_utf8"), "core");
        assert_eq!(owner("/x/core/src/producer/mod.rs:9"), "klamm");
        assert_eq!(owner("/x/core/src/producer/mod.rs:0"), MERGED);
        assert_eq!(owner("/x/firmware-examples/app/src/lib.rs:9"), APPLICATION);
        assert_eq!(owner("/x/src/lib.rs:9"), "/x/src/lib.rs:9");
    }
}
