//! From names to addresses, by the system's resolver, which may hang for as long as it likes.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::Failure;

type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// Looks names up on a thread of the runtime's.
pub(crate) struct Resolver {
    look_up: Arc<LookUp>,
    /// A lookup that cannot be cancelled is waited for again by the next attempt, not repeated: so
    /// one thread hangs, and not one more with each attempt.
    going_on: Option<JoinHandle<io::Result<Vec<SocketAddr>>>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }
}

impl Resolver {
    pub(crate) fn new(
        look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { look_up: Arc::new(look_up), going_on: None }
    }

    /// Of a name, which is the same each time, or of an address that needs no lookup.
    pub(super) async fn addresses(
        &mut self,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Failure> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![(address, port).into()]);
        }
        let going_on = self.going_on.get_or_insert_with(|| {
            let (look_up, host) = (Arc::clone(&self.look_up), host.to_owned());
            tokio::task::spawn_blocking(move || look_up(&host, port))
        });
        let found = going_on.await;
        self.going_on = None;
        found.map_err(Failure::new)?.map_err(Failure::new)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::{Client, Target};
    use super::*;
    use crate::sync::{AtomicU32, Mutex, Ordering};

    #[test]
    fn a_lookup_that_hangs_is_given_up_and_not_repeated() {
        let (release, hangs) = mpsc::channel::<()>();
        let hangs = Mutex::new(hangs);
        let lookups = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&lookups);
        let target = Target::parse("http://hangs.example/").unwrap();
        let mut client = Client::new(target, None).unwrap();
        client.resolve_by(Resolver::new(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = hangs.lock().recv();
            Err(io::ErrorKind::TimedOut.into())
        }));
        for _ in 0..5 {
            let failure = client.post(Vec::new(), &[], Duration::from_millis(10)).unwrap_err();
            assert!(failure.to_string().contains("no answer within"), "{failure}");
        }
        drop(client); // waits for nobody, else this would never end
        assert!(lookups.load(Ordering::Relaxed) <= 1);
        drop(release);
    }

    #[test]
    fn a_lookup_that_came_too_late_serves_the_next_attempt() {
        let (release, hangs) = mpsc::channel::<()>();
        let hangs = Mutex::new(hangs);
        let target = Target::parse("http://late.example/").unwrap();
        let mut client = Client::new(target, None).unwrap();
        client.resolve_by(Resolver::new(move |host, port| {
            let _ = hangs.lock().recv();
            Err(io::Error::other(format!("looked up {host} {port}")))
        }));
        assert!(client.post(Vec::new(), &[], Duration::from_millis(10)).is_err());
        drop(release);
        let failure = client.post(Vec::new(), &[], Duration::from_secs(60)).unwrap_err();
        assert_eq!(failure.to_string(), "looked up late.example 80");
    }
}
