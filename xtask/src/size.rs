//! `cargo xtask size`: what klamm costs in flash and static memory: firmware images with it less one without.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use xshell::Shell;

use crate::image::Image;
use crate::lean;
use crate::tables::{self, row, thousands};
use crate::target::Compiler;

const TARGET: &str = "thumbv7m-none-eabi";
const EXAMPLE: &str = "firmware-examples/size";
/// The image without klamm.
const BARE: &str = "bare";

/// Features of the image's package, and what klamm's part of each image may be. First what issue 6 has a budget for: one
/// address, 24,576 bytes of flash and 2,048 of state.
const BUILDS: &[(&str, &[Budget])] = &[
    (
        "",
        &[
            Budget::new("adapter", "core and adapter, one address", 25_550, 2_048),
            Budget::new("producer", "core of it, as firmware calls it", 21_700, 1_400),
        ],
    ),
    (
        "cluster",
        &[
            Budget::new("adapter", "core and adapter, clusters", 28_300, 2_500),
            Budget::new("producer", "core of it, as firmware calls it", 24_350, 1_800),
            Budget::new("whole", "core of it, all of its API", 28_550, 1_800),
            Budget { image: "mqtt", what: "minimq, for comparison", most: None },
        ],
    ),
];
/// The image of issue 6 once more, built for size alone: the aim is for this one. The stage `firmware` runs a demo that is
/// built like that.
const LEAN: Budget = Budget::new("adapter", "the same, built for size alone", 24_576, 2_048);
/// Record memory of `Resources<1400, 4, 2, 1>` (of the adapter's, `<1400, 4, 2, 1, 64, 64, 2>`), the caller's to choose:
/// all else is klamm's state.
const CHUNKS: u64 = 4 * 1400;
/// Numbers instead of firmware: what each parameter of the adapter's `Resources` costs.
const MEMORY: &str = "memory";
/// Where the table of those is.
const CHAPTER: &str = "docs/embedded.md";
/// Panics that are left, and why.
const PANICS: &[&str] = &[
    // Of `klamm::storage::broken`: an invariant of klamm's own does not hold, and to go on could mix up records.
    "core::panicking::panic_fmt",
];

struct Budget {
    image: &'static str,
    what: &'static str,
    /// Bytes of flash that it may have more than the image without klamm, and bytes of state; `None`: only shown.
    most: Option<(u64, u64)>,
}

impl Budget {
    const fn new(image: &'static str, what: &'static str, flash: u64, state: u64) -> Self {
        Self { image, what, most: Some((flash, state)) }
    }
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
    let mut images = Vec::new();
    let dir = {
        let _dir = sh.push_dir(EXAMPLE);
        let dir = sh.current_dir().join(compiler.target_dir()).join(TARGET).join("release");
        for (features, budgets) in BUILDS {
            let build = compiler.build(sh, TARGET).args(["--release", "--bins"]);
            build.args(["--features", features]).run()?;
            for budget in *budgets {
                images.push((budget, Image::read(sh, &dir.join(budget.image))?));
            }
        }
        dir
    };
    memory(sh, &dir)?;
    let bare = Image::read(sh, &dir.join(BARE))?;
    let lean = lean(sh)?;

    println!("{TARGET}, opt-level z, bytes more than without");
    let heads = ["flash", "budget", "RAM", "state", "budget"];
    println!("{:<34}{}", "", heads.map(|head| format!("{head:>9}")).concat());
    let mut table = row(&["bytes".into(), "flash".into(), "RAM".into(), "of it state".into()])
        + "|---|---|---|---|\n";
    let mut faults = Vec::new();
    for (place, (budget, image)) in images.iter().enumerate() {
        faults.append(&mut judge(budget, &bare, image, &mut table));
        let klamms = |panic: &&str| budget.most.is_some() && !PANICS.contains(panic);
        for panic in image.panics().into_iter().filter(klamms) {
            faults.push(format!("{}: a path to {panic}", budget.image));
        }
        // Of the lean one names say nothing: functions that do the same are merged there, and panics all do.
        if place == 0 {
            let (bare, image) = &lean;
            faults.append(&mut judge(&LEAN, bare, image, &mut table));
        }
    }
    tables::settle(sh, "README.md", "size", &table)?;
    let rows = match args {
        Args { symbols, .. } if *symbols > 0 => *symbols,
        Args { table: true, .. } => 60,
        _ if faults.is_empty() => 0,
        _ => 40,
    };
    if let Some((_, image)) = images.first().filter(|_| rows > 0) {
        println!();
        image.print_table(&bare, rows);
    }
    ensure!(faults.is_empty(), "{}", faults.join("; "));
    Ok(())
}

/// The images without klamm and with it, built for size alone.
fn lean(sh: &Shell) -> Result<(Image, Image)> {
    let compiler = Compiler::that_builds_std(sh)?;
    let _dir = sh.push_dir(EXAMPLE);
    let bins = ["--bin", BARE, "--bin", LEAN.image];
    lean::build(sh, &compiler, ".", "klamm-size").args(bins).run()?;
    let dir = sh.current_dir().join(compiler.target_dir()).join(lean::TARGET).join("release");
    Ok((Image::read(sh, &dir.join(BARE))?, Image::read(sh, &dir.join(LEAN.image))?))
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

/// Prints the row of an image, and adds it to the table; returns what is wrong with it.
fn judge(budget: &Budget, bare: &Image, image: &Image, table: &mut String) -> Vec<String> {
    let Budget { image: name, what, most } = *budget;
    // No image is smaller with klamm; a section that shrank by alignment has no part of it.
    let flash = image.flash().saturating_sub(bare.flash());
    let data = image.section(".data").saturating_sub(bare.section(".data"));
    let ram = image.section(".bss").saturating_sub(bare.section(".bss")) + data;
    let Some((most_flash, most_state)) = most else {
        println!("{what:<34}{flash:>9}{:>9}{ram:>9}", "");
        *table += &row(&[what.into(), thousands(flash), thousands(ram), String::new()]);
        return Vec::new();
    };
    let state = ram.saturating_sub(CHUNKS);
    *table += &row(&[what.into(), thousands(flash), thousands(ram), thousands(state)]);
    println!("{what:<34}{flash:>9}{most_flash:>9}{ram:>9}{state:>9}{most_state:>9}");
    let mut faults = Vec::new();
    if flash > most_flash {
        let over = flash - most_flash;
        faults.push(format!("{what}: {flash} bytes of flash, {over} over the budget"));
    }
    if state > most_state {
        faults.push(format!("{what}: {state} bytes of state, the budget is {most_state}"));
    }
    if data > 0 {
        // One byte of `Resources` that is not zero moves all of it to `.data`, and a copy of it into flash.
        faults.push(format!("{name}: {data} bytes of .data"));
    }
    faults
}
