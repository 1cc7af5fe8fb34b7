//! From a request to its response, without a socket.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tokio::sync::oneshot;

use super::access::{Access, Decision};
use super::body::{Body, Record};
use super::crew::Crew;
use super::encoding::Encoding;
use super::forms::Form;
use super::meters::{Meters, OTHER, Refusal};
use super::pages::{Limits, Pages, Wanted};
use super::turns::Turns;
use crate::clock;
use crate::expose::Format;
use crate::registry::Registry;
use crate::route::{self, Route};

/// Answers requests for metrics, as a service of hyper or tower and as a plain function. This is
/// what [`Server`](super::Server) serves; a program with a server of its own mounts it there.
///
/// Nothing of it blocks: pages are written, and routes run, in threads of their own, which are
/// started when they are first needed. It needs no runtime but the caller's.
///
/// ```
/// use http::Request;
/// use nissa::Registry;
/// use nissa::server::Handler;
///
/// let registry = Registry::new();
/// registry.counter("jobs_total", &[]).increment(3);
/// let handler = Handler::new(&registry);
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let response = handler.handle(Request::get("/metrics").body(()).unwrap()).await;
/// assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
/// let body = response.into_body().into_bytes();
/// assert!(String::from_utf8_lossy(&body).contains("jobs_total 3\n"));
/// # });
/// ```
#[derive(Clone)]
pub struct Handler {
    shared: Arc<Shared>,
}

struct Shared {
    routes: Vec<Served>,
    pages: Arc<Pages>,
    crew: Crew,
    meters: Arc<Meters>,
    access: Access,
}

/// A path and who answers it.
struct Served {
    path: &'static str,
    target: Target,
}

enum Target {
    Index,
    Metrics,
    Json,
    Route(Route, Turns),
}

/// What a request was when it came, and what became of it so far.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    /// For the metrics: the route's path, or `other`.
    route: &'static str,
    began: Instant,
}

/// What a handler is made of beside its routes.
pub(super) struct Parts {
    pub(super) meters: Arc<Meters>,
    pub(super) access: Access,
    pub(super) limits: Limits,
    pub(super) relieve: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Threads for routes, of which one route may have half; requests in line for a turn at one route;
/// and for a thread.
const ROUTE_THREADS: usize = 4;
const ONE_ROUTE: usize = 2;
const IN_LINE: usize = 256;
const ROUTES_WAITING: usize = 64;
const ALLOW: &str = "GET, HEAD";

impl Handler {
    /// Answers `/metrics`, `/metrics.json`, and `/` with a list of routes.
    pub fn new(registry: &Registry) -> Self {
        Self::with_routes(registry, [])
    }

    /// Answers these too, for instance `nissa::health().routes()`.
    pub fn with_routes(registry: &Registry, routes: impl IntoIterator<Item = Route>) -> Self {
        let parts = Parts {
            meters: Arc::new(Meters::new(registry)),
            access: Access::default(),
            limits: Limits::default(),
            relieve: Box::new(|| false),
        };
        Self::from_parts(registry, routes, parts)
    }

    pub(super) fn from_parts(
        registry: &Registry,
        routes: impl IntoIterator<Item = Route>,
        parts: Parts,
    ) -> Self {
        let own =
            [("/", Target::Index), ("/metrics", Target::Metrics), ("/metrics.json", Target::Json)];
        let mut served: Vec<Served> =
            own.into_iter().map(|(path, target)| Served { path, target }).collect();
        for route in routes {
            // A page is more than a list of routes.
            served.retain(|served| served.path != "/" || route.path() != "/");
            // Else the first of a path stays, so that a stage cannot take another's place.
            if served.iter().all(|served| served.path != route.path()) {
                served.push(Served {
                    path: route.path(),
                    target: Target::Route(route, Turns::new(ONE_ROUTE, IN_LINE)),
                });
            }
        }
        let Parts { meters, access, limits, relieve } = parts;
        let pages = Arc::new(Pages::new(registry, limits, relieve));
        let crew = Crew::new("nissa-routes", ROUTE_THREADS, ROUTES_WAITING);
        Self { shared: Arc::new(Shared { routes: served, pages, crew, meters, access }) }
    }

    /// The response to a request, whose body is not read.
    ///
    /// Reads nothing but method, path, query and headers; limits on their size are the server's.
    /// Dropping the future drops the request: what a slow route computes then reaches nobody.
    pub fn handle<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Response<Body>> + Send + use<B> {
        let (head, _) = request.into_parts();
        let handler = self.clone();
        async move { handler.respond(&head).await }
    }

