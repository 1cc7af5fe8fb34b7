//! What the service does.

use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Path};
use axum::http::StatusCode;
use axum::routing::{get, post};
use nissa::counter;
use nissa::service::Measure;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The service, behind the layer that measures it.
pub(crate) fn service(measure: Measure) -> Router {
    Router::new()
        .route("/", get(|| async { "hello\n" }))
        .route("/users/{id}", get(user))
        .route("/orders", post(order))
        .route("/slow", get(slow))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no such page\n") })
        .layer(measure.route(|extensions| extensions.get().map(MatchedPath::as_str)))
}

async fn user(Path(id): Path<String>) -> Result<String, StatusCode> {
    let id: u32 = id.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    Ok(format!("user {id}\n"))
}

async fn order() -> (StatusCode, &'static str) {
    counter!("orders_total").increment(1);
    (StatusCode::CREATED, "ordered\n")
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(200)).await;
    "at last\n"
}

/// Serves until told to stop; requests at work then may end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), std::io::Error> {
    let stopped = async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await
}
