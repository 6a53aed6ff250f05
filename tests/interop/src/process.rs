//! A child process that can be killed, frozen and thawed, and never outlives its owner.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, ChildStdin, Command, ExitStatus};

/// A child process, killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `command`; `name` is what errors call it.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| {
            format!("{name}: cannot start {}", command.get_program().to_string_lossy())
        })?;
        Ok(Self { child, name: name.to_owned() })
    }

    /// `kill -9`, and waits until the process is gone and its ports are free.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.child.wait().with_context(|| format!("cannot wait for {}", self.name))?;
        Ok(())
    }

    /// `kill -STOP`: alive, its connections open, but answering nothing.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// `kill -CONT`.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Ctrl-C.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn interrupt(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot signal {}", self.name))
    }

    /// The status if the process has ended by itself.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot look after {}", self.name))
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// If it does not within [`crate::PATIENCE`].
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let mut status = None;
        let what = format!("{} to end", self.name);
        crate::wait_until(&what, || {
            status = self.ended()?;
            Ok(status.is_some())
        })?;
        status.with_context(|| format!("{what}: no status"))
    }

    /// The pipe to the process's standard input, once.
    ///
    /// # Errors
    /// If it was taken before or is no pipe.
    pub fn take_stdin(&mut self) -> Result<ChildStdin> {
        self.child.stdin.take().with_context(|| format!("{} has no input pipe", self.name))
    }

    /// The pipe from the process's standard output, once.
    ///
    /// # Errors
    /// If it was taken before or is no pipe.
    pub fn take_stdout(&mut self) -> Result<std::process::ChildStdout> {
        self.child.stdout.take().with_context(|| format!("{} has no output pipe", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
