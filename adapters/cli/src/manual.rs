//! What is made of the command line's own description: completions and the manual.

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::{self, Args};
use crate::failure::Failure;
use crate::output::print;

/// `klamm completions`
pub(crate) fn completions(args: &args::Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    let shell: Shell = args.shell;
    clap_complete::generate(shell, &mut Args::command(), "klamm", &mut script);
    print_bytes(&script)
}

/// `klamm man`
pub(crate) fn man(args: &args::Man) -> Result<(), Failure> {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let command = match &args.command {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            let names: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            Failure::Usage(format!("there is no command {name}; there are {}", names.join(", ")))
        })?,
    };
    let mut page = Vec::new();
    Man::new(command)
        .manual("klamm")
        .source(concat!("klamm ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)
        .map_err(|error| Failure::Run(format!("cannot make the page: {error}")))?;
    print_bytes(&page)
}

fn print_bytes(text: &[u8]) -> Result<(), Failure> {
    print(String::from_utf8_lossy(text).trim_end())
}
