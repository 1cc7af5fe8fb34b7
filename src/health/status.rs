//! How well something is.

use std::fmt;

/// How well a component, a resource or the whole program is; worse is greater.
///
/// ```
/// use nissa::health::Status;
///
/// assert!(Status::Healthy < Status::Degraded && Status::Degraded < Status::Critical);
/// assert_eq!(Status::Degraded.to_string(), "degraded");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Works as it should.
    #[default]
    Healthy,
    /// Works, but a person should look.
    Degraded,
    /// Does not work: probes answer 503.
    Critical,
}

impl Status {
    pub(crate) const ALL: [Self; 3] = [Self::Healthy, Self::Degraded, Self::Critical];

    /// The word that JSON and the label `status` have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a check found: a status, and a line for a person to read.
///
/// A check may also return what makes one: a [`Status`], `true` for healthy and `false` for
/// critical, a `Result` whose error is critical and gives the details, or nothing for healthy.
///
/// ```
/// use nissa::health::{Status, Verdict};
///
/// assert_eq!(Verdict::degraded("9 of 10 replicas").status(), Status::Degraded);
/// assert_eq!(Verdict::from(Err::<(), _>("connection refused")).details(), "connection refused");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    status: Status,
    details: String,
}

impl Verdict {
    /// All is well.
    pub fn healthy() -> Self {
        Self::default()
    }

    /// It works, but a person should look.
    pub fn degraded(details: impl Into<String>) -> Self {
        Self { status: Status::Degraded, details: details.into() }
    }

    /// It does not work.
    pub fn critical(details: impl Into<String>) -> Self {
        Self { status: Status::Critical, details: details.into() }
    }

    pub(super) fn new(status: Status, details: String) -> Self {
        Self { status, details }
    }

    /// How well it is.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Why; may be empty.
    pub fn details(&self) -> &str {
        &self.details
    }
}

impl From<Status> for Verdict {
    fn from(status: Status) -> Self {
        Self { status, details: String::new() }
    }
}

/// For checks that only assert.
impl From<()> for Verdict {
    fn from((): ()) -> Self {
        Self::healthy()
    }
}

impl From<bool> for Verdict {
    fn from(works: bool) -> Self {
        if works { Self::healthy() } else { Status::Critical.into() }
    }
}

impl<T, E: fmt::Display> From<Result<T, E>> for Verdict {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::healthy(),
            Err(error) => Self::critical(error.to_string()),
        }
    }
}
