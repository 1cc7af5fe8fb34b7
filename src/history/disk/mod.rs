//! The history in a file, so that it survives its program.
//!
//! Memory is what is asked and what has the budget; the file is its mirror. A thread of its own
//! writes, so a slow disk holds up nothing; what cannot be written stays in memory and is tried
//! again, ever less often, and is counted, logged once and shown in `/health`.

mod flush;
mod load;
mod record;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redb::Database;

use super::Inner;
use super::store::Store;
use crate::clock;
use crate::error::Error;
use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::thread::{Pause, Worker};
use flush::Mirror;
use load::Outcome;
use tables::{Failure, guarded, open};

/// The longest time from one try to the next while the file cannot be written.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How it goes.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) flushes: AtomicU64,
    pub(super) failures: AtomicU64,
    /// Rows that were damaged when the file was read.
    pub(super) damaged: AtomicU64,
    /// What is wrong now.
    trouble: Mutex<Option<String>>,
}

impl Status {
    /// What is wrong now, for a person to read.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    fn fail(&self, path: &Path, reason: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let message = format!("the history is in memory only: {}: {reason}", path.display());
        let before = self.trouble.lock().replace(message.clone());
        if before.as_ref() != Some(&message) {
            crate::logging::warn!("nissa: {message}");
        }
    }
}

/// Reads the file into the store, and starts the thread that keeps it up to date.
///
/// # Errors
///
/// Another process has the file, or the system refuses a thread.
pub(super) fn start(
    inner: &Arc<Inner>,
    path: PathBuf,
    every: Duration,
    store: &mut Store,
) -> Result<Worker, Error> {
    /// Less would only wear out the disk.
    const LEAST: Duration = Duration::from_millis(10);
    let every = every.max(LEAST);
    let (database, mirror) = (None, Mirror::default());
    let mut file = File { path, every, database, mirror, anew: true, unread: false };
    let empty = store.timeline.now() == 0;
    match file.open(store.budget) {
        Ok(database) if empty => file.load(database, store, &inner.status)?,
        // What memory has from before is as good as what the file has.
        Ok(database) => file.database = Some(database),
        Err(failure) => file.give_up(failure, store.budget, &inner.status)?,
    }
    let inner = Arc::clone(inner);
    Worker::spawn("nissa-history", move |pause| file.run(&inner, pause))
}

struct File {
    path: PathBuf,
    every: Duration,
    database: Option<Database>,
    mirror: Mirror,
    /// The mirror does not know what the file holds.
    anew: bool,
    /// Nobody does: it could never be opened.
    unread: bool,
}

impl File {
    fn open(&self, budget: usize) -> Result<Database, Failure> {
        /// A file holds little more than memory does, and pages that are free.
        const TIMES: u64 = 32;
        open(&self.path, (budget as u64).saturating_mul(TIMES).saturating_add(64 << 20))
    }

    fn load(
        &mut self,
        database: Database,
        store: &mut Store,
        status: &Status,
    ) -> Result<(), Error> {
        match guarded(|| load::load(&database, store)) {
            Ok(Outcome { damaged, left_out }) => {
                status.damaged.store(damaged, Ordering::Relaxed);
                if damaged > 0 {
                    let path = self.path.display();
                    crate::logging::warn!("nissa: {path}: {damaged} damaged rows were left out");
                }
                (self.mirror, self.anew) = (Mirror::of(store), damaged + left_out > 0);
                self.database = Some(database);
            }
            Err(failure) => {
                // Half of it may be there.
                store.clear();
                drop(database);
                self.give_up(failure, store.budget, status)?;
            }
        }
        Ok(())
    }

    /// Begins without what the file holds.
    fn give_up(&mut self, failure: Failure, budget: usize, status: &Status) -> Result<(), Error> {
        let moved = match failure {
            Failure::InUse => {
                let path = self.path.display();
                return Err(Error::setting(format!("history: {path}: another process uses it")));
            }
            Failure::Damaged(reason) => {
                status.damaged.fetch_add(1, Ordering::Relaxed);
                self.set_aside("damaged", &reason)
            }
            Failure::Other(reason) => self.set_aside("old", &reason),
            Failure::Io(reason) => {
                // It may be a good file when it can be read again.
                self.unread = true;
                Err(Failure::Io(reason))
            }
        };
        match moved.and_then(|()| self.open(budget)) {
            Ok(database) => self.database = Some(database),
            Err(failure) => status.fail(&self.path, &failure.reason()),
        }
        Ok(())
    }

    /// Moves a file out of the way, for a person to look at.
    fn set_aside(&self, suffix: &str, reason: &str) -> Result<(), Failure> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".");
        aside.push(suffix);
        let shown = self.path.display();
        crate::logging::warn!("nissa: {shown}: {reason}; moved to {}", Path::new(&aside).display());
        std::fs::rename(&self.path, &aside).map_err(|error| Failure::Io(error.to_string()))
    }

    fn run(mut self, inner: &Inner, pause: &Pause) {
        let mut wait = self.every;
        loop {
            let last = pause.until(clock::now() + wait);
            let flushed = guarded(|| self.flush(inner));
            match flushed {
                Ok(()) => {
                    inner.status.flushes.fetch_add(1, Ordering::Relaxed);
                    *inner.status.trouble.lock() = None;
                    wait = self.every;
                }
                Err(failure) => {
                    // After an error the database refuses all else, until it is opened again.
                    (self.database, self.anew) = (None, true);
                    inner.status.fail(&self.path, &failure.reason());
                    wait = wait.saturating_mul(2).min(LONGEST_WAIT).max(self.every);
                }
            }
            if last {
                return;
            }
        }
    }

    fn flush(&mut self, inner: &Inner) -> Result<(), Failure> {
        let budget = inner.settings.lock().memory;
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let file = std::fs::metadata(&self.path);
                let there = file.is_ok_and(|file| file.is_file() && file.len() > 0);
                if self.unread && there {
                    self.set_aside("old", "it could not be read when the program started")?;
                }
                let database = self.open(budget)?;
                self.unread = false;
                database
            }
        };
        self.mirror.flush(&database, &inner.store, self.anew)?;
        self.anew = false;
        self.database = Some(database);
        Ok(())
    }
}
