//! Alerts sent to any URL as signed JSON.

use std::fmt::Write;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Alert;
use super::endpoint::{Connected, Endpoint, sends_over_http};
use super::sender::{Outcome, Sink};
use super::stage::Alerts;
use crate::client::Target;
use crate::error::Error;
use crate::monitor::Builder;
use crate::{clock, json};

/// A URL that alerts are posted to.
///
/// The body is `{"alerts": […]}`, each as [`Alert::json`] writes it. With a
/// [`secret`](Self::secret), two headers let the receiver check where it comes from:
/// `x-nissa-timestamp`, seconds since the epoch, and `x-nissa-signature`, `sha256=` and the
/// hexadecimal HMAC-SHA-256 of timestamp, a full stop and the body. A receiver should refuse old
/// timestamps, and may see an alert twice: if an answer was lost, it is sent again.
///
/// ```
/// use nissa::alert::Webhook;
///
/// let hook = Webhook::new("https://hooks.example.com/training")?.secret("s3cret");
/// assert!(!format!("{hook:?}").contains("s3cret"));
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a webhook is sent nothing until a builder gets it"]
pub struct Webhook {
    endpoint: Endpoint,
    secret: Option<Vec<u8>>,
}

impl Webhook {
    /// The receiver at this URL.
    ///
    /// # Errors
    ///
    /// If it is not an `http` or `https` URL ([`Error::is_setting`]).
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self { endpoint: Endpoint::new(Target::parse(url)?), secret: None })
    }

    /// The key that requests are signed with.
    pub fn secret(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.secret = Some(key.into());
        self
    }
}

sends_over_http!(Webhook);

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("signed", &self.secret.is_some()).finish_non_exhaustive()
    }
}

impl Builder {
    /// Posts alerts to a URL when they fire and when they are resolved.
    ///
    /// On a thread of its own, with a queue of 1,000 alerts. What fails is tried again at growing
    /// intervals, eight times at most; see `nissa_alerts_sent_total`.
    pub fn webhook(self, hook: Webhook) -> Self {
        self.change_stage(|alerts: &mut Alerts| {
            let Webhook { endpoint, secret } = hook;
            alerts.sinks.push(Box::new(move || {
                let sink = Sending { connected: endpoint.connect()?, secret };
                Ok(Box::new(sink) as Box<dyn Sink>)
            }));
        })
    }
}

struct Sending {
    connected: Connected,
    secret: Option<Vec<u8>>,
}

impl Sink for Sending {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn send(&mut self, alerts: &[Arc<Alert>], stopping: bool) -> Outcome {
        let mut body = String::from("{\"alerts\":[");
        json::list(&mut body, alerts, |out, alert| alert.json_into(out));
        body.push_str("]}");
        let headers = self.secret.as_deref().map(|secret| signed(secret, &body));
        self.connected.post(body, headers.as_ref().map_or(&[], |headers| &headers[..]), stopping)
    }
}

fn signed(secret: &[u8], body: &str) -> [(&'static str, String); 2] {
    let timestamp = clock::unix().as_secs().to_string();
    let signature = signature(secret, &timestamp, body);
    [("x-nissa-timestamp", timestamp), ("x-nissa-signature", signature)]
}

fn signature(secret: &[u8], timestamp: &str, body: &str) -> String {
    // Takes keys of any length, so there is no error to have.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let mut text = String::from("sha256=");
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked with `printf '1700000000.{"alerts":[]}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn the_signature_is_what_openssl_says() {
        assert_eq!(
            signature(b"key", "1700000000", "{\"alerts\":[]}"),
            "sha256=b0aa5536a9927ab6b898c707f5f913880c92777818370328f77d16884867d69e"
        );
    }
}
