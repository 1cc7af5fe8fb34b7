//! The layer, and the service it makes.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::future::MeasuredFuture;
use super::request::{Meters, Underway};
use crate::buckets::Buckets;
use crate::registry::Registry;

type Template = dyn for<'a> Fn(&'a Extensions) -> Option<&'a str> + Send + Sync;

/// A layer that measures the requests of the service below it; see the [module](super) for what it
/// shows.
///
/// ```
/// use http::{Request, Response};
/// use nissa::{Registry, service::Measure};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// #[derive(Clone)]
/// struct Hello;
/// # impl Service<Request<String>> for Hello {
/// #     type Response = Response<String>;
/// #     type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<Response<String>, Self::Error>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
/// #         std::task::Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, _: Request<String>) -> Self::Future {
/// #         std::future::ready(Ok(Response::new("hello".to_owned())))
/// #     }
/// # }
///
/// let registry = Registry::new();
/// let layer = Measure::new().registry(registry.clone()).route(|extensions| {
///     extensions.get::<&'static str>().copied() // whatever the router leaves there
/// });
/// let mut service = layer.layer(Hello);
/// let mut request = Request::get("/users/7").body(String::new()).unwrap();
/// request.extensions_mut().insert("/users/{id}");
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// let response = runtime.block_on(service.call(request)).unwrap();
/// drop(response); // it was sent
///
/// let text = nissa::expose::text(&registry.snapshot());
/// let labels = "{method=\"GET\",route=\"/users/{id}\",status=\"2xx\"}";
/// assert!(text.contains(&format!("http_server_requests_total{labels} 1\n")), "{text}");
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct Measure {
    registry: Option<Registry>,
    buckets: Option<Buckets>,
    template: Arc<Template>,
}

impl Measure {
    /// Measures into the global registry, with the route `unmatched` for every request: tell it
    /// where the [`route`](Self::route) is.
    pub fn new() -> Self {
        Self { registry: None, buckets: None, template: Arc::new(|_| None) }
    }

    /// Where the router leaves the template of the route that matched. In axum, with the layer
    /// given to `Router::route_layer` or `Router::layer`:
    /// `|extensions| extensions.get().map(MatchedPath::as_str)`.
    pub fn route(
        mut self,
        template: impl for<'a> Fn(&'a Extensions) -> Option<&'a str> + Send + Sync + 'static,
    ) -> Self {
        self.template = Arc::new(template);
        self
    }

    /// Measures into this registry, not the global one.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The buckets of the durations (those the registry's builder chose for the name). The first
    /// layer over a registry decides.
    pub fn buckets(mut self, buckets: Buckets) -> Self {
        self.buckets = Some(buckets);
        self
    }
}

impl Default for Measure {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        let registry = self.registry.as_ref().unwrap_or_else(|| Registry::global());
        let meters = Arc::new(Meters::new(registry, self.buckets.clone()));
        Measured { inner, meters, template: Arc::clone(&self.template) }
    }
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measure").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// A service whose requests are measured; made by [`Measure`].
#[derive(Clone)]
pub struct Measured<S> {
    inner: S,
    meters: Arc<Meters>,
    template: Arc<Template>,
}

impl<S, Sent, Answered> Service<Request<Sent>> for Measured<S>
where
    S: Service<Request<Sent>, Response = Response<Answered>>,
{
    type Response = Response<super::MeasuredBody<Answered>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Sent>) -> Self::Future {
        let route = (self.template)(request.extensions());
        let underway = Underway::new(Arc::clone(&self.meters), request.method(), route);
        MeasuredFuture::new(self.inner.call(request), underway)
    }
}

impl<S: fmt::Debug> fmt::Debug for Measured<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measured").field("inner", &self.inner).finish_non_exhaustive()
    }
}
