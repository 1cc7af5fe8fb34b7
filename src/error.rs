//! The crate's one error type.

use std::fmt;

/// What went wrong while setting up; recording never returns an error.
///
/// ```
/// let error = nissa::Buckets::explicit(&[f64::NAN]).unwrap_err();
/// assert!(error.is_buckets());
/// assert_eq!(error.to_string(), "bad buckets: a bucket bound is NaN or minus infinity");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Debug)]
enum Kind {
    Buckets(&'static str),
    Installed(&'static str),
    #[allow(dead_code, reason = "only detectors keep states")]
    State(&'static str),
    #[allow(dead_code, reason = "of stages, which features bring")]
    Thread(&'static str),
    #[allow(dead_code, reason = "of stages, which features bring")]
    Setting(String),
    #[allow(dead_code, reason = "of the endpoint, which a feature brings")]
    Listen(String),
}

impl Error {
    pub(crate) fn buckets(reason: &'static str) -> Self {
        Self { kind: Kind::Buckets(reason), source: None }
    }

    #[cfg(not(nissa_loom))]
    pub(crate) fn installed(reason: &'static str) -> Self {
        Self { kind: Kind::Installed(reason), source: None }
    }

    #[allow(dead_code, reason = "only detectors keep states")]
    pub(crate) fn state(reason: &'static str) -> Self {
        Self { kind: Kind::State(reason), source: None }
    }

    #[allow(dead_code, reason = "of stages, which features bring")]
    pub(crate) fn thread(name: &'static str) -> Self {
        Self { kind: Kind::Thread(name), source: None }
    }

    #[allow(dead_code, reason = "of stages, which features bring")]
    pub(crate) fn setting(reason: impl Into<String>) -> Self {
        Self { kind: Kind::Setting(reason.into()), source: None }
    }

    #[allow(dead_code, reason = "of the endpoint, which a feature brings")]
    pub(crate) fn listen(address: impl Into<String>) -> Self {
        Self { kind: Kind::Listen(address.into()), source: None }
    }

    #[cfg(not(nissa_loom))]
    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether the bucket bounds, range, error or quantiles asked for make no sense.
    pub fn is_buckets(&self) -> bool {
        matches!(self.kind, Kind::Buckets(_))
    }

    /// Whether a saved state does not fit what should go on from it.
    pub fn is_state(&self) -> bool {
        matches!(self.kind, Kind::State(_))
    }

    /// Whether a setting of a builder makes no sense; the message names it.
    pub fn is_setting(&self) -> bool {
        matches!(self.kind, Kind::Setting(_))
    }

    /// Whether an address to listen on could not be had; the source says why, say because its port
    /// is in use.
    pub fn is_listen(&self) -> bool {
        matches!(self.kind, Kind::Listen(_))
    }

    /// Whether the system refused a thread.
    pub fn is_thread(&self) -> bool {
        matches!(self.kind, Kind::Thread(_))
    }

    /// Whether something else was installed first; that one keeps working.
    pub fn is_installed(&self) -> bool {
        matches!(self.kind, Kind::Installed(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Buckets(reason) => write!(f, "bad buckets: {reason}"),
            Kind::Installed(reason) => write!(f, "already installed: {reason}"),
            Kind::State(reason) => write!(f, "bad state: {reason}"),
            Kind::Thread(name) => write!(f, "the system refused the thread {name}"),
            Kind::Setting(reason) => write!(f, "bad setting: {reason}"),
            Kind::Listen(address) => write!(f, "cannot listen on {address}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
