//! What could not be read, and when.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::registry::Registry;
use crate::sync::Mutex;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a collector could not read, by source: a file, a call, a device. Empty costs nothing.
///
/// `?` turns any error into one of the source "collect".
///
/// ```
/// use nissa::collect::Failures;
///
/// fn collect() -> Result<(), Failures> {
///     let mut failures = Failures::new();
///     let load = failures.check("loadavg", std::fs::read_to_string("/no/such/file"));
///     assert!(load.is_none());
///     failures.into_result()
/// }
///
/// let failures = collect().unwrap_err();
/// assert!(failures.to_string().starts_with("loadavg: No such file"));
/// ```
#[derive(Debug, Default)]
#[must_use = "what failed is counted only if it is returned"]
pub struct Failures {
    list: Vec<(Cow<'static, str>, Cause)>,
    /// How many more there were.
    unsaid: u64,
    /// Whether anything failed. What is only left out does not.
    failed: bool,
}

/// More of one call are the same trouble told again.
const MOST: usize = 64;

impl Failures {
    /// None so far. Allocates nothing.
    pub const fn new() -> Self {
        Self { list: Vec::new(), unsaid: 0, failed: false }
    }

    /// Notes that this source could not be read. Beyond 64 of one call the rest is only counted,
    /// as of the source "further". Sources become label values, so let there be few.
    pub fn add(&mut self, source: impl Into<Cow<'static, str>>, error: impl Into<Cause>) {
        self.failed = true;
        self.push(source.into(), error.into());
    }

    fn push(&mut self, source: Cow<'static, str>, error: Cause) {
        if self.list.len() < MOST {
            self.list.push((source, error));
        } else {
            self.unsaid += 1;
        }
    }

    /// Notes how many were left out of what is bounded. It is told as a failure is; but the call
    /// has not failed for it, which would fail for ever.
    #[allow(dead_code, reason = "only collectors of ours have such bounds")]
    pub(crate) fn leave_out(&mut self, source: &'static str, count: usize, most: usize) {
        if count > 0 {
            let told = format!("{count} beyond the first {most} are left out");
            self.push(source.into(), told.into());
        }
    }

    /// The value, or `None` with the error noted.
    pub fn check<T, E: Into<Cause>>(
        &mut self,
        source: &'static str,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.add(source, error)).ok()
    }

    /// Takes over what another part of the collector noted.
    pub fn append(&mut self, other: Result<(), Self>) {
        if let Err(other) = other {
            other.list.into_iter().for_each(|(source, error)| self.push(source, error));
            self.unsaid += other.unsaid;
            self.failed |= other.failed;
        }
    }

    /// How many were not kept.
    pub(super) fn unsaid(&self) -> u64 {
        self.unsaid
    }

    /// Whether the call failed, and not only left something out.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Sources and errors, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &(dyn std::error::Error + 'static))> {
        self.list.iter().map(|(source, error)| (&**source, &**error as _))
    }

    /// `Ok` if there is nothing to tell: what a collector returns at its end.
    pub fn into_result(self) -> Result<(), Self> {
        if self.list.is_empty() { Ok(()) } else { Err(self) }
    }
}

/// Not an error itself, which is what lets `?` make one of any.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failures {
    fn from(error: E) -> Self {
        Self { list: vec![("collect".into(), Box::new(error))], unsaid: 0, failed: true }
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (source, error)) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{source}: {error}")?;
        }
        Ok(())
    }
}

/// The last failure of one source of one collector.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CollectionError {
    /// The collector's name.
    pub collector: String,
    /// What it could not read.
    pub source: String,
    /// The last error's text.
    pub error: String,
    /// How often it failed.
    pub count: u64,
    /// When it last failed, since the Unix epoch.
    pub unix: Duration,
}

/// The failures of collectors, the last one of each source.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorLog(Arc<Errors>);

type Errors = Mutex<BTreeMap<(String, String), CollectionError>>;

/// Sources are few by nature; a collector that makes them up must not fill the memory.
const MOST_SOURCES: usize = 1_000;

impl ErrorLog {
    /// The one that all share who collect into this registry at a time.
    pub(crate) fn of(registry: &Registry) -> Self {
        static LOGS: Mutex<Vec<(u32, Weak<Errors>)>> = Mutex::new(Vec::new());
        let id = registry.inner.id();
        let mut logs = LOGS.lock();
        logs.retain(|(_, log)| log.strong_count() > 0);
        let known = logs.iter().find(|(known, _)| *known == id).and_then(|(_, log)| log.upgrade());
        Self(known.unwrap_or_else(|| {
            let log = Arc::default();
            logs.push((id, Arc::downgrade(&log)));
            log
        }))
    }

    /// Notes a failure, and tells how often this source has failed. 0 if there are too many
    /// sources to keep another.
    pub(crate) fn note(&self, collector: &str, source: &str, error: String, unix: Duration) -> u64 {
        let mut errors = self.0.lock();
        let key = (collector.to_owned(), source.to_owned());
        if errors.len() >= MOST_SOURCES && !errors.contains_key(&key) {
            return 0;
        }
        let entry = errors.entry(key).or_insert_with(|| CollectionError {
            collector: collector.to_owned(),
            source: source.to_owned(),
            error: String::new(),
            count: 0,
            unix,
        });
        entry.error = error;
        entry.count += 1;
        entry.unix = unix;
        entry.count
    }

    /// All of them, by collector and source.
    pub(crate) fn list(&self) -> Vec<CollectionError> {
        self.0.lock().values().cloned().collect()
    }
}
