//! What the monitor's builder takes for alerts.

use std::path::PathBuf;
use std::sync::Arc;

use super::stage::Alerts;
use super::{Alert, Rule};
use crate::anomaly::Severity;
use crate::monitor::Builder;
use crate::snapshot::Snapshot;

impl Builder {
    /// Watches series by a rule at every tick, and lists what breaks it at `/anomalies` and
    /// `/health`.
    ///
    /// ```
    /// use nissa::alert::{Rule, Severity};
    ///
    /// let registry = nissa::Registry::new();
    /// let monitor = nissa::builder()
    ///     .registry(registry.clone())
    ///     .alert(Rule::new("queue_depth").above(1000.0).severity(Severity::Critical))
    ///     .build()?;
    /// registry.gauge("queue_depth", &[]).set(1200);
    /// monitor.tick();
    /// let alerts = [("rule", "queue_depth"), ("severity", "critical")];
    /// let snapshot = registry.snapshot();
    /// let count = snapshot.get("nissa_anomalies_total", &alerts);
    /// assert_eq!(count.and_then(|count| count.as_f64()), Some(1.0));
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn alert(self, rule: Rule) -> Self {
        self.change_stage(|alerts: &mut Alerts| alerts.rules.push(rule))
    }

    /// A rule that looks at a whole snapshot: [`Rule::when`] in one line.
    ///
    /// ```
    /// use nissa::alert::Severity;
    ///
    /// let builder = nissa::builder().add_rule(
    ///     "high_loss",
    ///     |m| m.value("training_loss") > Some(10.0),
    ///     Severity::Critical,
    ///     "stop_training",
    /// );
    /// # let _ = builder;
    /// ```
    pub fn add_rule(
        self,
        name: &str,
        broken: impl Fn(&Snapshot) -> bool + Send + Sync + 'static,
        severity: Severity,
        action: &str,
    ) -> Self {
        self.alert(Rule::when(name, broken).severity(severity).action(action))
    }

    /// Called when an alert fires and when it is resolved; also with what inline
    /// [watches](mod@crate::watch) find, though only at the next tick.
    ///
    /// Each callback has a thread and a queue of 256 alerts of its own, so it may take its time,
    /// block or panic: detection and the other callbacks go on. What it loses is counted in
    /// `nissa_callbacks_total`; after ten panics in a row it is not called again. At the end what
    /// is queued is delivered within [`shutdown_timeout`](Self::shutdown_timeout).
    pub fn on_alert(self, callback: impl Fn(&Alert) + Send + Sync + 'static) -> Self {
        self.change_stage(|alerts: &mut Alerts| alerts.callbacks.push(Arc::new(callback)))
    }

    /// Lists what inline watches find at `/anomalies`, even if there is no rule.
    #[allow(dead_code, reason = "feature `dashboard` is who asks")]
    pub(crate) fn list_anomalies(self) -> Self {
        self.change_stage(|_: &mut Alerts| ())
    }

    /// Where detectors keep what they learned over restarts: a file that is replaced as a whole
    /// every five minutes and at the end. A damaged one is set aside as `….damaged`, and one that
    /// another process uses is left alone; either way detectors learn anew, which
    /// `nissa_detector_state_total` counts.
    pub fn detector_state(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.change_stage(|alerts: &mut Alerts| alerts.path = Some(path))
    }
}
