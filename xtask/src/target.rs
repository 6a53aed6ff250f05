//! Compilers for other targets: rustup's targets, or where rustup cannot fetch them, Debian's compiler and sources.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use xshell::{Cmd, Shell, cmd};

use crate::setup;

/// Debian's second Rust, made for browsers and always recent: a compiler that knows every target, and its sources.
const DEBIAN: &[&str] =
    &["rustc-web", "rust-web-src", "libstd-rust-web-dev", "rust-web-llvm", "lld-22"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The same version's clippy, and its package.
const DEBIAN_CLIPPY: (&str, &str) = ("/usr/bin/cargo-clippy", "rust-web-clippy");

/// How to compile for the bare targets on this machine.
pub(crate) enum Compiler {
    /// The toolchain in use has the targets' libraries.
    Installed,
    /// Debian's compiler, which builds the libraries from source: `core` and `alloc`, for WebAssembly also `std`.
    Debian,
}

impl Compiler {
    /// Finds or installs what compiles for all of `targets`.
    pub(crate) fn find(sh: &Shell, targets: &[&str]) -> Result<Self> {
        if sh.var_os("KLAMM_COMPILER").is_some_and(|compiler| compiler == "debian") {
            // To try that one where rustup would do.
            return debian(sh).map(|()| Self::Debian);
        }
        let missing: Vec<&str> =
            targets.iter().copied().filter(|target| !has_library(sh, target)).collect();
        if missing.is_empty() || add_by_rustup(sh, &missing) {
            return Ok(Self::Installed);
        }
        let list = missing.join(" ");
        debian(sh).with_context(|| {
            format!(
                "no library for {list}: `rustup target add {list}` gets it where rustup can \
                 download; else Debian's compiler would do"
            )
        })?;
        Ok(Self::Debian)
    }

    /// Debian's, for what only a compiler can do that builds the libraries.
    pub(crate) fn that_builds_std(sh: &Shell) -> Result<Self> {
        debian(sh)?;
        Ok(Self::Debian)
    }

    /// `cargo build` for `target`, to be completed with what to build; its files are in `target_dir`.
    pub(crate) fn build<'a>(&self, sh: &'a Shell, target: &str) -> Cmd<'a> {
        self.build_in(sh, target, self.target_dir().as_ref())
    }

    /// The same with its files elsewhere.
    pub(crate) fn build_in<'a>(&self, sh: &'a Shell, target: &str, dir: &Path) -> Cmd<'a> {
        let build = cmd!(sh, "cargo build --target {target} --target-dir {dir}");
        self.complete(build, target)
    }

    /// `cargo clippy` for `target`, to be completed with what to look at.
    pub(crate) fn clippy<'a>(&self, sh: &'a Shell, target: &str) -> Result<Cmd<'a>> {
        let dir = self.target_dir();
        let clippy = match self {
            Self::Installed => {
                setup::component(sh, "clippy", "clippy")?;
                cmd!(sh, "cargo clippy")
            }
            Self::Debian => {
                let (program, package) = DEBIAN_CLIPPY;
                setup::program(sh, program, package)?;
                cmd!(sh, "{program} clippy")
            }
        };
        Ok(self.complete(clippy.args(["--target", target, "--target-dir", dir]), target))
    }

    /// Adds what lets Cargo use this compiler.
    fn complete<'a>(&self, cargo: Cmd<'a>, target: &str) -> Cmd<'a> {
        match self {
            Self::Installed => cargo,
            // Build-std is unstable in Cargo, hence RUSTC_BOOTSTRAP.
            Self::Debian => cargo
                .arg(if target.starts_with("wasm") {
                    "-Zbuild-std=std,panic_abort"
                } else {
                    "-Zbuild-std=core,alloc"
                })
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1"),
        }
    }

    /// Relative to the workspace. Two compilers in one place would throw each other's work away.
    pub(crate) const fn target_dir(&self) -> &'static str {
        match self {
            Self::Installed => "target",
            Self::Debian => "target/debian-rust",
        }
    }
}

/// Works for any kind of Rust installation, with rustup or without.
fn has_library(sh: &Shell, target: &str) -> bool {
    cmd!(sh, "rustc --print target-libdir --target {target}")
        .quiet()
        .ignore_stderr()
        .read()
        .is_ok_and(|dir| sh.path_exists(dir))
}

fn add_by_rustup(sh: &Shell, targets: &[&str]) -> bool {
    // Without a network rustup tries for minutes.
    let added = cmd!(sh, "timeout 180 rustup target add {targets...}")
        .env("RUSTUP_MAX_RETRIES", "1")
        .run()
        .is_ok();
    added && targets.iter().all(|target| has_library(sh, target))
}

fn debian(sh: &Shell) -> Result<()> {
    if debian_is_there(sh) {
        return Ok(());
    }
    setup::apt(sh, DEBIAN)?;
    if !debian_is_there(sh) {
        bail!("{DEBIAN_RUSTC} has no sources although {DEBIAN:?} were installed");
    }
    Ok(())
}

fn debian_is_there(sh: &Shell) -> bool {
    cmd!(sh, "{DEBIAN_RUSTC} --print sysroot").quiet().ignore_stderr().read().is_ok_and(|sysroot| {
        sh.path_exists(format!("{sysroot}/lib/rustlib/src/rust/library/core/Cargo.toml"))
            && cmd!(sh, "rust-lld -flavor gnu --version").quiet().ignore_stdout().run().is_ok()
    })
}
