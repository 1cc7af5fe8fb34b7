#![doc = include_str!("../../docs/WATCHES.md")]

mod incident;
mod known;
mod level;
mod model;
mod recorder;
mod series;
mod terms;
mod training;

pub use crate::anomaly::{Anomaly, Kind, Severity, UnknownSeverity};
pub use series::{Watch, WatchBuilder};
pub use training::{Step, Training, TrainingBuilder};

/// A watch over one series, judged value by value where it is recorded.
///
/// Says nothing until it is told what to look for: [`WatchBuilder::spikes`] and the others.
///
/// ```
/// let registry = nissa::Registry::new();
/// let mut loss =
///     nissa::watch("training_loss").spikes().not_finite().stuck(500).registry(&registry).build();
/// for step in 0..200 {
///     assert_eq!(loss.observe(2.0 / (1.0 + 0.1 * step as f64)), None);
/// }
/// let anomaly = loss.observe(7.5).unwrap();
/// assert_eq!(anomaly.kind(), nissa::watch::Kind::Spike);
/// assert!(anomaly.to_string().starts_with("warning: training_loss is 7.5 at step 200, expected up to"));
/// assert_eq!(registry.snapshot().value("training_loss"), Some(7.5));
/// ```
pub fn watch(name: impl Into<String>) -> WatchBuilder {
    WatchBuilder::new(name.into())
}

/// A watch over a training loop: loss, gradient norm, learning rate and throughput in one call.
///
/// ```
/// use nissa::watch::{Kind, Step};
///
/// let registry = nissa::Registry::new();
/// let mut watch = nissa::watch::training().registry(&registry).build();
/// for step in 0..200 {
///     let loss = 2.0 / (1.0 + 0.1 * step as f64);
///     let step = Step::new(loss).gradient_norm(3.0 * loss).learning_rate(0.1);
///     assert_eq!(watch.observe(step), None);
/// }
/// let anomaly = watch.observe(Step::new(0.1).gradient_norm(0.3).learning_rate(10.0)).unwrap();
/// assert_eq!(anomaly.kind(), Kind::RateJump);
/// assert_eq!(anomaly.action(), Some("set the learning rate back"));
/// ```
pub fn training() -> TrainingBuilder {
    TrainingBuilder::default()
}
