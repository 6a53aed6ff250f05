//! Fetches what the tests need beside Rust. Whatever cannot be had stops the run with one line that
//! names it and says how to get it: a test that skips itself proves nothing.

use anyhow::{Context, Result, anyhow, bail, ensure};
use core::hash::{Hash, Hasher};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The Kafka that most tests run against, unless `KLAMM_KAFKA_VERSION` names another one; its tools
/// and its consumer serve all versions.
pub const NEWEST: &str = "4.3.0";

/// The versions that `tests/versions.rs` runs against: the newest; the last 3, which knows topics by
/// name only when records are written; and one from before `KRaft`.
pub const KAFKA_VERSIONS: [&str; 3] = [NEWEST, "3.9.1", "2.8.2"];

const KRAFT_SOURCES: &[(&str, &str)] = &[
    ("BrokerMain.java", include_str!("../java/BrokerMain.java")),
    ("EndOfInput.java", include_str!("../java/EndOfInput.java")),
    ("Helper.java", include_str!("../java/Helper.java")),
    ("Produce.java", include_str!("../java/Produce.java")),
];

const ZOOKEEPER_SOURCES: &[(&str, &str)] = &[
    ("EndOfInput.java", include_str!("../java/EndOfInput.java")),
    ("ZooKeeperBroker.java", include_str!("../java/ZooKeeperBroker.java")),
];

/// Where the fetched things of a version are.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Kafka's version.
    pub version: String,
    /// The folder of Kafka's jars.
    pub libs: PathBuf,
    /// The folder of this crate's compiled Java programs.
    pub classes: PathBuf,
}

impl Tools {
    /// Whether this Kafka keeps its metadata in `ZooKeeper`.
    pub fn needs_zookeeper(&self) -> bool {
        needs_zookeeper(&self.version)
    }

    /// Java with Kafka and this crate's programs on the class path, at most `heap_mb` of heap. One
    /// collector thread and only the quick compiler: the JVMs share two cores with what they test.
    pub fn java(&self, heap_mb: u32) -> Command {
        let mut java = self.fast_java(heap_mb);
        java.arg("-XX:TieredStopAtLevel=1");
        java
    }

    /// The same with all compilers, for a benchmark's brokers.
    pub fn fast_java(&self, heap_mb: u32) -> Command {
        let mut java = Command::new("java");
        java.arg("-XX:+UseSerialGC").arg(format!("-Xmx{heap_mb}m")).arg("-cp").arg(format!(
            "{}:{}/*",
            self.classes.display(),
            self.libs.display()
        ));
        java
    }
}

/// The tools of `KLAMM_KAFKA_VERSION`, by default [`NEWEST`]; fetched by the first call of a process.
///
/// # Errors
/// What [`tools_of`] could not get.
pub fn tools() -> Result<&'static Tools> {
    static TOOLS: OnceLock<Result<Tools, String>> = OnceLock::new();
    TOOLS
        .get_or_init(|| {
            let version = std::env::var("KLAMM_KAFKA_VERSION");
            let version = version.as_deref().unwrap_or(NEWEST);
            tools_of(version).map_err(|error| format!("{error:#}"))
        })
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

/// Checks Java, fetches kcat and a Kafka and compiles the Java programs, each only if it is not there.
///
/// # Errors
/// The first thing that is missing and cannot be fetched, and how to get it.
pub fn tools_of(version: &str) -> Result<Tools> {
    check_java()?;
    install_kcat()?;
    let cache = cache_dir();
    let libs = fetch_kafka(&cache, version)?;
    let classes = compile(&cache, &libs, version)?;
    Ok(Tools { version: version.to_owned(), libs, classes })
}

/// The root of this repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

fn cache_dir() -> PathBuf {
    std::env::var_os("KLAMM_CACHE")
        .map_or_else(|| repository().join("target/klamm-cache"), PathBuf::from)
}

fn needs_zookeeper(version: &str) -> bool {
    version.starts_with("2.")
}

fn check_java() -> Result<()> {
    let how = "a JDK 17 or newer is needed (Debian: apt-get install openjdk-17-jdk-headless)";
    for (program, how) in [("java", how), ("javac", how)] {
        let text = output(Command::new(program).arg("-version"))
            .with_context(|| format!("`{program}` does not run: {how}"))?;
        let major = java_major(&text)
            .with_context(|| format!("`{program} -version` names no version: {how}"))?;
        ensure!(major >= 17, "`{program}` is version {major}: {how}");
    }
    Ok(())
}

