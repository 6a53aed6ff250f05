//! The folder of one test's files.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A folder that is removed by [`RunDir::done`] and kept, with a word on where it is, otherwise.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    done: bool,
}

impl RunDir {
    /// A new folder for the test `name` in the system's folder for temporary files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(name: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("klamm-{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path, done: false })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Something for a process to write its messages to, added to what is there.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn log(&self, name: &str) -> Result<Stdio> {
        open_log(&self.file(name))
    }

    /// The test passed: nobody needs the files.
    pub fn done(mut self) {
        self.done = true;
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.done {
            eprintln!("the files of this run are kept in {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

pub(crate) fn open_log(path: &Path) -> Result<Stdio> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file.into())
}
