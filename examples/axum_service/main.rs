//! A service in axum with metrics: requests counted, timed by route, and those at work.
//!
//! ```sh
//! cargo run --release --features full --example axum_service -- --load 10
//! ```
//!
//! Without `--load` it waits for you:
//!
//! ```sh
//! curl http://127.0.0.1:8080/users/7
//! curl -X POST http://127.0.0.1:8080/orders
//! curl http://127.0.0.1:8080/no/such/page
//! curl -s http://127.0.0.1:9091/metrics | grep '^http_server'
//! curl http://127.0.0.1:9091/health
//! ```
//!
//! `--app` and `--metrics` take other addresses; with port 0 the system chooses. Ctrl-C lets the
//! requests at work end.

mod app;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use nissa::server::Handler;
use nissa::service::Measure;
use nissa::{Buckets, Matcher, Registry, counter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::read()?;
    // Native histograms: any quantile within 5 %, without choosing bounds.
    let times = Matcher::name("http_server_request_duration_seconds");
    let fine = Buckets::exponential(0.05)?;
    let guard = nissa::builder().configure(|registry| registry.buckets(times, fine)).install()?;
    nissa::health().component("orders", || true);

    let (stop, stopping) = watch::channel(false);
    let app = TcpListener::bind(options.app).await?;
    let metrics = TcpListener::bind(options.metrics).await?;
    let address = app.local_addr()?;
    println!("service http://{address}/");
    println!("metrics http://{}/metrics", metrics.local_addr()?);

    // The whole endpoint, on a port of its own, in one line.
    let endpoint = Handler::with_routes(Registry::global(), nissa::health().routes());
    let endpoint = Router::new().fallback_service(endpoint);

    let app = tokio::spawn(app::serve(app, app::service(Measure::new()), stopping.clone()));
    let metrics = tokio::spawn(app::serve(metrics, endpoint, stopping));
    match options.load {
        Some(time) => load(address, time).await?,
        None => tokio::signal::ctrl_c().await?,
    }
    let _ = stop.send(true);
    app.await??;
    metrics.await??;
    drop(guard);
    Ok(())
}

/// Asks the service for all it has, again and again, from four clients; Ctrl-C ends it early.
async fn load(address: SocketAddr, time: Duration) -> Result<(), Box<dyn Error>> {
    let mut clients = tokio::task::JoinSet::new();
    for first in 0..4_u32 {
        clients.spawn(async move {
            for number in first.. {
                let request = match number % 20 {
                    0..12 => format!("GET /users/{number}"),
                    12..17 => "POST /orders".to_owned(),
                    17 => "GET /users/nobody".to_owned(),
                    18 => format!("GET /no/such/page/{number}"),
                    _ => "GET /slow".to_owned(),
                };
                ask(address, &request).await?;
                counter!("example_requests_sent_total").increment(1);
            }
            Ok::<(), std::io::Error>(())
        });
    }
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        Some(ended) = clients.join_next() => ended??,
    }
    clients.shutdown().await;
    let snapshot = Registry::global().snapshot();
    let sent = snapshot.value("example_requests_sent_total").unwrap_or_default();
    println!("{sent} requests in {} s", time.as_secs_f64());
    for line in nissa::expose::text(&snapshot).lines() {
        if line.starts_with("http_server_requests_total{") {
            println!("{line}");
        }
    }
    Ok(())
}

async fn ask(address: SocketAddr, request: &str) -> Result<(), std::io::Error> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("{request} HTTP/1.1\r\nhost: example\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

struct Options {
    app: SocketAddr,
    metrics: SocketAddr,
    load: Option<Duration>,
}

impl Options {
    fn read() -> Result<Self, Box<dyn Error>> {
        let mut options =
            Self { app: "127.0.0.1:8080".parse()?, metrics: "127.0.0.1:9091".parse()?, load: None };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            match name.as_str() {
                "--app" => options.app = value.parse()?,
                "--metrics" => options.metrics = value.parse()?,
                "--load" => options.load = Some(Duration::try_from_secs_f64(value.parse()?)?),
                other => return Err(format!("unknown: {other}").into()),
            }
        }
        Ok(options)
    }
}
