//! What was refused, dropped or changed: counted always, logged once per cause.
//!
//! Nothing here can fail or block. Every registry reads its notices out as `nissa_*` metrics; the
//! global one adds what belongs to no registry (a NaN, a recursion).

use crate::sync::{AtomicU64, Ordering};

/// Everything that can happen to a metric other than what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    NanSample,
    InvalidAmount,
    UpdateLost,
    Recursion,
    InvalidName,
    KindConflict,
    DescriptionConflict,
    Filtered,
    FamilyFull,
    RegistryFull,
    NoRoom,
    DuplicateLabel,
    ReservedLabel,
    InvalidLabel,
    LongValue,
    NameCollision,
    ThreadDetached,
    ThreadPanicked,
    StagePanicked,
    HealthFull,
    CheckTimedOut,
    CheckPanicked,
    CheckNotRun,
    SourcePanicked,
    ExemplarLabels,
    ExemplarLost,
}

impl Notice {
    pub(crate) const ALL: [Self; 26] = [
        Self::NanSample,
        Self::InvalidAmount,
        Self::UpdateLost,
        Self::Recursion,
        Self::InvalidName,
        Self::KindConflict,
        Self::DescriptionConflict,
        Self::Filtered,
        Self::FamilyFull,
        Self::RegistryFull,
        Self::NoRoom,
        Self::DuplicateLabel,
        Self::ReservedLabel,
        Self::InvalidLabel,
        Self::LongValue,
        Self::NameCollision,
        Self::ThreadDetached,
        Self::ThreadPanicked,
        Self::StagePanicked,
        Self::HealthFull,
        Self::CheckTimedOut,
        Self::CheckPanicked,
        Self::CheckNotRun,
        Self::SourcePanicked,
        Self::ExemplarLabels,
        Self::ExemplarLost,
    ];

    /// The metric that counts it, and its `reason` label.
    pub(crate) fn metric(self) -> (&'static str, &'static str) {
        const DROPPED: &str = "nissa_dropped_total";
        const OVERFLOWED: &str = "nissa_overflowed_total";
        const ADJUSTED: &str = "nissa_adjusted_total";
        const FAILED: &str = "nissa_failures_total";
        match self {
            Self::NanSample => (DROPPED, "nan"),
            Self::InvalidAmount => (DROPPED, "invalid_amount"),
            Self::UpdateLost => (DROPPED, "update_lost"),
            Self::Recursion => (DROPPED, "recursion"),
            Self::InvalidName => (DROPPED, "invalid_name"),
            Self::KindConflict => (DROPPED, "kind_conflict"),
            Self::DescriptionConflict => (DROPPED, "description_conflict"),
            Self::Filtered => (DROPPED, "filtered"),
            Self::NoRoom => (DROPPED, "registry_full"),
            Self::ExemplarLabels => (DROPPED, "exemplar_labels"),
            Self::ExemplarLost => (DROPPED, "exemplar_lost"),
            Self::FamilyFull => (OVERFLOWED, "family_full"),
            Self::RegistryFull => (OVERFLOWED, "registry_full"),
            Self::DuplicateLabel => (ADJUSTED, "duplicate_label"),
            Self::ReservedLabel => (ADJUSTED, "reserved_label"),
            Self::InvalidLabel => (ADJUSTED, "invalid_label"),
            Self::LongValue => (ADJUSTED, "long_value"),
            Self::NameCollision => (ADJUSTED, "name_collision"),
            Self::ThreadDetached => (FAILED, "thread_detached"),
            Self::ThreadPanicked => (FAILED, "thread_panicked"),
            Self::StagePanicked => (FAILED, "stage_panicked"),
            Self::HealthFull => (DROPPED, "health_full"),
            Self::CheckTimedOut => (FAILED, "check_timed_out"),
            Self::CheckPanicked => (FAILED, "check_panicked"),
            Self::CheckNotRun => (FAILED, "check_not_run"),
            Self::SourcePanicked => (FAILED, "source_panicked"),
        }
    }

    /// Whether a limit sent the update to an overflow series.
    pub(crate) fn is_overflow(self) -> bool {
        matches!(self, Self::FamilyFull | Self::RegistryFull)
    }

    /// What the log says, before the name concerned.
    fn sentence(self) -> &'static str {
        match self {
            Self::NanSample => "a histogram was given NaN, which has no bucket; dropped",
            Self::InvalidAmount => {
                "a float counter was given an amount that is negative or not finite; dropped"
            }
            Self::UpdateLost => "an update found no memory it may use; dropped",
            Self::Recursion => "a metric was first used inside its own registration; dropped",
            Self::InvalidName => "a metric name is empty or too long; its updates are dropped",
            Self::KindConflict => {
                "a metric is used as two kinds; the first wins, updates of the other are dropped"
            }
            Self::DescriptionConflict => "a metric is described twice; the first wins",
            Self::Filtered => "a metric is filtered out; its updates are dropped",
            Self::FamilyFull => {
                "a metric has too many series; updates of further ones go to nissa_overflow=\"true\""
            }
            Self::RegistryFull => {
                "there are too many series; updates of further ones go to nissa_overflow=\"true\""
            }
            Self::NoRoom => "a new metric finds the registry full; its updates are dropped",
            Self::DuplicateLabel => "a label is given twice; the last wins",
            Self::ReservedLabel => "a label name is reserved; renamed with the prefix exported_",
            Self::InvalidLabel => "a label has an empty name; left out",
            Self::LongValue => "a label value is too long; cut and marked with …",
            Self::ExemplarLabels => {
                "an exemplar's labels have more than 128 characters; recorded without it"
            }
            Self::ExemplarLost => "there is no place for an exemplar; recorded without it",
            Self::NameCollision => {
                "two metric names become one in the text format; the illegal one is written as U__"
            }
            Self::ThreadDetached => "a thread did not end in time; left to itself",
            Self::ThreadPanicked => "a thread of ours panicked and has ended",
            Self::StagePanicked => "a stage panicked; it is left out until the next tick",
            Self::HealthFull => "there are too many parts to a health report; left out",
            Self::CheckTimedOut => "a health check takes longer than its limit",
            Self::CheckPanicked => "a health check panicked",
            Self::CheckNotRun => "a health check found no thread to run on",
            Self::SourcePanicked => "a source of health reports panicked",
        }
    }
}

/// Counts by notice.
#[derive(Debug)]
pub(crate) struct Notices([AtomicU64; Notice::ALL.len()]);

impl Notices {
    pub(crate) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; Notice::ALL.len()])
    }

    /// Counts one, and logs the first of its kind with the `subject` it befell.
    pub(crate) fn count(&self, notice: Notice, subject: &str) {
        if self.0[notice as usize].fetch_add(1, Ordering::Relaxed) == 0 {
            crate::logging::warn!("nissa: {}: {subject}", notice.sentence());
        }
    }

    /// Logs the first of its kind, for what is counted elsewhere.
    pub(crate) fn log_once(&self, notice: Notice, subject: &str) {
        if self.get(notice) == 0 {
            self.count(notice, subject);
        }
    }

    pub(crate) fn get(&self, notice: Notice) -> u64 {
        self.0[notice as usize].load(Ordering::Relaxed)
    }
}

/// Notices that belong to no registry.
pub(crate) fn process() -> &'static Notices {
    static PROCESS: Notices = Notices::new();
    &PROCESS
}
