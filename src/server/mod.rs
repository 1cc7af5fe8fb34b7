//! The endpoint: `/metrics` in the format the scraper asks for, and what stages answer.
//!
//! One thread with a runtime of its own talks to clients; the program needs no runtime, and one it
//! has is not touched. Nothing a client does can hurt the program: everything it controls has a
//! limit, which [`Server`] sets, and what it is refused is counted in `nissa_http_rejected_total`.
//! [docs/SERVER.md](https://docs.rs/crate/nissa/latest/source/docs/SERVER.md) tells of routes,
//! limits, passwords and TLS.
//!
//! ```
//! let registry = nissa::Registry::new(); // or none, for the global one
//! let guard = nissa::builder().registry(registry).serve("127.0.0.1:0").start()?;
//! let address = guard.addresses()[0];
//! println!("http://{address}/metrics");
//! # assert_ne!(address.port(), 0);
//! # Ok::<(), nissa::Error>(())
//! ```

mod accept;
mod access;
mod body;
mod buffers;
mod connection;
mod crew;
mod crowd;
mod encoding;
mod forms;
mod framing;
mod handler;
mod listen;
mod meters;
mod pages;
mod password;
mod request;
mod settings;
mod stage;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
mod transport;
mod turns;
mod wire;

pub use body::Body;
pub use handler::Handler;
pub use password::PasswordHash;
pub use settings::Server;
#[cfg(feature = "tls")]
pub use tls::Tls;