    pub(super) async fn respond(&self, head: &http::request::Parts) -> Response<Body> {
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let served = self.shared.routes.iter().find(|served| served.path == path);
        let asked = Asked {
            method: &head.method,
            path,
            query,
            headers: &head.headers,
            route: served.map_or(OTHER, |served| served.path),
            began: clock::now(),
        };
        let reply = match self.refused(&asked, served.is_some()).await {
            Some(refused) => refused,
            None => match served.map(|served| &served.target) {
                Some(Target::Index) => self.index(),
                Some(Target::Metrics) => self.page(&asked, metrics_form(&asked)).await,
                Some(Target::Json) => self.page(&asked, Form::Json).await,
                Some(Target::Route(route, turns)) => self.route(&asked, route, turns).await,
                None => Reply::line(StatusCode::NOT_FOUND, "no such route; GET / lists them"),
            },
        };
        self.finish(&asked, reply)
    }

    /// Why a request gets no answer, if it gets none. Paths are told apart after passwords, so
    /// that who has none learns nothing of them.
    async fn refused(&self, asked: &Asked<'_>, exists: bool) -> Option<Reply> {
        let access = &self.shared.access;
        if !access.is_open(asked.path) {
            let header = asked.headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
            match access.check(header).await {
                Decision::Allowed => {}
                Decision::Busy => return Some(self.busy()),
                Decision::Refused => {
                    self.shared.meters.refused(Refusal::Unauthorized);
                    let reply = Reply::line(StatusCode::UNAUTHORIZED, "a password is needed");
                    return Some(reply.with(header::WWW_AUTHENTICATE, access.challenge()));
                }
            }
        }
        let readable = asked.method == Method::GET || asked.method == Method::HEAD;
        if !exists || readable {
            return None;
        }
        let reply = Reply::line(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
        Some(reply.with(header::ALLOW, ALLOW))
    }

    fn index(&self) -> Reply {
        let paths = self.shared.routes.iter().map(|served| format!("GET {}\n", served.path));
        Reply::new(StatusCode::OK, TEXT, paths.collect::<String>().into())
    }

    async fn page(&self, asked: &Asked<'_>, form: Form) -> Reply {
        let mut names = match route::Request::new(asked.path, asked.query).parameters() {
            Ok(parameters) => parameters,
            Err(refused) => return Reply::from(refused),
        };
        names.retain(|(name, _)| name == "name[]");
        let mut names: Vec<String> = names.into_iter().map(|(_, value)| value).collect();
        names.sort_unstable();
        names.dedup();
        let accepted = combined(asked.headers, &header::ACCEPT_ENCODING);
        let encoding = Encoding::negotiate(&accepted);
        let wanted = Wanted { form, encoding, names };
        let Some((bytes, encoding)) = self.shared.pages.page(wanted).await else {
            return self.busy();
        };
        let reply = Reply::new(StatusCode::OK, form.content_type(), bytes)
            .with(header::VARY, "Accept, Accept-Encoding");
        match encoding.name() {
            Some(name) => reply.with(header::CONTENT_ENCODING, name),
            None => reply,
        }
    }

    /// Runs a stage's route in a thread that may take its time.
    async fn route(&self, asked: &Asked<'_>, route: &Route, turns: &Turns) -> Reply {
        if route.is_quick() {
            return self.quick_route(asked, route);
        }
        // A page asks for much at once, so requests wait for their turn.
        let Some(turn) = turns.take().await else { return self.busy() };
        let (sender, receiver) = oneshot::channel();
        let (path, query) = (asked.path.to_owned(), asked.query.to_owned());
        let headers: Vec<(String, String)> = asked
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let route = route.clone();
        let work = move || {
            let _turn = turn;
            let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let request = route::Request::new(&path, &query).headers(&headers);
            drop(sender.send(route.handle(&request)));
        };
        if self.shared.crew.submit(Box::new(work)).is_err() {
            return self.busy();
        }
        match receiver.await {
            Ok(response) => Reply::from(response),
            Err(_) => self.panicked(),
        }
    }

    /// Runs a route that has its answer at hand right here.
    fn quick_route(&self, asked: &Asked<'_>, route: &Route) -> Reply {
        let headers: Vec<(&str, &str)> = asked
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let request = route::Request::new(asked.path, asked.query).headers(&headers);
        let answer = catch_unwind(AssertUnwindSafe(|| route.handle(&request)));
        answer.map_or_else(|_| self.panicked(), Reply::from)
    }

    fn panicked(&self) -> Reply {
        self.shared.meters.refused(Refusal::Panic);
        Reply::line(StatusCode::INTERNAL_SERVER_ERROR, "the route failed")
    }

    fn busy(&self) -> Reply {
        self.shared.meters.refused(Refusal::Busy);
        let reply = Reply::line(StatusCode::SERVICE_UNAVAILABLE, "too busy; try again");
        reply.with(header::RETRY_AFTER, "1")
    }

    /// A response to a request that never got as far as a route.
    pub(super) fn refuse(&self, status: StatusCode, text: &str, began: Instant) -> Response<Body> {
        self.assemble(Reply::line(status, text), Method::GET, OTHER, began)
    }

    fn finish(&self, asked: &Asked<'_>, reply: Reply) -> Response<Body> {
        self.assemble(reply, asked.method.clone(), asked.route, asked.began)
    }

    fn assemble(
        &self,
        reply: Reply,
        method: Method,
        route: &'static str,
        began: Instant,
    ) -> Response<Body> {
        let meters = Arc::clone(&self.shared.meters);
        let record = Record { meters, route, code: reply.status.as_u16(), began };
        let length = reply.events.is_none().then_some(reply.body.len());
        let body = match (method, reply.events) {
            (Method::HEAD, _) => Body::new(Bytes::new(), record),
            (_, Some(events)) => Body::events(events, record),
            (_, None) => Body::new(reply.body, record),
        };
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        *headers = reply.headers;
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let cache = header::CACHE_CONTROL;
        headers.entry(cache).or_insert(HeaderValue::from_static("no-store"));
        response
    }

    pub(super) fn meters(&self) -> &Arc<Meters> {
        &self.shared.meters
    }

    /// Gives memory that was not needed for a while back to the system.
    pub(super) fn trim(&self) {
        self.shared.pages.trim();
    }

    /// Ends the threads, and waits for them until then; false if one hangs.
    pub(super) fn stop(&self, deadline: Instant) -> bool {
        let Shared { pages, crew, access, .. } = &*self.shared;
        pages.stop(deadline) & crew.stop(deadline) & access.stop(deadline)
    }
}

/// As a service of hyper, and through it of whatever speaks hyper.
impl<B> hyper::service::Service<Request<B>> for Handler
where
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let response = self.handle(request);
        Box::pin(async { Ok(response.await) })
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes: Vec<&str> = self.shared.routes.iter().map(|served| served.path).collect();
        f.debug_struct("Handler").field("routes", &routes).finish_non_exhaustive()
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// A response before it is one.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    events: Option<route::Reader>,
}

impl Reply {
    fn new(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        let reply = Self { status, headers: HeaderMap::new(), body, events: None };
        reply.with(header::CONTENT_TYPE, content_type)
    }

