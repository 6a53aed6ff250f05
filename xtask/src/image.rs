//! A linked firmware image: what it has in memory, and what is in it.

use core::ops::Range;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use object::elf::SHF_ALLOC;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SectionKind};
use xshell::Shell;

/// What a linked image has in memory.
pub(crate) struct Image {
    sections: Vec<Section>,
    /// Functions and statics with their sizes, the largest first.
    pub(crate) symbols: Vec<(u64, String)>,
}

struct Section {
    name: String,
    address: u64,
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
                    address: section.address(),
                    size: section.size(),
                    in_flash,
                });
            }
        }
        let mut symbols: Vec<(u64, String)> = file
            .symbols()
            .filter(|symbol| symbol.size() > 0)
            .filter_map(|symbol| Some((symbol.size(), symbol.name().ok()?)))
            .map(|(size, name)| (size, readable(name)))
            .collect();
        symbols.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Self { sections, symbols })
    }

    pub(crate) fn section(&self, name: &str) -> u64 {
        let named = self.sections.iter().filter(|section| section.name == name);
        named.map(|section| section.size).sum()
    }

    /// The words of a section that an image has for us.
    pub(crate) fn words(sh: &Shell, path: &Path, section: &str) -> Result<Vec<u32>> {
        let bytes = sh.read_binary_file(path)?;
        let file = object::File::parse(&*bytes)?;
        let section = file.section_by_name(section).with_context(|| format!("no {section}"))?;
        let (words, _) = section.data()?.as_chunks();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// `.data` too: its first values are copied from there.
    pub(crate) fn flash(&self) -> u64 {
        self.sections.iter().filter(|section| section.in_flash).map(|section| section.size).sum()
    }

    /// All that is in memory before the first call: what is not the stack's.
    pub(crate) fn ram(&self) -> u64 {
        [".data", ".bss", ".uninit"].map(|name| self.section(name)).iter().sum()
    }

    /// What lies from `memory.start` to `memory.end`, but for sections with these names.
    pub(crate) fn within(&self, memory: &Range<u64>, but: &[&str]) -> u64 {
        let inside = self.sections.iter().filter(|section| memory.contains(&section.address));
        inside.filter(|section| !but.contains(&&*section.name)).map(|section| section.size).sum()
    }

    /// Where a panic could begin: functions of `core` that do nothing else.
    pub(crate) fn panics(&self) -> Vec<&str> {
        const BEGINNINGS: &[&str] = &["core::panicking::", "_fail", "unwrap_failed"];
        let names = self.symbols.iter().map(|(_, name)| name.as_str());
        names
            .filter(|name| name.starts_with("core::"))
            .filter(|name| BEGINNINGS.iter().any(|beginning| name.contains(beginning)))
            .collect()
    }

    /// The largest functions and statics that `other` has not, and before them the sums of klamm's modules. What the
    /// compiler inlined counts for the function that it is in.
    pub(crate) fn print_table(&self, other: &Self, rows: usize) {
        let mut modules = BTreeMap::<&str, u64>::new();
        let new: Vec<&(u64, String)> =
            self.symbols.iter().filter(|symbol| !other.symbols.contains(symbol)).collect();
        for (size, name) in &new {
            let module = name.strip_prefix("klamm::").map_or("outside of klamm", module_of);
            *modules.entry(module).or_default() += size;
        }
        let mut modules: Vec<(u64, &str)> =
            modules.into_iter().map(|(name, size)| (size, name)).collect();
        modules.sort_unstable_by(|a, b| b.cmp(a));
        for (size, name) in modules {
            println!("{size:>7}  {name}");
        }
        println!("{:>7}", "--");
        for (size, name) in new.iter().take(rows) {
            println!("{size:>7}  {name}");
        }
    }
}

/// `klamm::connection::arrange::<impl klamm::producer::Producer>::dial` without what says nothing.
fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
        .replace("<impl klamm::producer::Producer>::", "")
}

/// `connection::arrange` of `connection::arrange::dial`.
fn module_of(path: &str) -> &str {
    path.rsplit_once("::").map_or(path, |(module, _)| module)
}
