//! What all sinks over HTTP share: settings, and what an answer means.

use std::time::Duration;

use super::sender::Outcome;
use crate::client::{Client, Target};
use crate::error::Error;

/// The time that an attempt may take in all, and the time at the end of the program.
const LIMIT: Duration = Duration::from_secs(10);
const LAST_LIMIT: Duration = Duration::from_secs(2);

/// Where a sink sends to, and as whom.
#[derive(Clone)]
pub(super) struct Endpoint {
    target: Target,
    pub(super) headers: Vec<(String, String)>,
    pub(super) roots: Option<Vec<u8>>,
    pub(super) limit: Duration,
}

/// The setters of everything that has an endpoint. Not a trait, which users would have to import.
macro_rules! sends_over_http {
    ($sink:ident) => {
        impl $sink {
            /// A header of every request, such as `authorization`.
            pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.endpoint.headers.push((name.into(), value.into()));
                self
            }

            /// PEM certificates to trust beside the system's.
            pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
                self.endpoint.roots = Some(pem.into());
                self
            }

            /// How long an attempt may take (10 s).
            pub fn timeout(mut self, limit: std::time::Duration) -> Self {
                self.endpoint.limit = limit;
                self
            }
        }
    };
}

pub(super) use sends_over_http;

impl Endpoint {
    pub(super) fn new(target: Target) -> Self {
        Self { target, headers: Vec::new(), roots: None, limit: LIMIT }
    }

    /// Fails if a header or a certificate makes no sense.
    pub(super) fn connect(self) -> Result<Connected, Error> {
        let mut client = Client::new(self.target, self.roots.as_deref())?;
        for (name, value) in &self.headers {
            client.header(name, value)?;
        }
        Ok(Connected { client, limit: self.limit })
    }
}

impl std::fmt::Debug for Endpoint {
    /// Without headers, which hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Connected {
    client: Client,
    limit: Duration,
}

impl Connected {
    pub(super) fn post(
        &mut self,
        body: String,
        headers: &[(&'static str, String)],
        stopping: bool,
    ) -> Outcome {
        let limit = if stopping { self.limit.min(LAST_LIMIT) } else { self.limit };
        match self.client.post(body.into_bytes(), headers, limit) {
            Ok(answer) => match answer.status {
                200..=299 => Outcome::Sent,
                408 | 429 | 500..=599 => Outcome::Failed { wait: answer.retry_after },
                status => {
                    crate::logging::warn!("nissa: alerts were refused with status {status}");
                    Outcome::Refused
                }
            },
            Err(failure) => {
                crate::logging::warn!("nissa: alerts could not be sent: {failure}");
                Outcome::Failed { wait: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, mpsc};

    use super::super::sender::Sink;
    use super::super::stage::Alerts;
    use super::super::{Alert, Rule};
    use super::*;
    use crate::client::Resolver;
    use crate::registry::Registry;
    use crate::sync::Mutex;

    struct Posts(Connected);

    impl Sink for Posts {
        fn name(&self) -> &'static str {
            "posts"
        }

        fn send(&mut self, alerts: &[Arc<Alert>], stopping: bool) -> Outcome {
            self.0.post(format!("{}", alerts.len()), &[], stopping)
        }
    }

    /// Whoever waits for the name waits for ever, and so would this test.
    #[test]
    fn a_name_that_is_never_found_delays_neither_detection_nor_the_end() {
        let (release, hangs) = mpsc::channel::<()>();
        let (began, has_begun) = mpsc::channel();
        let hangs = Mutex::new((hangs, began));
        let target = Target::parse("http://hangs.example/").unwrap();
        let mut endpoint = Endpoint::new(target);
        endpoint.limit = Duration::from_secs(600);
        let mut sink = Posts(endpoint.connect().unwrap());
        sink.0.client.resolve_by(Resolver::new(move |_, _| {
            let (hangs, began) = &*hangs.lock();
            let _ = began.send(());
            let _ = hangs.recv();
            Err(io::ErrorKind::TimedOut.into())
        }));
        let registry = Registry::new();
        let (tell, told) = mpsc::channel();
        let builder = crate::builder()
            .registry(registry.clone())
            .health(crate::health::Health::new())
            .shutdown_timeout(Duration::from_millis(50))
            .alert(Rule::new("x").above(0.5))
            .on_alert(move |alert| {
                let _ = tell.send(alert.state());
            });
        let make = move || Ok(Box::new(sink) as Box<dyn Sink>);
        let builder = builder.change_stage(|alerts: &mut Alerts| alerts.sinks.push(Box::new(make)));
        let monitor = builder.build().unwrap();
        let tick = |value: f64| {
            registry.gauge("x", &[]).set(value);
            monitor.tick();
        };
        tick(1.0);
        assert!(told.recv().is_ok());
        has_begun.recv().unwrap();
        for _ in 0..10 {
            (0..3).for_each(|_| tick(0.0));
            tick(1.0);
            assert!(told.recv().is_ok() && told.recv().is_ok(), "resolved, and fires again");
        }
        drop(monitor);
        let labels = [("sink", "posts"), ("outcome", "dropped")];
        let snapshot = registry.snapshot();
        let dropped = snapshot.get("nissa_alerts_sent_total", &labels).unwrap().as_f64();
        assert_eq!(dropped, Some(20.0), "what waited behind the first is counted");
        drop(release);
    }
}
