//! `cargo xtask boards`: images for real boards, which are compiled here and cannot be run. The tests look for lints in
//! them, too.

use core::ops::Range;

use anyhow::Result;
use xshell::Shell;

use crate::image::Image;
use crate::tables::{self, row, thousands};
use crate::target::Compiler;

const EXAMPLES: &str = "firmware-examples/boards";

const THUMBV6M: &str = "thumbv6m-none-eabi";
const THUMBV7EM: &str = "thumbv7em-none-eabihf";
const THUMBV8M: &str = "thumbv8m.main-none-eabihf";
const RISCV: &str = "riscv32imc-unknown-none-elf";

/// Where the table of sizes is.
const README: &str = "firmware-examples/boards/README.md";

/// An example in the folder of its name.
struct Board {
    name: &'static str,
    title: &'static str,
    target: &'static str,
    /// Bytes of flash and of RAM.
    flash: u64,
    ram: u64,
}

const BOARDS: &[Board] = &[
    Board::new("pico-w", "Pico W", THUMBV6M, 2_048, 256),
    Board::new("w5500-evb-pico", "W5500-EVB-Pico", THUMBV6M, 2_048, 256),
    Board::new("pico-2-w", "Pico 2 W", THUMBV8M, 4_096, 512),
    Board::new("nucleo-h563", "Nucleo-H563ZI", THUMBV8M, 2_048, 640),
    Board::new("nucleo-h743", "Nucleo-H743ZI", THUMBV7EM, 2_048, 512),
    Board::new("esp32-c3", "ESP32-C3", RISCV, 4_096, 400),
];

impl Board {
    /// Flash and RAM are in KiB.
    const fn new(
        name: &'static str,
        title: &'static str,
        target: &'static str,
        flash: u64,
        ram: u64,
    ) -> Self {
        Self { name, title, target, flash: flash << 10, ram: ram << 10 }
    }
}

/// Where the chips have their RAM: Arm's, and the ESP32-C3's as data and as code.
const RAM: &[Range<u64>] =
    &[0x2000_0000..0x3000_0000, 0x3FC8_0000..0x3FD0_0000, 0x4037_C000..0x4040_0000];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this one
    #[arg(value_parser = BOARDS.iter().map(|board| board.name).collect::<Vec<_>>())]
    board: Option<String>,
}

pub(crate) fn check(sh: &Shell) -> Result<()> {
    run(sh, &Args { board: None })?;
    lint(sh)
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let is_wanted = |board: &&Board| args.board.as_ref().is_none_or(|name| name == board.name);
    let boards: Vec<&Board> = BOARDS.iter().filter(is_wanted).collect();
    let targets: Vec<&str> = boards.iter().map(|board| board.target).collect();
    let compiler = Compiler::find(sh, &targets)?;
    let images = {
        let _dir = sh.push_dir(EXAMPLES);
        for board in &boards {
            let package = format!("klamm-{}", board.name);
            compiler.build(sh, board.target).args(["--release", "-p", &package]).run()?;
        }
        sh.current_dir().join(compiler.target_dir())
    };
    println!("{:<16}{:>9} of {:>9} {:>9} of {:>9}", "bytes", "flash", "", "RAM", "");
    let head = ["bytes", "flash", "RAM without stack", "RAM of the chip"];
    let mut table = row(&head.map(str::to_owned)) + "|---|---|---|---|\n";
    for Board { name, title, target, flash, ram } in &boards {
        let image = Image::read(sh, &images.join(target).join("release").join(name))?;
        let (flash_used, ram_used) = (image.flash(), ram_of(&image));
        println!("{name:<16}{flash_used:>9} of {flash:>9} {ram_used:>9} of {ram:>9}");
        let numbers = [flash_used, ram_used, *ram].map(thousands);
        table += &row(&[&[(*title).to_owned()], &numbers[..]].concat());
    }
    if args.board.is_none() {
        tables::settle(sh, README, "boards", &table)?;
    }
    Ok(())
}

/// Here and not with the other lints, for the vendors' crates compile for their chips only. Lints what boards share, too.
fn lint(sh: &Shell) -> Result<()> {
    let targets: Vec<&str> = BOARDS.iter().map(|board| board.target).collect();
    let compiler = Compiler::find(sh, &targets)?;
    let _dir = sh.push_dir(EXAMPLES);
    for board in BOARDS {
        let package = format!("klamm-{}", board.name);
        let clippy = compiler.clippy(sh, board.target)?;
        clippy.args(["--release", "-p", &package, "--", "-D", "warnings"]).run()?;
    }
    Ok(())
}

/// All but the stack, and on the ESP32-C3 the place as data of what is counted as code.
fn ram_of(image: &Image) -> u64 {
    RAM.iter().map(|memory| image.within(memory, &[".stack", ".rwdata_dummy"])).sum()
}
