//! Reads a topic back whose values begin with their records' numbers.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// What became of the records 0 to n - 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Content {
    /// Not there.
    pub(crate) absent: u64,
    /// There more than once, counted without the first time.
    pub(crate) twice: u64,
    /// Behind a later one of the same partition.
    pub(crate) disorder: u64,
}

/// Looks for the records 0 to `count - 1`.
pub(crate) fn read(bootstrap: &str, topic: &str, count: u64) -> Result<Content> {
    let mut kcat = Command::new("kcat")
        .args(["-C", "-e", "-q", "-o", "beginning", "-b", bootstrap, "-t", topic])
        .args(["-f", "%p %s\\n"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("kcat cannot be started")?;
    let out = kcat.stdout.take().context("no pipe")?;
    let mut times = vec![0_u8; usize::try_from(count)?];
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut content = Content::default();
    for line in BufReader::new(out).lines() {
        let line = line?;
        let (partition, value) = line.split_once(' ').context("kcat printed no partition")?;
        let number: u64 = value.get(..10).context("a short value")?.parse()?;
        let seen = times.get_mut(usize::try_from(number)?).context("a number never sent")?;
        *seen = seen.saturating_add(1);
        match last.get(partition) {
            Some(&before) if before > number => content.disorder += 1,
            _ => {
                last.insert(partition.to_owned(), number);
            }
        }
    }
    ensure!(kcat.wait()?.success(), "kcat -C {topic} failed");
    content.absent = times.iter().filter(|&&times| times == 0).count() as u64;
    content.twice = times.iter().map(|&times| u64::from(times).saturating_sub(1)).sum();
    Ok(content)
}
