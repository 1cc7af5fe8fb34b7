//! The endpoint as a tower service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::server::{Body, Handler};

/// Always ready, and never fails: what cannot be answered is a response too. With axum,
/// `Router::fallback_service` mounts all of its routes at once.
///
/// ```
/// use http::Request;
/// use nissa::{Registry, server::Handler};
/// use tower_service::Service;
///
/// let mut service = Handler::with_routes(&Registry::new(), nissa::health::Health::new().routes());
/// let request = Request::get("/live").body(()).unwrap();
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// let response = runtime.block_on(service.call(request)).unwrap();
/// assert_eq!(response.status(), 200);
/// ```
impl<B> Service<Request<B>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The body is not read; without it the answer borrows nothing of the request.
        let response = self.handle(request.map(drop));
        Box::pin(async move { Ok(response.await) })
    }
}
