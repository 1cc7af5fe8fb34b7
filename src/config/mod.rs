//! The builder's settings from a TOML file and the environment.
//!
//! Every setter of the builder that takes plain data has a key of the same name here; `KEYS` lists
//! them, and tests compare it with the setters and with `docs/CONFIG.md`. A value is checked alone
//! before all are put together, so that an error names the one key it is about.

mod health;
mod key;
mod merge;
mod registry;
mod value;

#[cfg(feature = "alertmanager")]
mod alertmanager;
#[cfg(not(feature = "alertmanager"))]
#[path = "absent/alertmanager.rs"]
mod alertmanager;
#[cfg(feature = "detect")]
mod alerts;
#[cfg(not(feature = "detect"))]
#[path = "absent/alerts.rs"]
mod alerts;
#[cfg(feature = "dashboard")]
mod dashboard;
#[cfg(not(feature = "dashboard"))]
#[path = "absent/dashboard.rs"]
mod dashboard;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "absent/gpu.rs"]
mod gpu;
#[cfg(feature = "history")]
mod history;
#[cfg(not(feature = "history"))]
#[path = "absent/history.rs"]
mod history;
#[cfg(feature = "host")]
mod host;
#[cfg(not(feature = "host"))]
#[path = "absent/host.rs"]
mod host;
#[cfg(any(feature = "server", feature = "alertmanager", feature = "webhook"))]
mod secret;
#[cfg(feature = "server")]
mod server;
#[cfg(not(feature = "server"))]
#[path = "absent/server.rs"]
mod server;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "absent/tls.rs"]
mod tls;
#[cfg(feature = "webhook")]
mod webhook;
#[cfg(not(feature = "webhook"))]
#[path = "absent/webhook.rs"]
mod webhook;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use crate::error::Error;
use crate::monitor::{self, Builder};
use merge::Merged;
use value::Span;

/// Settings of the [`builder`](crate::builder), from a TOML file, the environment, or any format
/// that serde reads. Needs no file: every setting has the builder's default.
///
/// The keys and what they allow are listed in `docs/CONFIG.md`. The environment variable of a key
/// is its name in capitals, with `_` for `.`, behind `NISSA_`: `server.listen` is
/// `NISSA_SERVER_LISTEN`. What is not a key is an error, so that a misspelt one is found. `Debug`
/// shows no secret.
///
/// ```
/// let config = nissa::Config::from_toml(
///     r#"
///     interval = "500ms"
///
///     [registry]
///     global_labels = { job = "train" }
///     buckets = [{ name = "*_bytes", relative_error = 0.05, least = 1, most = 1e12 }]
///     "#,
/// )?;
/// let guard = config.builder()?.install()?;
/// nissa::counter!("steps_total").increment(1);
/// let text = nissa::expose::text(&guard.registry().snapshot());
/// assert!(text.contains("steps_total{job=\"train\"} 1\n"));
///
/// let error = nissa::Config::from_toml("intervall = 1").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "bad setting: intervall: unknown; did you mean interval?"
/// );
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    interval: Option<Span>,
    shutdown_timeout: Option<Span>,
    registry: registry::Section,
    health: health::Section,
    server: server::Section,
    host: host::Section,
    gpu: gpu::Section,
    history: history::Section,
    dashboard: dashboard::Section,
    alerts: alerts::Section,
    alertmanager: alertmanager::Section,
    webhook: webhook::Section,
}

impl Config {
    /// Reads a TOML file, of at most a mebibyte.
    ///
    /// # Errors
    ///
    /// The file cannot be read or is no TOML, or a key is unknown or has a value it does not
    /// allow; the message names file and key, and never shows a secret.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        Merged::default().file(path.as_ref())?.config()
    }

    /// Reads TOML.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file).
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        Merged::default().text(text, "")?.config()
    }

    /// Reads the `NISSA_*` variables of the environment.
    ///
    /// Values are written as in TOML, but that strings need no quotes, lists may be separated by
    /// commas (`a,b`) and tables written so too (`job=train,zone=a`). Variables that Kubernetes
    /// sets for a service named nissa (`NISSA_SERVICE_…`, `NISSA_PORT…`) are left alone.
    ///
    /// # Errors
    ///
    /// A variable is unknown, or has a value it does not allow; the message names it.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_variables(environment())
    }

    /// [`from_env`](Self::from_env), from these variables.
    ///
    /// ```
    /// use nissa::Config;
    ///
    /// let set = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
    /// assert!(Config::from_variables(set("NISSA_INTERVAL", "250ms")).is_ok());
    /// assert!(Config::from_variables(set("HOME", "/root")).is_ok());
    /// let error = Config::from_variables(set("NISSA_INTERVAL", "soon")).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "bad setting: NISSA_INTERVAL: \"soon\" is no duration; \
    ///      allowed: a duration, at least 1ms",
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        Merged::default().variables(variables)?.config()
    }

    /// Reads a TOML file, and the environment over it: a variable wins over the file.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file) and [`from_env`](Self::from_env).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Merged::default().file(path.as_ref())?.variables(environment())?.config()
    }

    /// A builder with these settings, to which a program adds what is no plain data: stages,
    /// callbacks, its own collectors.
    ///
    /// # Errors
    ///
    /// Settings that are allowed alone and make no sense together; the message names them.
    pub fn builder(self) -> Result<Builder, Error> {
        let mut builder = monitor::builder();
        if let Some(Span(interval)) = self.interval {
            builder = builder.interval(interval);
        }
        if let Some(Span(limit)) = self.shutdown_timeout {
            builder = builder.shutdown_timeout(limit);
        }
        builder = self.registry.apply(builder);
        builder = self.health.apply(builder);
        builder = self.host.apply(builder)?;
        builder = self.gpu.apply(builder)?;
        builder = self.history.apply(builder)?;
        builder = self.dashboard.apply(builder)?;
        builder = self.alerts.apply(builder)?;
        builder = self.alertmanager.apply(builder)?;
        builder = self.webhook.apply(builder)?;
        self.server.apply(builder)
    }
}

/// Variables that are not UTF-8 are none of ours, unless their names say so.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

/// The value if there is one, by the setter of its name.
fn set<T, V>(target: T, value: Option<V>, setter: impl FnOnce(T, V) -> T) -> T {
    match value {
        Some(value) => setter(target, value),
        None => target,
    }
}

fn wrong(place: impl fmt::Display, what: impl fmt::Display) -> Error {
    Error::setting(format!("{place}: {what}"))
}
