//! `cargo xtask boards`: images for real boards, which are compiled here and cannot be run.

use core::ops::Range;

use anyhow::Result;
use xshell::Shell;

use crate::image::Image;
use crate::target::Compiler;

const EXAMPLES: &str = "firmware-examples/boards";

const THUMBV6M: &str = "thumbv6m-none-eabi";
const THUMBV7EM: &str = "thumbv7em-none-eabihf";
const THUMBV8M: &str = "thumbv8m.main-none-eabihf";
const RISCV: &str = "riscv32imc-unknown-none-elf";

/// An example in the folder of its name.
struct Board {
    name: &'static str,
    target: &'static str,
    /// Bytes of flash and of RAM.
    flash: u64,
    ram: u64,
}

const BOARDS: &[Board] = &[
    Board { name: "pico-w", target: THUMBV6M, flash: 2 << 20, ram: 256 << 10 },
    Board { name: "w5500-evb-pico", target: THUMBV6M, flash: 2 << 20, ram: 256 << 10 },
    Board { name: "pico-2-w", target: THUMBV8M, flash: 4 << 20, ram: 512 << 10 },
    Board { name: "nucleo-h563", target: THUMBV8M, flash: 2 << 20, ram: 640 << 10 },
    Board { name: "nucleo-h743", target: THUMBV7EM, flash: 2 << 20, ram: 512 << 10 },
    Board { name: "esp32-c3", target: RISCV, flash: 4 << 20, ram: 400 << 10 },
];

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
    run(sh, &Args { board: None })
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let is_wanted = |board: &&Board| args.board.as_ref().is_none_or(|name| name == board.name);
    let boards: Vec<&Board> = BOARDS.iter().filter(is_wanted).collect();
    let targets: Vec<&str> = boards.iter().map(|board| board.target).collect();
    let compiler = Compiler::find(sh, &targets)?;
    let _dir = sh.push_dir(EXAMPLES);
    for board in &boards {
        let package = format!("klamm-{}", board.name);
        compiler.build(sh, board.target).args(["--release", "-p", &package]).run()?;
    }
    println!("{:<16}{:>9} of {:>9} {:>9} of {:>9}", "bytes", "flash", "", "RAM", "");
    for board in boards {
        let path = format!("{}/{}/release/{}", compiler.target_dir(), board.target, board.name);
        let image = Image::read(sh, path.as_ref())?;
        println!(
            "{:<16}{:>9} of {:>9} {:>9} of {:>9}",
            board.name,
            image.flash(),
            board.flash,
            ram(&image),
            board.ram,
        );
    }
    Ok(())
}

/// All but the stack, and on the ESP32-C3 the place as data of what is counted as code.
fn ram(image: &Image) -> u64 {
    RAM.iter().map(|memory| image.within(memory, &[".stack", ".rwdata_dummy"])).sum()
}
