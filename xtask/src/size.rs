//! `cargo xtask size`: what klamm costs in flash and static memory: one firmware image with it less one without.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use object::elf::SHF_ALLOC;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SectionKind};
use xshell::Shell;

use crate::target::Compiler;

const TARGET: &str = "thumbv7m-none-eabi";
const EXAMPLE: &str = "firmware-examples/size";

/// Bytes of flash that the image with klamm may have more than the one without.
const FLASH_BUDGET: u64 = 45 * 1024;
/// Bytes of `.bss` that it may have more: `Resources<1400, 4, 2, 2>`.
const BSS_BUDGET: u64 = 10 * 1024;
/// One byte of `Resources` that is not zero moves all of it to `.data`, and a copy of it into flash.
const DATA_BUDGET: u64 = 0;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Show this many of the largest symbols
    #[arg(long, default_value_t = 0)]
    symbols: usize,
}

pub(crate) fn check(sh: &Shell) -> Result<()> {
    run(sh, &Args { symbols: 0 })
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let compiler = Compiler::find(sh, &[TARGET])?;
    let _dir = sh.push_dir(EXAMPLE);
    compiler.build(sh, TARGET).args(["--release", "--bins"]).run()?;
    let images = sh.current_dir().join(compiler.target_dir()).join(TARGET).join("release");
    let without = Image::read(sh, &images.join("bare"))?;
    let with = Image::read(sh, &images.join("producer"))?;

    let over = table(&without, &with);
    let symbols = if over.is_empty() { args.symbols } else { args.symbols.max(25) };
    for (size, name) in with.symbols.iter().take(symbols) {
        println!("{size:>7}  {name}");
    }
    ensure!(over.is_empty(), "over the budget: {}", over.join(", "));
    Ok(())
}

/// Prints both images and klamm's part; returns the names of what is over its budget.
fn table(without: &Image, with: &Image) -> Vec<&'static str> {
    println!("{TARGET}, opt-level z, bytes");
    println!("{:<16} {:>9} {:>9} {:>9} {:>9}", "", "without", "with", "klamm", "budget");
    let mut names: Vec<&str> = with.sections.iter().map(|section| section.name.as_str()).collect();
    names.retain(|name| !matches!(*name, ".data" | ".bss"));
    for name in names {
        let (without, with) = (without.section(name), with.section(name));
        println!("{name:<16} {without:>9} {with:>9} {:>9}", part(without, with));
    }

    let mut over = Vec::new();
    let mut judged = |name, without, with, budget| {
        let part = part(without, with);
        let remark = if part > budget { "OVER" } else { "" };
        println!("{name:<16} {without:>9} {with:>9} {part:>9} {budget:>9} {remark}");
        if part > budget {
            over.push(name);
        }
    };
    judged("flash", without.flash(), with.flash(), FLASH_BUDGET);
    judged(".data", without.section(".data"), with.section(".data"), DATA_BUDGET);
    judged(".bss", without.section(".bss"), with.section(".bss"), BSS_BUDGET);
    over
}

/// No image is smaller with klamm; a section that shrank by alignment has no part of it.
fn part(without: u64, with: u64) -> u64 {
    with.saturating_sub(without)
}

/// What a linked image has in memory.
pub(crate) struct Image {
    sections: Vec<Section>,
    /// Functions and statics with their sizes, the largest first.
    pub(crate) symbols: Vec<(u64, String)>,
}

struct Section {
    name: String,
    size: u64,
    in_flash: bool,
}

impl Image {
    pub(crate) fn read(sh: &Shell, path: &Path) -> Result<Self> {
        let bytes = sh.read_binary_file(path)?;
        let file = object::File::parse(&*bytes)
            .with_context(|| format!("{} is not an ELF image", path.display()))?;
        let mut sections = Vec::new();
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            if sh_flags.0 & SHF_ALLOC.0 != 0 && section.size() > 0 {
                let in_flash = section.kind() != SectionKind::UninitializedData;
                sections.push(Section {
                    name: section.name()?.to_owned(),
                    size: section.size(),
                    in_flash,
                });
            }
        }
        let mut symbols: Vec<(u64, String)> = file
            .symbols()
            .filter(|symbol| symbol.size() > 0)
            .filter_map(|symbol| Some((symbol.size(), symbol.name().ok()?)))
            .map(|(size, name)| (size, format!("{:#}", rustc_demangle::demangle(name))))
            .collect();
        symbols.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Self { sections, symbols })
    }

    fn section(&self, name: &str) -> u64 {
        self.sections
            .iter()
            .filter(|section| section.name == name)
            .map(|section| section.size)
            .sum()
    }

    /// `.data` too: its first values are copied from there.
    pub(crate) fn flash(&self) -> u64 {
        self.sections.iter().filter(|section| section.in_flash).map(|section| section.size).sum()
    }

    /// All that is in memory before the first call: what is not the stack's.
    pub(crate) fn ram(&self) -> u64 {
        [".data", ".bss", ".uninit"].map(|name| self.section(name)).iter().sum()
    }
}