    fn line(status: StatusCode, text: &str) -> Self {
        Self::new(status, TEXT, format!("{text}\n").into())
    }

    fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        // One that HTTP does not allow is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl From<route::Response> for Reply {
    fn from(response: route::Response) -> Self {
        let status = StatusCode::from_u16(response.status());
        let status = status.ok().filter(|status| status.as_u16() >= 200);
        let mut reply = Self::new(
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            response.content_type(),
            Bytes::new(),
        );
        for (name, value) in response.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).ok();
            let name = name.filter(|name| !FRAMING.contains(name));
            if let (Some(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                reply.headers.append(name, value);
            }
        }
        match response.into_body() {
            route::Body::Whole(bytes) => reply.body = Bytes::from_owner(bytes),
            route::Body::Events(events) => reply.events = Some(events),
        }
        reply
    }
}

/// What only the connection itself may say.
const FRAMING: [HeaderName; 3] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

fn metrics_form(asked: &Asked<'_>) -> Form {
    Form::Exposition(Format::negotiate(&combined(asked.headers, &header::ACCEPT)))
}

/// All headers of a name as one list, which is what several of them mean.
fn combined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

/// How long an answer may take: what the scraper says it waits, less a tenth, so that it hears of
/// the failure, and never more than `most`.
pub(super) fn time_limit(headers: &HeaderMap, most: Duration) -> Duration {
    let said = headers.get("x-prometheus-scrape-timeout-seconds");
    let seconds = said.and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let wanted = seconds.filter(|seconds| *seconds > 0.0);
    wanted
        .and_then(|seconds| Duration::try_from_secs_f64(seconds * 0.9).ok())
        .map_or(most, |wanted| wanted.min(most))
}
