//! What the dev broker keeps on a disk: one file of batches per partition, in the format of Kafka's
//! own segments, and a list of topics.

use crate::cluster::{Appended, Cluster, TopicConfig};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// File in which each line is a topic: name, id in hexadecimal, number of partitions.
const TOPICS: &str = "topics";
/// Bytes before what a batch's length counts.
const OVERHEAD: usize = 12;
/// No batch is larger than a request may be.
const LARGEST: usize = 104_857_600;

/// A directory with its open files.
pub(super) struct Store {
    dir: PathBuf,
    files: BTreeMap<(String, i32), BufWriter<File>>,
    /// Topics and partitions as they are in the list on the disk.
    listed: Vec<(String, i32)>,
}

impl Store {
    /// Makes the directory if it is not there.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir).map_err(|e| named(dir, &e))?;
        Ok(Self { dir: dir.to_path_buf(), files: BTreeMap::new(), listed: Vec::new() })
    }

    /// Restores topics and batches. A file is cut where it is torn.
    pub(super) fn load(&mut self, cluster: &mut Cluster, topic: &TopicConfig) -> io::Result<()> {
        let path = self.dir.join(TOPICS);
        let list = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| named(&path, &e))?,
        };
        for line in list.lines() {
            let (name, id, partitions) = parse_topic(line).ok_or_else(|| {
                named(&path, &io::Error::new(io::ErrorKind::InvalidData, format!("{line:?}")))
            })?;
            let config = TopicConfig { partitions, ..topic.clone() };
            cluster.restore_topic(name, id, config).map_err(|e| {
                named(
                    &path,
                    &io::Error::new(io::ErrorKind::InvalidData, format!("{line:?}: {e:?}")),
                )
            })?;
            for partition in 0..partitions {
                self.load_partition(cluster, name, partition)?;
            }
            self.listed.push((name.to_string(), partitions));
        }
        Ok(())
    }

    fn load_partition(&self, cluster: &mut Cluster, topic: &str, partition: i32) -> io::Result<()> {
        let path = self.path(topic, partition);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| named(&path, &e))?,
        };
        let length = file.metadata()?.len();
        let mut reader = BufReader::new(file);
        let mut sound = 0;
        while let Some(batch) = read_batch(&mut reader).map_err(|e| named(&path, &e))? {
            let size = batch.len() as u64;
            if cluster.restore_batch(topic, partition, batch).is_err() {
                break;
            }
            sound += size;
        }
        if sound < length {
            let file = OpenOptions::new().write(true).open(&path).map_err(|e| named(&path, &e))?;
            file.set_len(sound).map_err(|e| named(&path, &e))?;
        }
        Ok(())
    }

    /// Writes what was appended since the last call, and the list of topics if there are new ones.
    pub(super) fn save(&mut self, cluster: &mut Cluster) -> io::Result<()> {
        self.save_topics(cluster)?;
        let appended = cluster.take_appended();
        if appended.is_empty() {
            return Ok(());
        }
        for Appended { topic, partition, batch, .. } in appended {
            let path = self.path(&topic, partition);
            let file = match self.files.entry((topic, partition)) {
                std::collections::btree_map::Entry::Occupied(file) => file.into_mut(),
                std::collections::btree_map::Entry::Vacant(place) => {
                    let file = OpenOptions::new().create(true).append(true).open(&path);
                    place.insert(BufWriter::new(file.map_err(|e| named(&path, &e))?))
                }
            };
            file.write_all(&batch).map_err(|e| named(&path, &e))?;
        }
        self.files.values_mut().try_for_each(Write::flush).map_err(|e| named(&self.dir, &e))
    }

    fn save_topics(&mut self, cluster: &Cluster) -> io::Result<()> {
        let is: Vec<(String, i32)> =
            cluster.topics().map(|name| (name.to_string(), cluster.partitions(name))).collect();
        if is == self.listed {
            return Ok(());
        }
        let mut list = String::new();
        for (name, partitions) in &is {
            let id = u128::from_be_bytes(cluster.topic_id(name).unwrap_or_default());
            list.push_str(&format!("{name} {id:032x} {partitions}\n"));
        }
        let (new, path) = (self.dir.join("topics.new"), self.dir.join(TOPICS));
        std::fs::write(&new, list).map_err(|e| named(&new, &e))?;
        std::fs::rename(&new, &path).map_err(|e| named(&path, &e))?;
        self.listed = is;
        Ok(())
    }

    fn path(&self, topic: &str, partition: i32) -> PathBuf {
        // Names of topics have no slashes.
        self.dir.join(format!("{topic}-{partition}.log"))
    }
}

fn parse_topic(line: &str) -> Option<(&str, [u8; 16], i32)> {
    let mut words = line.split(' ');
    let (name, id, partitions) = (words.next()?, words.next()?, words.next()?);
    let id = u128::from_str_radix(id, 16).ok()?;
    Some((name, id.to_be_bytes(), partitions.parse().ok()?))
}

/// The next batch; `None` at the end, also if the last batch is torn.
fn read_batch(from: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut head = [0; OVERHEAD];
    if let Err(error) = from.read_exact(&mut head) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let [.., a, b, c, d] = head;
    let length = usize::try_from(i32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if length > LARGEST {
        return Ok(None);
    }
    let mut batch = BytesMut::from(&head[..]);
    batch.resize(OVERHEAD + length, 0);
    match from.read_exact(&mut batch[OVERHEAD..]) {
        Ok(()) => Ok(Some(batch.freeze())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
