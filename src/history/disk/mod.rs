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
    let mut file = File { path, every, database: None, mirror: Mirror::default(), anew: true };
    let empty = store.timeline.now() == 0;
    match file.open(store.budget) {
        Ok(database) if empty => file.load(database, store, &inner.status)?,
        // What memory has from before is as good as what the file has.
        Ok(database) => file.database = Some(database),
        Err(Failure::InUse) => return Err(file.in_use()),
        Err(Failure::Damaged(reason)) => file.set_aside(store.budget, &reason, &inner.status),
        Err(Failure::Io(reason)) => inner.status.fail(&file.path, &reason),
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
                match failure {
                    Failure::InUse => return Err(self.in_use()),
                    Failure::Damaged(reason) => self.set_aside(store.budget, &reason, status),
                    Failure::Io(reason) => status.fail(&self.path, &reason),
                }
            }
        }
        Ok(())
    }

    fn in_use(&self) -> Error {
        Error::setting(format!("history: {}: another process uses it", self.path.display()))
    }

    /// Moves a file that makes no sense out of the way, for a person to look at, and starts anew.
    fn set_aside(&mut self, budget: usize, reason: &str, status: &Status) {
        status.damaged.fetch_add(1, Ordering::Relaxed);
        let mut aside = self.path.clone().into_os_string();
        aside.push(".damaged");
        let shown = self.path.display();
        crate::logging::warn!("nissa: {shown}: {reason}; moved to {}", Path::new(&aside).display());
        let moved = std::fs::rename(&self.path, &aside).map_err(|error| error.to_string());
        let opened =
            moved.and_then(|()| self.open(budget).map_err(|failure| format!("{failure:?}")));
        match opened {
            Ok(database) => self.database = Some(database),
            Err(reason) => status.fail(&self.path, &reason),
        }
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
                    let reason = match failure {
                        Failure::InUse => "another process uses it".to_owned(),
                        Failure::Damaged(reason) | Failure::Io(reason) => reason,
                    };
                    inner.status.fail(&self.path, &reason);
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
            None => self.open(budget)?,
        };
        self.mirror.flush(&database, &inner.store, self.anew)?;
        self.anew = false;
        self.database = Some(database);
        Ok(())
    }
}
