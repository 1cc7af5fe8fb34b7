//! From names to addresses, by the system's resolver, which may hang for as long as it likes.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::Failure;
use crate::clock;

/// How old a result may be that nobody waited for any more: as attempts for one batch lie apart. The
/// next batch may come days later, and the name be elsewhere.
const FRESH: Duration = Duration::from_secs(60);

type Found = io::Result<Vec<SocketAddr>>;
type LookUp = dyn Fn(&str, u16) -> Found + Send + Sync;

/// Looks names up on a thread of the runtime's.
pub(crate) struct Resolver {
    look_up: Arc<LookUp>,
    fresh: Duration,
    /// With the time at which it ended. A lookup that cannot be cancelled is waited for again by the next attempt, not repeated: so
    /// one thread hangs, and not one more with each attempt.
    going_on: Option<JoinHandle<(Found, Instant)>>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }
}

impl Resolver {
    pub(crate) fn new(look_up: impl Fn(&str, u16) -> Found + Send + Sync + 'static) -> Self {
        Self { look_up: Arc::new(look_up), fresh: FRESH, going_on: None }
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
        let (mut found, ended) = self.look_up(host, port).await?;
        if clock::since(ended) >= self.fresh {
            (found, _) = self.look_up(host, port).await?;
        }
        found.map_err(Failure::new)
    }

    /// The lookup that is going on, or a new one.
    async fn look_up(&mut self, host: &str, port: u16) -> Result<(Found, Instant), Failure> {
        let going_on = self.going_on.get_or_insert_with(|| {
            let (look_up, host) = (Arc::clone(&self.look_up), host.to_owned());
            tokio::task::spawn_blocking(move || (look_up(&host, port), clock::now()))
        });
        let ended = going_on.await;
        self.going_on = None;
        ended.map_err(Failure::new)
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

    #[test]
    fn a_lookup_that_ended_long_ago_is_repeated() {
        let (release, hangs) = mpsc::channel::<()>();
        let hangs = Mutex::new(hangs);
        let lookups = AtomicU32::new(0);
        let target = Target::parse("http://moved.example/").unwrap();
        let mut client = Client::new(target, None).unwrap();
        let mut resolver = Resolver::new(move |_, _| {
            let _ = hangs.lock().recv();
            let nth = lookups.fetch_add(1, Ordering::Relaxed);
            Err(io::Error::other(format!("lookup {nth}")))
        });
        resolver.fresh = Duration::ZERO;
        client.resolve_by(resolver);
        assert!(client.post(Vec::new(), &[], Duration::from_millis(10)).is_err());
        drop(release);
        let failure = client.post(Vec::new(), &[], Duration::from_secs(600)).unwrap_err();
        assert_eq!(failure.to_string(), "lookup 1");
    }
}
