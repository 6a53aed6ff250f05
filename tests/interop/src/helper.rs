//! Kafka's own tools, running in one JVM: `java/Helper.java` says what each command does.

use crate::dump::{Batch, parse_dump};
use crate::log::{StoredRecord, parse_line};
use crate::process::Process;
use crate::run_dir::RunDir;
use crate::setup;
use anyhow::{Context, Result, bail};
use core::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Stdio};

/// A running `Helper.java`.
#[derive(Debug)]
pub struct Helper {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    scratch: PathBuf,
    _process: Process,
}

impl Helper {
    /// Starts the JVM, with the tools of the newest Kafka, which serve brokers since 2.1; its
    /// messages go to `helper.log` in the run's folder.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(run: &RunDir) -> Result<Self> {
        let tools = setup::tools_of(setup::NEWEST)?;
        let mut process = Process::start(
            "Helper.java",
            tools
                .java(384)
                .arg("Helper")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(run.log("helper.log")?),
        )?;
        Ok(Self {
            commands: process.take_stdin()?,
            answers: BufReader::new(process.take_stdout()?),
            scratch: run.path().to_path_buf(),
            _process: process,
        })
    }

    /// Waits until exactly `count` brokers are alive.
    ///
    /// # Errors
    /// If that takes more than [`crate::PATIENCE`].
    pub fn wait_for_nodes(&mut self, bootstrap: &str, count: usize) -> Result<()> {
        self.ask(&["nodes", bootstrap, &count.to_string()]).map(drop)
    }

    /// Creates a topic, with `name=value` configurations, and waits until it can be written.
    ///
    /// # Errors
    /// What the broker says.
    pub fn create_topic(
        &mut self,
        bootstrap: &str,
        topic: &str,
        partitions: u32,
        replicas: u32,
        configs: &[&str],
    ) -> Result<()> {
        let (partitions, replicas) = (partitions.to_string(), replicas.to_string());
        let mut words = vec!["create", bootstrap, topic, &partitions, &replicas];
        words.extend_from_slice(configs);
        self.ask(&words).map(drop)
    }

    /// Creates a topic on given brokers: `"2,3;3,1"` has partition 0 on the brokers 2, which is to
    /// lead, and 3, and partition 1 on 3 and 1.
    ///
    /// # Errors
    /// What the broker says.
    pub fn create_topic_on(
        &mut self,
        bootstrap: &str,
        topic: &str,
        brokers: &str,
        configs: &[&str],
    ) -> Result<()> {
        self.ask(&[&["create-on", bootstrap, topic, brokers], configs].concat()).map(drop)
    }

    /// Deletes a topic, and waits until another one may have its name.
    ///
    /// # Errors
    /// What the broker says.
    pub fn delete_topic(&mut self, bootstrap: &str, topic: &str) -> Result<()> {
        self.ask(&["delete", bootstrap, topic]).map(drop)
    }

    /// Deletes a topic whose name nobody needs again.
    ///
    /// # Errors
    /// What the broker says.
    pub fn drop_topic(&mut self, bootstrap: &str, topic: &str) -> Result<()> {
        self.ask(&["drop", bootstrap, topic]).map(drop)
    }

    /// The sum of a topic's end offsets: the number of its records, where nothing was deleted.
    ///
    /// # Errors
    /// What the broker says.
    pub fn records(&mut self, bootstrap: &str, topic: &str) -> Result<u64> {
        let answer = self.ask(&["records", bootstrap, topic])?;
        answer.parse().with_context(|| format!("`records` answered {answer}"))
    }

    /// Adds partitions until there are `count`.
    ///
    /// # Errors
    /// What the broker says.
    pub fn add_partitions(&mut self, bootstrap: &str, topic: &str, count: u32) -> Result<()> {
        self.ask(&["add-partitions", bootstrap, topic, &count.to_string()]).map(drop)
    }

    /// Moves a topic's partitions to brokers given as in [`create_topic_on`](Self::create_topic_on),
    /// and waits until no other broker has them.
    ///
    /// # Errors
    /// What the broker says, or that it takes more than [`crate::PATIENCE`].
    pub fn move_topic(&mut self, bootstrap: &str, topic: &str, brokers: &str) -> Result<()> {
        self.ask(&["move", bootstrap, topic, brokers]).map(drop)
    }

    /// Waits until every partition has a leader and `replicas` replicas in sync.
    ///
    /// # Errors
    /// If that takes more than [`crate::PATIENCE`].
    pub fn wait_in_sync(&mut self, bootstrap: &str, topic: &str, replicas: u32) -> Result<()> {
        self.ask(&["in-sync", bootstrap, topic, &replicas.to_string()]).map(drop)
    }

    /// The id of the broker that leads a partition.
    ///
    /// # Errors
    /// If there is none for [`crate::PATIENCE`].
    pub fn leader(&mut self, bootstrap: &str, topic: &str, partition: u32) -> Result<u32> {
        self.ask_leader(bootstrap, topic, partition, "-1")
    }

    /// Waits until another broker than `former` leads a partition.
    ///
    /// # Errors
    /// If that takes more than [`crate::PATIENCE`].
    pub fn wait_for_other_leader(
        &mut self,
        bootstrap: &str,
        topic: &str,
        partition: u32,
        former: u32,
    ) -> Result<u32> {
        self.ask_leader(bootstrap, topic, partition, &former.to_string())
    }

    fn ask_leader(
        &mut self,
        bootstrap: &str,
        topic: &str,
        partition: u32,
        former: &str,
    ) -> Result<u32> {
        let answer = self.ask(&["leader", bootstrap, topic, &partition.to_string(), former])?;
        answer.parse().with_context(|| format!("a leader called {answer:?}"))
    }

    /// Everything in a topic, as Java's consumer reads it.
    ///
    /// # Errors
    /// If the consumer fails or does not reach the end in [`crate::PATIENCE`].
    pub fn read(&mut self, bootstrap: &str, topic: &str) -> Result<Vec<StoredRecord>> {
        let file = self.scratch.join(format!("java-read-{topic}.txt"));
        self.ask(&["read", bootstrap, topic, path(&file)?])?;
        fs::read_to_string(&file)?.lines().map(parse_line).collect()
    }

    /// The partition of `count` that Java's producer gives each key.
    ///
    /// # Errors
    /// If the helper fails.
    pub fn partitions(&mut self, keys: &[Vec<u8>], count: u32) -> Result<Vec<u32>> {
        let (input, output) = (self.scratch.join("keys.txt"), self.scratch.join("partitions.txt"));
        let mut lines = String::new();
        for key in keys {
            for byte in key {
                write!(lines, "{byte:02x}")?;
            }
            lines.push('\n');
        }
        fs::write(&input, lines)?;
        self.ask(&["partitions", path(&input)?, path(&output)?, &count.to_string()])?;
        let text = fs::read_to_string(&output)?;
        text.lines().map(|line| line.parse().context("a partition")).collect()
    }

    /// Lets a user in by SCRAM, with either hash.
    ///
    /// # Errors
    /// What the broker says.
    pub fn create_user(&mut self, bootstrap: &str, name: &str, password: &str) -> Result<()> {
        self.ask(&["user", bootstrap, name, password]).map(drop)
    }

    /// The batches of a log file, as `DumpLogSegments` prints them.
    ///
    /// # Errors
    /// If the tool fails or prints something unknown.
    pub fn dump(&mut self, log: &Path) -> Result<Vec<Batch>> {
        let file = self.scratch.join("dump.txt");
        self.ask(&["dump", path(log)?, path(&file)?])?;
        parse_dump(&fs::read_to_string(&file)?)
    }

    fn ask(&mut self, words: &[&str]) -> Result<String> {
        let command = words.join("\t");
        writeln!(self.commands, "{command}").context("Helper.java is gone: see helper.log")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.trim_end().split_once('\t') {
            Some(("ok", result)) => Ok(result.to_owned()),
            Some((_, error)) => bail!("{command}: {error}"),
            None => bail!("{command}: Helper.java is gone, see helper.log"),
        }
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
