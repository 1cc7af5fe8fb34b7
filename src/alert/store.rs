//! What detectors have learned, kept in a file over restarts.
//!
//! One line of header (`nissa-detectors`, version, length, checksum), then JSON. It is written
//! beside, synced and renamed into place, so a reader finds the old one or the new one. A file
//! that is not what was written is set aside as `….damaged`, for a person to look at.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::detect::State;

const MAGIC: &str = "nissa-detectors";
const VERSION: u32 = 1;
/// Longer files are not read, nor written.
const LONGEST: u64 = 64 << 20;

/// The state of one series under one rule.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) rule: String,
    /// Which of the rules of that name that have the state's detector.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) nth: u32,
    pub(super) metric: String,
    pub(super) labels: String,
    pub(super) state: State,
    /// For how many seconds of running the series was not there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) unseen: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The file, locked against other processes for as long as this lives.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    _lock: Lock,
}

impl Store {
    /// Fails if the folder cannot be written to, or another process has this path.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), _lock: lock(&beside(path, "lock"))? })
    }

    /// What was saved: nothing without a file. A damaged one is set aside, and said to be.
    pub(super) fn load(&self) -> Result<Vec<Record>, String> {
        let problem = match read(&self.path) {
            Ok(records) => return Ok(records),
            Err(Problem::None) => return Ok(Vec::new()),
            Err(Problem::Unreadable(error)) => return Err(format!("cannot be read: {error}")),
            Err(Problem::Damaged(reason)) => reason,
        };
        let moved = fs::rename(&self.path, beside(&self.path, "damaged"));
        Err(match moved {
            Ok(()) => format!("{problem}; set aside"),
            Err(error) => format!("{problem}; it could not be set aside: {error}"),
        })
    }

    /// Replaces the file, or leaves the old one as it was. How many records found no room in it.
    pub(super) fn save(&self, records: &[Record]) -> io::Result<u64> {
        let (body, left_out) = list(records, LONGEST)?;
        let new = beside(&self.path, "new");
        let mut file = File::create(&new)?;
        let (length, sum) = (body.len(), checksum(&body));
        file.write_all(format!("{MAGIC} {VERSION} {length} {sum:016x}\n").as_bytes())?;
        file.write_all(&body)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, &self.path)?;
        // The rename is in the folder; not every system lets one be synced.
        if let Some(folder) = self.path.parent().and_then(|folder| File::open(folder).ok()) {
            let _ = folder.sync_all();
        }
        Ok(left_out)
    }
}

/// A list of those that have room, the first ones first, and how many have none.
fn list(records: &[Record], longest: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut body = vec![b'['];
    let mut left_out = 0;
    for record in records {
        let text = serde_json::to_vec(record)?;
        // With a comma before it and the bracket behind.
        if (body.len() + text.len() + 2) as u64 > longest {
            left_out += 1;
            continue;
        }
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend(text);
    }
    body.push(b']');
    Ok((body, left_out))
}

enum Problem {
    None,
    Unreadable(io::Error),
    Damaged(&'static str),
}

fn read(path: &Path) -> Result<Vec<Record>, Problem> {
    // Looked at before it is opened: opening a pipe waits for a writer.
    match fs::metadata(path) {
        // Somebody's folder, named by mistake: not ours to rename.
        Ok(metadata) if metadata.is_dir() => {
            return Err(Problem::Unreadable(io::ErrorKind::IsADirectory.into()));
        }
        Ok(metadata) if !metadata.is_file() => return Err(Problem::Damaged("not a file")),
        Ok(metadata) if metadata.len() > LONGEST + 100 => {
            return Err(Problem::Damaged("longer than 64 MiB"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Problem::None),
        Err(error) => return Err(Problem::Unreadable(error)),
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Problem::Unreadable)?;
    file.take(LONGEST + 100).read_to_end(&mut bytes).map_err(Problem::Unreadable)?;
    parse(&bytes).map_err(Problem::Damaged)
}

/// Never panics, whatever the bytes.
fn parse(bytes: &[u8]) -> Result<Vec<Record>, &'static str> {
    let end = bytes.iter().take(100).position(|byte| *byte == b'\n').ok_or("no header")?;
    let (header, body) = bytes.split_at(end);
    let body = body.get(1..).unwrap_or_default();
    let header = std::str::from_utf8(header).map_err(|_| "no header")?;
    let words: Vec<&str> = header.split(' ').collect();
    let [MAGIC, version, length, sum] = words[..] else { return Err("no header") };
    if version != VERSION.to_string() {
        return Err("of another version");
    }
    if length != body.len().to_string() {
        return Err("cut short or grown");
    }
    if sum != format!("{:016x}", checksum(body)) {
        return Err("its checksum is wrong");
    }
    serde_json::from_slice(body).map_err(|_| "not what it should hold")
}

/// FNV-1a, 64 bits: each step is one-to-one, so no single changed byte goes unseen.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

#[cfg(unix)]
type Lock = nix::fcntl::Flock<File>;

#[cfg(unix)]
fn lock(path: &Path) -> io::Result<Lock> {
    let file = File::options().create(true).append(true).open(path)?;
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock)
        .map_err(|(_, error)| io::Error::from(error))
}

#[cfg(not(unix))]
type Lock = File;

#[cfg(not(unix))]
fn lock(path: &Path) -> io::Result<Lock> {
    File::options().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detector, ZScore};
    use proptest::prelude::*;

