//! Files that stay open.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use nix::errno::Errno;

use crate::cells::gate;
use crate::sync::{Mutex, MutexGuard};

/// A buffer for all collectors of a thread: what is read again and again stays in the caches.
#[derive(Clone, Debug)]
pub(crate) struct SharedBuffer(Arc<Mutex<Buffer>>);

impl SharedBuffer {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Buffer::new())))
    }

    /// The buffer, which nobody else wants on the same thread.
    pub(crate) fn begin(&self) -> MutexGuard<'_, Buffer> {
        let mut buffer = self.0.lock();
        buffer.begin();
        buffer
    }
}

/// Where files are read into, one after another.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// Which process this is. Not its id, which is another call of the kernel's.
    process: u32,
}

/// A file of the kernel's that is read again and again.
///
/// It is opened once: opening costs more than reading. A file under `/proc/self` is that of the
/// process which opened it, so a forked child opens it anew.
#[derive(Debug)]
pub(crate) struct HeldFile {
    path: PathBuf,
    /// Of one that the kernel writes record by record, a page at a time: a read of fewer bytes than
    /// this was the last. Others come whole.
    last: Option<usize>,
    file: Option<File>,
    process: u32,
    /// How many readings to leave out, after one that failed.
    pause: u32,
}

/// Readings until a file that is not there is looked for again, and one that failed is tried.
const ABSENT: u32 = 60;
const FAILED: u32 = 9;

/// The kernel hands out records by the page. Less than this, and the next record would have fitted
/// as well: there is none. So of records that are shorter than this, as those of devices are.
const SHORT: usize = 2 << 10;
/// Of records of any length only an empty read is the last.
const EMPTY: usize = 1;
const MOST: usize = 4 << 20;

impl Buffer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; 8 << 10], process: gate::forks() }
    }

    pub(crate) fn process(&self) -> u32 {
        self.process
    }

    /// Looks which process this is now.
    pub(crate) fn begin(&mut self) {
        self.process = gate::forks();
    }
}

impl HeldFile {
    /// One that the kernel hands out whole: most.
    pub(crate) fn whole(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), last: None, file: None, process: 0, pause: 0 }
    }

    /// One with a record for each device, of less than 2 KiB.
    pub(crate) fn records(path: impl Into<PathBuf>) -> Self {
        Self { last: Some(SHORT), ..Self::whole(path) }
    }

    /// One with records of any length, as a mount's is, which tells its options. Costs a call more.
    pub(crate) fn long_records(path: impl Into<PathBuf>) -> Self {
        Self { last: Some(EMPTY), ..Self::whole(path) }
    }

    /// Its text now. `None` if there is no such file, if the kernel does not fill it, or if it
    /// failed a moment ago and is left alone.
    pub(crate) fn read<'b>(&mut self, buffer: &'b mut Buffer) -> io::Result<Option<&'b [u8]>> {
        if self.process != buffer.process {
            self.file = None;
            self.pause = 0;
            self.process = buffer.process;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return Ok(None);
        }
        match self.try_read(buffer) {
            Ok(len) => Ok(buffer.bytes.get(..len)),
            Err(error) => {
                self.file = None;
                let absent = is_absent(&error);
                self.pause = if absent { ABSENT } else { FAILED };
                if absent { Ok(None) } else { Err(error) }
            }
        }
    }

    fn try_read(&mut self, buffer: &mut Buffer) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        match self.last {
            Some(last) => {
                join_records(&mut buffer.bytes, last, |room, offset| read_at(file, room, offset))
            }
            None => read_whole(file, buffer),
        }
    }
}

/// Whether this kernel has no such file, or does not fill it: pressure that is turned off, say, for
/// whose error older standard libraries have no kind.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, Unsupported};
    matches!(error.kind(), NotFound | Unsupported | NotADirectory)
        || error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32)
}

/// One read, and another only if the buffer was too small.
fn read_whole(file: &File, buffer: &mut Buffer) -> io::Result<usize> {
    loop {
        let len = read_at(file, &mut buffer.bytes, 0)?;
        if len < buffer.bytes.len() || !grow(&mut buffer.bytes) {
            return Ok(len);
        }
    }
}

/// Reads on until a read of less than `last`. Where records are short that is not an empty one,
/// which would cost a call each time.
fn join_records(
    bytes: &mut Vec<u8>,
    last: usize,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut len = 0;
    loop {
        let more = read(bytes.get_mut(len..).unwrap_or_default(), len as u64)?;
        len += more;
        // One that filled the buffer is short of room, not of records.
        let is_full = len >= bytes.len();
        if if is_full { !grow(bytes) } else { more < last } {
            return Ok(len);
        }
    }
}

fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(bytes, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// False if it is as large as it may be.
fn grow(bytes: &mut Vec<u8>) -> bool {
    let larger = bytes.len() * 2;
    if larger > MOST || bytes.try_reserve(larger - bytes.len()).is_err() {
        return false;
    }
    bytes.resize(larger, 0);
    true
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("nissa-held-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn text(file: &mut HeldFile, buffer: &mut Buffer) -> Option<Vec<u8>> {
        file.read(buffer).unwrap().map(<[u8]>::to_vec)
    }

    #[test]
    fn a_file_larger_than_the_buffer_comes_whole() {
        let path = scratch("large").join("file");
        let long = vec![b'x'; 100_000];
        fs::write(&path, &long).unwrap();
        let mut buffer = Buffer::new();
        assert_eq!(text(&mut HeldFile::whole(&path), &mut buffer).unwrap(), long);
        let mut buffer = Buffer::new();
        assert_eq!(text(&mut HeldFile::records(&path), &mut buffer).unwrap(), long);
        fs::remove_file(path).unwrap();
    }

    /// The kernel's way: whole records, a page of them or one that is longer, and as much of them as
    /// there is room for.
    fn page_of(text: &[u8], records: &[usize], room: &mut [u8], offset: u64) -> usize {
        let offset = offset as usize;
        let ends = records.iter().scan(0, |end, len| {
            *end += len;
            Some(*end)
        });
        let mut ends = ends.skip_while(|end| *end <= offset);
        let first = ends.next().unwrap_or(offset);
        let page = ends.take_while(|end| end - offset <= 4096).last().unwrap_or(first) - offset;
        let len = page.min(room.len());
        room[..len].copy_from_slice(&text[offset..offset + len]);
        len
    }

    fn joined(records: &[usize], last: usize) -> (Vec<u8>, Vec<u8>) {
        let text: Vec<u8> = (0..records.iter().sum()).map(|n: usize| n as u8).collect();
        let mut bytes = vec![0; 8 << 10];
        let len = join_records(&mut bytes, last, |room, offset| {
            Ok(page_of(&text, records, room, offset))
        });
        bytes.truncate(len.unwrap());
        (bytes, text)
    }

    #[test]
    fn records_are_read_on_where_the_buffer_had_little_room_left() {
        let (bytes, text) = joined(&[125; 120], SHORT);
        assert_eq!(bytes, text);
    }

    proptest::proptest! {
        #[test]
        fn records_come_whole(records in proptest::collection::vec(1_usize..2_048, 0..60)) {
            let (bytes, text) = joined(&records, SHORT);
            proptest::prop_assert_eq!(bytes, text);
        }

        #[test]
        fn records_of_any_length_come_whole(
            records in proptest::collection::vec(1_usize..8_192, 0..20),
        ) {
            let (bytes, text) = joined(&records, EMPTY);
            proptest::prop_assert_eq!(bytes, text);
        }
    }

    #[test]
    fn what_the_kernel_does_not_support_is_absent() {
        assert!(is_absent(&io::Error::from_raw_os_error(Errno::EOPNOTSUPP as i32)));
        assert!(is_absent(&io::Error::from(io::ErrorKind::NotFound)));
        assert!(!is_absent(&io::Error::from(io::ErrorKind::PermissionDenied)));
    }

    #[test]
    fn an_absent_file_is_found_once_it_is_there() {
        let path = scratch("absent").join("file");
        let _ = fs::remove_file(&path);
        let mut file = HeldFile::whole(&path);
        let mut buffer = Buffer::new();
        assert_eq!(text(&mut file, &mut buffer), None);
        fs::write(&path, "1").unwrap();
        let tries = (0..=ABSENT).find(|_| text(&mut file, &mut buffer).is_some());
        assert_eq!(tries, Some(ABSENT));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_forked_child_opens_anew() {
        let dir = scratch("fork");
        let path = dir.join("file");
        fs::write(&path, "parent").unwrap();
        let mut file = HeldFile::whole(&path);
        let mut buffer = Buffer::new();
        assert_eq!(text(&mut file, &mut buffer).unwrap(), b"parent");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "child").unwrap();
        assert_eq!(text(&mut file, &mut buffer).unwrap(), b"parent");
        buffer.process += 1;
        assert_eq!(text(&mut file, &mut buffer).unwrap(), b"child");
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_cannot_be_read_fails_once_in_ten() {
        // A directory opens, and reading it fails.
        let mut file = HeldFile::whole(scratch("directory"));
        let mut buffer = Buffer::new();
        let failures = (0..20).filter(|_| file.read(&mut buffer).is_err()).count();
        assert_eq!(failures, 2);
    }
}
