//! What a stage answers over HTTP, as plain data: a path, and a function from request to response.
//!
//! A stage knows nothing of sockets, and the endpoint knows nothing of stages.

mod feed;

use std::fmt;
use std::sync::Arc;

pub use feed::Feed;
pub(crate) use feed::Reader;

type Handler = dyn Fn(&Request<'_>) -> Response + Send + Sync;

/// A path and who answers it.
///
/// ```
/// use nissa::route::{Request, Response, Route};
///
/// let route = Route::get("/version", |_| Response::text(200, "1.2.3\n"));
/// let response = route.handle(&Request::new("/version", ""));
/// assert_eq!((response.status(), response.body()), (200, &b"1.2.3\n"[..]));
/// ```
#[derive(Clone)]
pub struct Route {
    path: &'static str,
    quick: bool,
    handler: Arc<Handler>,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    path: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

/// What is sent.
#[allow(dead_code, reason = "feature `server` is who sends it")]
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// All at once.
    Whole(Arc<[u8]>),
    /// Piece by piece for as long as the client stays: no limit on the time of a response is meant
    /// for it, but those on stalled writes and on connections are, and it ends with its feed.
    Events(Reader),
}

impl Route {
    /// Answers `GET` and `HEAD` of exactly this path. The handler may run on any thread, several
    /// times at once; a panic in it becomes a 500 for that request.
    pub fn get(
        path: &'static str,
        handler: impl Fn(&Request<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self { path, quick: false, handler: Arc::new(handler) }
    }

    /// Says that the handler has its answer at hand and never waits: it is called in the thread
    /// that serves, where it would hold up everybody else.
    pub fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    #[allow(dead_code, reason = "feature `server` is who asks")]
    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    /// The path it answers.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The answer to a request.
    pub fn handle(&self, request: &Request<'_>) -> Response {
        (self.handler)(request)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'a> Request<'a> {
    /// A request for this path, with what followed the `?`.
    pub fn new(path: &'a str, query: &'a str) -> Self {
        Self { path, query, headers: &[] }
    }

    /// Header names in lower case, and their values.
    pub fn headers(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    /// The path, as it was asked for.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// What followed the `?`, as it was sent.
    pub fn query(&self) -> &'a str {
        self.query
    }

    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value)
    }

    /// The query's parameters, decoded, in the order they were sent.
    ///
    /// # Errors
    ///
    /// A 400 that names what is wrong: more than 100 parameters, a `%` that two hexadecimal digits
    /// do not follow, or text that is not UTF-8.
    ///
    /// ```
    /// use nissa::route::Request;
    ///
    /// let request = Request::new("/anomalies", "severity=critical&metric=a%2Fb");
    /// let parameters = request.parameters().unwrap();
    /// assert_eq!(parameters[1], ("metric".to_owned(), "a/b".to_owned()));
    /// let wrong = Request::new("/anomalies", "metric=%zz").parameters().unwrap_err();
    /// assert_eq!(wrong.body(), b"bad query: after % come two hexadecimal digits\n");
    /// ```
    pub fn parameters(&self) -> Result<Vec<(String, String)>, Response> {
        /// More than any form has; the length of the query is limited by who reads requests.
        const MOST: usize = 100;
        let refuse = |reason| Response::text(400, format!("bad query: {reason}\n"));
        let pairs: Vec<&str> = self.query.split('&').filter(|pair| !pair.is_empty()).collect();
        if pairs.len() > MOST {
            return Err(refuse("more than 100 parameters"));
        }
        let decoded = pairs.into_iter().map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        decoded.collect::<Result<_, _>>().map_err(refuse)
    }
}

/// Undoes the escaping of forms and URLs.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err("after % come two hexadecimal digits");
                };
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8")
}

impl Response {
    /// Plain text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into().into_bytes())
    }

    /// A JSON document.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// A body of any type. A status that HTTP does not know is sent as 500.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: Body::Whole(body.into().into()) }
    }

    /// Server-sent events, for as long as the connection and the feed last.
    pub fn events(feed: &Feed) -> Self {
        let body = Body::Events(feed.read());
        Self { status: 200, content_type: "text/event-stream", headers: Vec::new(), body }
    }

    /// Adds a header. One whose value HTTP does not allow is left out.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body's media type.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The headers that were added.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The body; empty for a stream of events.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Whole(bytes) => bytes,
            Body::Events(_) => &[],
        }
    }

    #[allow(dead_code, reason = "feature `server` is who sends it")]
    pub(crate) fn into_body(self) -> Body {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameters(query: &str) -> Result<Vec<(String, String)>, Response> {
        Request::new("/", query).parameters()
    }

    #[test]
    fn what_forms_send() {
        let pairs = parameters("a=1&&b&c=x+y%26&a=2").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(pairs, [("a", "1"), ("b", ""), ("c", "x y&"), ("a", "2")]);
    }

    #[test]
    fn what_nobody_should_send() {
        for query in ["a=%", "a=%f", "a=%fg", "a=%ff", &"a=1&".repeat(101)] {
            assert_eq!(parameters(query).unwrap_err().status(), 400, "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in ".*") {
            let _ = parameters(&query);
        }

        #[test]
        fn what_is_escaped_comes_back(value in ".*") {
            let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(&parameters(&format!("v={escaped}")).unwrap()[0].1, &value);
        }
    }
}
