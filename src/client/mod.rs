//! A small HTTP client for what leaves the program: one request, one connection, one deadline.
//!
//! Everything the other end controls is bounded: how long it may take, from the lookup of its name
//! to the last byte, and how much it may answer. Redirects are not followed, since a signed
//! request must not be sent elsewhere. Connections are not kept: alerts are rare.

mod resolver;
mod target;
mod tls;

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

pub(crate) use resolver::Resolver;
pub(crate) use target::Target;

use crate::clock;
use crate::error::Error;

/// Of an answer; nobody reads more than its first line.
const LONGEST_ANSWER: usize = 64 << 10;

/// Sends to one address. Blocks the calling thread, which must be one of our own.
pub(crate) struct Client {
    target: Target,
    headers: Vec<(HeaderName, HeaderValue)>,
    tls: Option<Arc<rustls::ClientConfig>>,
    resolver: Resolver,
    /// Made on the thread that sends, so that building a monitor makes no threads.
    runtime: Option<Runtime>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
}

impl Client {
    /// A client for this URL. PEM certificates are trusted beside the system's.
    pub(crate) fn new(target: Target, roots: Option<&[u8]>) -> Result<Self, Error> {
        let tls = if target.encrypted { Some(tls::config(roots)?) } else { None };
        Ok(Self { target, headers: Vec::new(), tls, resolver: Resolver::default(), runtime: None })
    }

    /// A header of every request.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|error| Error::setting(format!("header {name:?}")).because(error))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|error| Error::setting(format!("value of header {name}")).because(error))?;
        value.set_sensitive(true);
        self.headers.push((name, value));
        Ok(())
    }

    /// Looks names up in another way than the system's.
    #[cfg(test)]
    pub(crate) fn resolve_by(&mut self, resolver: Resolver) {
        self.resolver = resolver;
    }

    /// Posts JSON, within this time from first to last.
    pub(crate) fn post(
        &mut self,
        body: Vec<u8>,
        headers: &[(&'static str, String)],
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let request = self.request(body, headers)?;
        if self.runtime.is_none() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            self.runtime = Some(runtime.map_err(Failure::new)?);
        }
        let Some(runtime) = &self.runtime else { return Err(Failure("no runtime".into())) };
        let (target, tls) = (&self.target, self.tls.as_ref());
        let attempt = async {
            let addresses = self.resolver.addresses(&target.host, target.port).await?;
            exchange(&addresses, target, tls, request).await
        };
        runtime.block_on(async {
            tokio::time::timeout(limit, attempt)
                .await
                .unwrap_or_else(|_| Err(Failure(format!("no answer within {limit:?}"))))
        })
    }

    fn request(
        &self,
        body: Vec<u8>,
        headers: &[(&'static str, String)],
    ) -> Result<hyper::Request<Full<Bytes>>, Failure> {
        let mut request = hyper::Request::post(&*self.target.path)
            .header("host", &*self.target.authority)
            .header("content-type", "application/json")
            .header("user-agent", concat!("nissa/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(body.into())).map_err(Failure::new)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A lookup that hangs must not hold up the end of the thread.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn exchange(
    addresses: &[SocketAddr],
    target: &Target,
    tls: Option<&Arc<rustls::ClientConfig>>,
    request: hyper::Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let stream = TcpStream::connect(addresses).await.map_err(Failure::new)?;
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(stream, request).await,
        Some(config) => {
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
            let name = rustls::pki_types::ServerName::try_from(target.host.clone());
            let name = name.map_err(Failure::new)?;
            let stream = connector.connect(name, stream).await.map_err(Failure::new)?;
            converse(stream, request).await
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    request: hyper::Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(Failure::new)?;
    let mut connection = std::pin::pin!(connection);
    let answer = async {
        let response = sender.send_request(request).await.map_err(Failure::new)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), clock::unix());
        // Read, so that the other end sees it taken; what it says too much is its own affair.
        let _ = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        Ok(Answer { status, retry_after })
    };
    let mut answer = std::pin::pin!(answer);
    // Both on this one task: a connection does nothing unless it is polled.
    let mut ended = false;
    poll_fn(|context| {
        if !ended {
            // Why it ended is what the answer says then.
            ended = connection.as_mut().poll(context).is_ready();
        }
        answer.as_mut().poll(context)
    })
    .await
}

/// How long the other end asks for: in seconds, or until a date (RFC 9110, 10.2.3), which is taken
/// by its own clock if it says what that shows.
fn retry_after(headers: &HeaderMap, now: Duration) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let date = |text| httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok();
    let asked = text(RETRY_AFTER)?;
    match asked.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(date(asked)?.saturating_sub(text(DATE).and_then(date).unwrap_or(now))),
    }
}

/// Why there was no answer.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Client {
    /// Without headers, which hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.target.authority).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_time_may_ask_in_every_way() {
        let now = Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let asked = |pairs: &[(HeaderName, &'static str)]| {
            let pair = |(name, value): &(HeaderName, &'static str)| {
                (name.clone(), HeaderValue::from_static(value))
            };
            retry_after(&pairs.iter().map(pair).collect(), now).map(|time| time.as_secs())
        };
        assert_eq!(asked(&[]), None);
        for (text, seconds) in [
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
        ] {
            assert_eq!(asked(&[(RETRY_AFTER, text)]), seconds, "{text}");
        }
        // Its clock is an hour behind, and it means a minute.
        let late = (DATE, "Sun, 06 Nov 1994 07:49:37 GMT");
        assert_eq!(asked(&[late, (RETRY_AFTER, "Sun, 06 Nov 1994 07:50:37 GMT")]), Some(60));
    }
}
