//! A small HTTP client for what leaves the program: one request, one connection, one deadline.
//!
//! Everything the other end controls is bounded: how long it may take, from the lookup of its name
//! to the last byte, and how much it may answer. Redirects are not followed, since a signed
//! request must not be sent elsewhere. Connections are not kept: alerts are rare.

mod target;
mod tls;

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

pub(crate) use target::Target;

use crate::error::Error;

/// Of an answer; nobody reads more than its first line.
const LONGEST_ANSWER: usize = 64 << 10;

/// Sends to one address. Blocks the calling thread, which must be one of our own.
pub(crate) struct Client {
    target: Target,
    headers: Vec<(HeaderName, HeaderValue)>,
    tls: Option<Arc<rustls::ClientConfig>>,
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
        Ok(Self { target, headers: Vec::new(), tls, runtime: None })
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
        runtime.block_on(async {
            tokio::time::timeout(limit, exchange(target, tls, request))
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
    target: &Target,
    tls: Option<&Arc<rustls::ClientConfig>>,
    request: hyper::Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let stream = TcpStream::connect((&*target.host, target.port)).await.map_err(Failure::new)?;
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
        let retry_after = response.headers().get("retry-after").and_then(|value| {
            let seconds = value.to_str().ok()?.trim().parse().ok()?;
            Some(Duration::from_secs(seconds))
        });
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