    fn record(metric: &str, state: State) -> Record {
        let (rule, metric, labels) = ("r".into(), metric.into(), String::new());
        Record { rule, nth: 0, metric, labels, state, unseen: 0 }
    }

    #[test]
    fn what_finds_no_room_is_left_out_and_the_rest_is_kept() {
        let state = ZScore::ewma(20).save();
        let long = "m".repeat(5_000);
        let records =
            [record("a", state.clone()), record(&long, state.clone()), record("b", state)];
        let (whole, none) = list(&records, u64::MAX).unwrap();
        assert_eq!((none, serde_json::to_vec(&records).unwrap()), (0, whole.clone()));
        for longest in 0..whole.len() as u64 + 2 {
            let (body, left_out) = list(&records, longest).unwrap();
            assert!(body.len() as u64 <= longest.max(2));
            let read: Vec<Record> = serde_json::from_slice(&body).unwrap();
            assert_eq!(read.len() as u64 + left_out, 3);
            assert!(read.iter().all(|record| record.metric != "b" || read[0].metric == "a"));
        }
        let short = serde_json::to_vec(&[&records[0], &records[2]]).unwrap();
        assert_eq!(list(&records, short.len() as u64).unwrap(), (short, 1));
    }

    fn written() -> Vec<u8> {
        let state = ZScore::ewma(20).save();
        let record = record("m", state);
        let body = serde_json::to_vec(&[record]).unwrap();
        let mut bytes =
            format!("{MAGIC} {VERSION} {} {:016x}\n", body.len(), checksum(&body)).into_bytes();
        bytes.extend(body);
        bytes
    }

    #[test]
    fn cut_at_any_byte_or_with_any_bit_flipped_it_is_refused() {
        let whole = written();
        assert_eq!(parse(&whole).unwrap().len(), 1);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                assert!(parse(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_version_from_the_future_is_refused() {
        let text = String::from_utf8(written()).unwrap().replacen(" 1 ", " 2 ", 1);
        assert_eq!(parse(text.as_bytes()).unwrap_err(), "of another version");
    }

    /// With the right header, so that more than that is looked at.
    #[test]
    fn fuzz_state_files() {
        let (mut read, whole) = (0, written());
        let body = whole.split(|byte| *byte == b'\n').nth(1).unwrap();
        let words: [&[u8]; 10] =
            [b"\"", b"[", b"{", b"}", b"]", b",", b"null", b"-1", b"1e999", b"\\ud800"];
        crate::fuzz::fuzz("state files", |random| {
            let body = random.input(&[body, b"[]"], &words);
            let header = format!("{MAGIC} {VERSION} {} {:016x}\n", body.len(), checksum(&body));
            let records = parse(&[header.as_bytes(), &body].concat());
            for record in records.iter().flatten() {
                let _ = ZScore::ewma(20).restore(&record.state);
                read += 1;
            }
            let _ = parse(&random.input(&[&whole], &words));
        });
        assert!(read > 0);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
