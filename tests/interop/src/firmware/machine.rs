//! One machine in QEMU, running an image.

use super::qmp::Qmp;
use crate::process::Process;
use crate::run_dir::RunDir;
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// A machine of QEMU's, and an image for it.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// The image's file.
    pub image: &'static str,
    /// QEMU's name of the machine.
    pub qemu: &'static str,
    /// QEMU's name of its network card.
    pub card: &'static str,
    /// Bytes of stack that it may use: with these the demo's budget of memory holds (`xtask/src/firmware.rs`).
    pub stack: u64,
}

/// The first machine.
pub const LM3S6965: Board =
    Board { image: "lm3s6965", qemu: "lm3s6965evb", card: "stellaris", stack: 4_096 };
/// The same, built for size alone: what the figure of klamm's flash is measured with.
pub const LEAN: Board = Board { image: "lm3s6965-lean", stack: 4_608, ..LM3S6965 };
/// The same machine, in C.
pub const IN_C: Board = Board { image: "c-lm3s6965", ..LM3S6965 };
/// The second machine.
pub const MPS2_AN385: Board =
    Board { image: "mps2-an385", qemu: "mps2-an385", card: "lan9118", stack: 4_096 };
/// All of them.
pub const BOARDS: [Board; 4] = [LM3S6965, LEAN, IN_C, MPS2_AN385];

/// What QEMU is told.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// What the image is for.
    pub board: &'a Board,
    /// The image.
    pub image: &'a Path,
    /// The image's arguments, `name=value`.
    pub arguments: &'a [String],
    /// Further options of QEMU. The network's name is `n0`.
    pub further: &'a [OsString],
}

/// A running machine. Ended when dropped.
#[derive(Debug)]
pub struct Machine {
    name: String,
    process: Process,
    qmp: Qmp,
    lines: Lines,
    reader: JoinHandle<()>,
}

/// What it said, and when that was read.
type Lines = Arc<Mutex<Vec<(Instant, String)>>>;

impl Machine {
    /// Starts it; its messages go to `NAME.log` in the run's folder when they are read.
    ///
    /// # Errors
    /// If QEMU does not start.
    pub fn start(run: &RunDir, name: &str, options: &Options<'_>) -> Result<Self> {
        let socket = run.file(&format!("{name}.qmp"));
        let mut semihosting = "enable=on,target=native".to_owned();
        for argument in options.arguments {
            ensure!(!argument.contains(','), "QEMU takes {argument:?} for two");
            semihosting += ",arg=";
            semihosting += argument;
        }
        let mut command = Command::new("qemu-system-arm");
        command
            .args(["-M", options.board.qemu, "-nodefaults", "-display", "none"])
            // A gigabyte by default for translated code, of which this little has little.
            .args(["-accel", "tcg,tb-size=16"])
            .args(["-netdev", "user,id=n0", "-net"])
            .arg(format!("nic,netdev=n0,model={}", options.board.card))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .args(["-semihosting-config", &semihosting])
            .arg("-kernel")
            .arg(options.image)
            .args(options.further)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(run.log(&format!("{name}.qemu.log"))?);
        let mut process = Process::start(name, &mut command)?;
        let lines = Lines::default();
        let output = BufReader::new(process.take_stdout()?);
        let (kept, file) = (Arc::clone(&lines), run.file(&format!("{name}.log")));
        let reader = std::thread::spawn(move || keep(output, &kept, &file));
        Ok(Self { name: name.to_owned(), process, qmp: Qmp::connect(&socket)?, lines, reader })
    }

    /// Connects the network or cuts it: frames are lost, and nobody is told.
    ///
    /// # Errors
    /// What QEMU says.
    pub fn set_link(&mut self, up: bool) -> Result<()> {
        self.qmp.ask("set_link", &json!({ "name": "n0", "up": up }))
    }

    /// Resets processor and devices, at whatever instruction it is. Memory stays.
    ///
    /// # Errors
    /// What QEMU says.
    pub fn reset(&mut self) -> Result<()> {
        self.qmp.ask("system_reset", &json!({}))
    }

    /// Halts it with its clock, or lets it go on. Its network waits meanwhile.
    ///
    /// # Errors
    /// What QEMU says.
    pub fn halt(&mut self, halted: bool) -> Result<()> {
        self.qmp.ask(if halted { "stop" } else { "cont" }, &json!({}))
    }

    /// What it has said up to now.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().map(|(_, line)| line.clone()).collect()
    }

    /// Lines that begin with this word.
    pub fn count(&self, word: &str) -> usize {
        let lines = lock(&self.lines);
        lines.iter().filter(|(_, line)| line.split(' ').next() == Some(word)).count()
    }

    /// Waits until it has said at least `count` lines that begin with this word.
    ///
    /// # Errors
    /// If it ends before, or does not in [`crate::PATIENCE`].
    pub fn wait_for(&mut self, word: &str, count: usize) -> Result<()> {
        let what = format!("{}: {count} x {word:?}", self.name);
        crate::wait_until(&what, || {
            if self.count(word) >= count {
                return Ok(true);
            }
            match self.process.ended()? {
                Some(status) => bail!("it ended with {status}; it said {:?}", self.last_words()),
                None => Ok(false),
            }
        })
        .with_context(|| format!("{what}; it said {:?}", self.last_words()))
    }

    /// Waits until the image ends, and gives what it said.
    ///
    /// # Errors
    /// If its exit code is not 0, or it does not end in [`crate::PATIENCE`].
    pub fn finish(self) -> Result<Vec<String>> {
        Ok(self.finish_timed()?.into_iter().map(|(_, line)| line).collect())
    }

    /// The same, with the time at which each line was read.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_timed(mut self) -> Result<Vec<(Instant, String)>> {
        let status = self.process.wait().with_context(|| format!("{:?}", self.last_words()))?;
        // It ends with the pipe.
        let _ = self.reader.join();
        let words = last_words(&self.lines);
        ensure!(status.success(), "{} ended with {status}: {words:?}", self.name);
        Ok(lock(&self.lines).drain(..).collect())
    }

    fn last_words(&self) -> Vec<String> {
        last_words(&self.lines)
    }
}

fn last_words(lines: &Lines) -> Vec<String> {
    let lines = lock(lines);
    lines[lines.len().saturating_sub(8)..].iter().map(|(_, line)| line.clone()).collect()
}

fn keep(output: impl BufRead, lines: &Lines, file: &Path) {
    let mut text = String::new();
    for line in output.lines().map_while(Result::ok) {
        text += &line;
        text.push('\n');
        lock(lines).push((Instant::now(), line));
    }
    // For whoever looks into why a test failed; the test itself has the lines.
    let _ = std::fs::write(file, text);
}

fn lock(lines: &Lines) -> MutexGuard<'_, Vec<(Instant, String)>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
