//! The file: a `redb` database, which is whole after a crash at any byte, and which one process
//! has at a time.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, DatabaseError, StorageError, TableDefinition};

/// Series by number.
pub(super) const SERIES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("series");
/// Closed blocks by series, tier and first position.
pub(super) const BLOCKS: TableDefinition<'_, (u32, u8, u64), &[u8]> =
    TableDefinition::new("blocks");
/// Open ends by series and tier, and their state.
pub(super) const OPEN: TableDefinition<'_, (u32, u8), &[u8]> = TableDefinition::new("open");
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The tier that stands for the state of the open ends.
pub(super) const STATE: u8 = u8::MAX;
/// And for the newest ticks, which are in no tier yet.
pub(super) const STAGED: u8 = u8::MAX - 1;
/// In `META`: how the rows are to be read, and when ticks were.
pub(super) const FORMAT: &str = "format";
pub(super) const TIMES: &str = "times";

/// The format of a file whose steps are of so many milliseconds.
pub(super) fn format(step: u64) -> String {
    format!("nissa history 2, steps of {step} ms")
}

/// Why there is no file.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another process has it.
    InUse,
    /// It makes no sense.
    Damaged(String),
    /// It makes sense to someone else.
    Other(String),
    /// It may work later.
    Io(String),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Corrupted(reason) => Self::Damaged(reason),
            error @ (redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }) => Self::Damaged(error.to_string()),
            error => Self::Io(error.to_string()),
        }
    }
}

/// Opens the file, or makes one. Of what is larger than `most` bytes, or no file at all, nothing
/// is read.
pub(super) fn open(path: &Path, most: u64) -> Result<Database, Failure> {
    /// Pages that are kept in memory, and written in one go.
    const CACHE: usize = 8 << 20;
    if let Ok(there) = fs::metadata(path) {
        if !there.is_file() {
            return Err(Failure::Io("it is not a regular file".to_owned()));
        }
        if there.len() > most {
            return Err(Failure::Io("it is far larger than the history may be".to_owned()));
        }
    }
    let create = || Database::builder().set_cache_size(CACHE).create(path);
    guarded(|| create().map_err(Failure::from_open))
}

impl Failure {
    /// What to tell a person.
    pub(super) fn reason(self) -> String {
        match self {
            Self::InUse => "another process uses it".to_owned(),
            Self::Damaged(reason) | Self::Other(reason) | Self::Io(reason) => reason,
        }
    }

    fn from_open(error: DatabaseError) -> Self {
        match error {
            // What redb says of a file that is none of its own.
            DatabaseError::Storage(StorageError::Io(error))
                if error.kind() == std::io::ErrorKind::InvalidData =>
            {
                Self::Damaged(error.to_string())
            }
            error => error.into(),
        }
    }
}

/// Runs something on a file that may be damaged in ways its library does not expect.
pub(super) fn guarded<R>(body: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    let outcome = catch_unwind(AssertUnwindSafe(body));
    outcome.unwrap_or_else(|_| Err(Failure::Damaged("it is damaged".to_owned())))
}