/// The first number after a space or quote: `openjdk version "17.0.15"`, `javac 21`.
fn java_major(text: &str) -> Option<u32> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    text[start..].split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn install_kcat() -> Result<()> {
    if runs("kcat", "-V") {
        return Ok(());
    }
    let how = "`kcat` is missing: install it (Debian: apt-get install kcat)";
    ensure!(rustix::process::geteuid().is_root() && runs("apt-get", "--version"), how);
    for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", "kcat"]] {
        output(Command::new("apt-get").arg("-q").args(arguments)).context(how)?;
    }
    ensure!(runs("kcat", "-V"), how);
    Ok(())
}

/// Downloads under another name and renames, so that a folder of that name is always complete.
fn fetch_kafka(cache: &Path, version: &str) -> Result<PathBuf> {
    let libs = cache.join(format!("kafka-{version}"));
    if libs.is_dir() {
        return Ok(libs);
    }
    let how = "Kafka's jars come by Maven (Debian: apt-get install maven) from Maven Central";
    ensure!(runs("mvn", "-v"), "`mvn` does not run: {how}");
    let partial = cache.join(format!("kafka-{version}.{}", std::process::id()));
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    let pom = partial.join("pom.xml");
    fs::write(&pom, pom_xml(version))?;
    output(
        Command::new("mvn")
            .args(["-q", "-B", "-Daether.connector.http.retryHandler.count=5"])
            .args(["dependency:copy-dependencies", "-f"])
            .arg(&pom)
            .arg(format!("-DoutputDirectory={}", partial.display())),
    )
    .with_context(|| format!("cannot fetch Kafka {version}: {how}"))?;
    // Kafka before 4.0 brings a logger of its own, which without a configuration says nothing.
    for entry in fs::read_dir(&partial)? {
        let entry = entry?;
        let name = entry.file_name();
        if ["slf4j-reload4j", "slf4j-log4j12"]
            .iter()
            .any(|&p| name.to_string_lossy().starts_with(p))
        {
            fs::remove_file(entry.path())?;
        }
    }
    rename_or_reuse(&partial, &libs)?;
    Ok(libs)
}

fn pom_xml(version: &str) -> String {
    let dependency = |group: &str, name: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
             <version>{version}</version></dependency>\n"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>klamm</groupId><artifactId>kafka-jars</artifactId><version>1</version>\n\
         <dependencies>\n{}{}{}</dependencies></project>\n",
        dependency("org.apache.kafka", "kafka_2.13", version),
        dependency("org.apache.kafka", "kafka-tools", version),
        dependency("org.slf4j", "slf4j-simple", "1.7.36"),
    )
}

/// The folder's name carries a hash of the sources: changed programs are compiled anew.
fn compile(cache: &Path, libs: &Path, version: &str) -> Result<PathBuf> {
    let sources = if needs_zookeeper(version) { ZOOKEEPER_SOURCES } else { KRAFT_SOURCES };
    let mut hash = DefaultHasher::new();
    (sources, libs).hash(&mut hash);
    let classes = cache.join(format!("classes-{:016x}", hash.finish()));
    if classes.is_dir() {
        return Ok(classes);
    }
    let partial = cache.join(format!("classes.{}", std::process::id()));
    fs::create_dir_all(&partial)?;
    let mut javac = Command::new("javac");
    javac.arg("-cp").arg(format!("{}/*", libs.display())).arg("-d").arg(&partial);
    for (name, text) in sources {
        fs::write(partial.join(name), text)?;
        javac.arg(partial.join(name));
    }
    output(&mut javac).context("cannot compile tests/interop/java")?;
    rename_or_reuse(&partial, &classes)?;
    Ok(classes)
}

/// Another process may have been quicker; its folder is as good.
fn rename_or_reuse(partial: &Path, complete: &Path) -> Result<()> {
    if let Err(error) = fs::rename(partial, complete) {
        ensure!(complete.is_dir(), "cannot make {}: {error}", complete.display());
        fs::remove_dir_all(partial)?;
    }
    Ok(())
}

fn runs(program: &str, argument: &str) -> bool {
    output(Command::new(program).arg(argument)).is_ok()
}

/// Standard output and error of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{name}` cannot be started"))?;
    let mut text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&out.stderr));
    if !out.status.success() {
        let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        bail!("`{name}` ended with {}: {last}", out.status);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_are_read_from_both_programs() {
        assert_eq!(java_major("openjdk version \"17.0.15\" 2025-04-15\n"), Some(17));
        assert_eq!(java_major("javac 21\n"), Some(21));
        assert_eq!(java_major("java version \"1.8.0_302\""), Some(1));
        assert_eq!(java_major("no such thing"), None);
    }
}
