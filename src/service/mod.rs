//! For services in tower: a layer that measures requests, and the endpoint as a service.
//!
//! [`Measure`] counts requests, times them by route, and shows how many are at work. Whatever a
//! client sends, the number of series stays what the program made it: routes are templates
//! (`/users/{id}`), never paths; methods and status are from closed sets.
//!
//! | metric | labels | |
//! |---|---|---|
//! | `http_server_requests_total` | `method`, `route`, `status` | requests answered, by `2xx` and so on |
//! | `http_server_request_duration_seconds` | `method`, `route`, `status` | until the body was sent |
//! | `http_server_active_requests` | | at work now |
//!
//! Names and meanings are those of OpenTelemetry's semantic conventions for HTTP servers, written
//! as Prometheus writes them. `status` is the class, and `none` where no answer was sent: the
//! service failed, or the client left first. A `method` nobody has heard of is `_OTHER`, and a
//! request that no route matched has the route `unmatched`.
//!
//! The endpoint's [`Handler`](crate::server::Handler) is a tower service, so that a program with a
//! server of its own mounts it there in one line:
//!
//! ```
//! use axum::{Router, extract::MatchedPath, routing::get};
//! use nissa::{Registry, server::Handler, service::Measure};
//!
//! let app: Router = Router::new()
//!     .route("/users/{id}", get(|| async { "a user" }))
//!     .route_layer(Measure::new().route(|extensions| extensions.get().map(MatchedPath::as_str)));
//! let metrics: Router = Router::new().fallback_service(Handler::new(Registry::global()));
//! ```

mod body;
mod endpoint;
mod future;
mod layer;
mod request;

pub use body::MeasuredBody;
pub use future::MeasuredFuture;
pub use layer::{Measure, Measured};
