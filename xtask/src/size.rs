//! `cargo xtask size`: what klamm costs in flash and static memory: firmware images with it less one without.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use xshell::Shell;

use crate::image::Image;
use crate::tables::{self, row, thousands};
use crate::target::Compiler;

const TARGET: &str = "thumbv7m-none-eabi";
const EXAMPLE: &str = "firmware-examples/size";
/// The image without klamm.
const BARE: &str = "bare";

/// The images, and what klamm's part of each may be.
const IMAGES: &[Budget] = &[
    Budget { image: "adapter", what: "core and embassy adapter", flash: Some(30_400) },
    Budget { image: "producer", what: "core, what firmware calls of it", flash: Some(25_800) },
    Budget { image: "whole", what: "core, all of its API", flash: Some(30_000) },
    Budget { image: "mqtt", what: "minimq, for comparison", flash: None },
];
/// Record memory of `Resources<1400, 4, 2, 2>` (of the adapter's, `<1400, 4, 2, 1, 64, 64>`), the caller's to choose:
/// all else is klamm's state.
const CHUNKS: u64 = 4 * 1400;
/// Numbers instead of firmware: what each parameter of the adapter's `Resources` costs.
const MEMORY: &str = "memory";
/// Where the table of those is.
const CHAPTER: &str = "docs/embedded.md";
const STATE_BUDGET: u64 = 3_100;
/// Panics that are left, and why.
const PANICS: &[&str] = &[
    // Of `klamm::storage::broken`: an invariant of klamm's own does not hold, and to go on could mix up records.
    "core::panicking::panic_fmt",
];

struct Budget {
    image: &'static str,
    what: &'static str,
    /// Bytes of flash that it may have more than the image without klamm; `None`: only shown.
    flash: Option<u64>,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show the modules and the 60 largest functions of what firmware uses
    #[arg(long)]
    table: bool,
    /// Show this many of its largest functions
    #[arg(long, default_value_t = 0)]
    symbols: usize,
}

pub(crate) fn check(sh: &Shell) -> Result<()> {
    run(sh, &Args { table: false, symbols: 0 })
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let compiler = Compiler::find(sh, &[TARGET])?;
    let images = {
        let _dir = sh.push_dir(EXAMPLE);
        compiler.build(sh, TARGET).args(["--release", "--bins"]).run()?;
        sh.current_dir().join(compiler.target_dir()).join(TARGET).join("release")
    };
    memory(sh, &images)?;
    let bare = Image::read(sh, &images.join(BARE))?;

    let mut faults = Vec::new();
    println!("{TARGET}, opt-level z, bytes more than without");
    println!("{:<32} {:>9} {:>9} {:>9} {:>9}", "", "flash", "budget", "RAM", "state");
    for budget in IMAGES {
        let image = Image::read(sh, &images.join(budget.image))?;
        faults.extend(judge(budget, &bare, &image));
    }
    let rows = match args {
        Args { symbols, .. } if *symbols > 0 => *symbols,
        Args { table: true, .. } => 60,
        _ if faults.is_empty() => 0,
        _ => 40,
    };
    if rows > 0 {
        println!();
        Image::read(sh, &images.join(IMAGES[0].image))?.print_table(&bare, rows);
    }
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// What each parameter of `Resources` costs, against the chapter.
fn memory(sh: &Shell, images: &Path) -> Result<()> {
    let numbers = Image::words(sh, &images.join(MEMORY), ".klamm_memory")?;
    let [batch, partition, connection, task, base] = numbers[..] else {
        bail!("{MEMORY} has {} numbers", numbers.len());
    };
    let mut table = row(&["one more".into(), "buys".into(), "bytes".into()]) + "|---|---|---|\n";
    for (what, buys, bytes) in [
        ("`BATCHES`", "a batch under way, besides its `CHUNK`", batch),
        ("`PARTITIONS`", "a partition that is written to, and a topic", partition),
        ("`CONNS`", "a connection and four known brokers, besides `RX` and `TX`", connection),
        ("`TASKS`", "a call that waits", task),
        ("", "all else, once", base),
    ] {
        table += &row(&[what.into(), buys.into(), thousands(bytes.into())]);
    }
    tables::settle(sh, CHAPTER, "memory", &table)
}

/// Prints the row of an image; returns what is wrong with it.
fn judge(budget: &Budget, bare: &Image, image: &Image) -> Vec<String> {
    let Budget { image: name, what, flash: most } = *budget;
    // No image is smaller with klamm; a section that shrank by alignment has no part of it.
    let flash = image.flash().saturating_sub(bare.flash());
    let data = image.section(".data").saturating_sub(bare.section(".data"));
    let ram = image.section(".bss").saturating_sub(bare.section(".bss")) + data;
    let Some(most) = most else {
        println!("{what:<32} {flash:>9} {:>9} {ram:>9}", "");
        return Vec::new();
    };
    let state = ram.saturating_sub(CHUNKS);
    println!("{what:<32} {flash:>9} {most:>9} {ram:>9} {state:>9}");
    let mut faults = Vec::new();
    if flash > most {
        faults.push(format!("{name}: {flash} bytes of flash, {} over the budget", flash - most));
    }
    if state > STATE_BUDGET {
        faults.push(format!("{name}: {state} bytes of state, the budget is {STATE_BUDGET}"));
    }
    if data > 0 {
        // One byte of `Resources` that is not zero moves all of it to `.data`, and a copy of it into flash.
        faults.push(format!("{name}: {data} bytes of .data"));
    }
    for panic in image.panics().into_iter().filter(|panic| !PANICS.contains(panic)) {
        faults.push(format!("{name}: a path to {panic}"));
    }
    faults
}
