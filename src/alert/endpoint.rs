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
    headers: Vec<(String, String)>,
    roots: Option<Vec<u8>>,
    limit: Duration,
}

impl Endpoint {
    pub(super) fn new(target: Target) -> Self {
        Self { target, headers: Vec::new(), roots: None, limit: LIMIT }
    }

    pub(super) fn header(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.headers.push((name.into(), value.into()));
    }

    pub(super) fn roots(&mut self, pem: Vec<u8>) {
        self.roots = Some(pem);
    }

    pub(super) fn limit(&mut self, limit: Duration) {
        self.limit = limit;
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
