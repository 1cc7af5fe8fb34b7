//! TLS by rustls, with certificates that may be renewed while the program runs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::crew::Crew;
use super::meters::{Meters, Refusal};
use super::settings::Server;
use super::transport::Transport;
use crate::error::Error;
use crate::logging;
use crate::sync::{Mutex, RwLock};

/// Where certificates are. TLS 1.2 and 1.3; HTTP/1.1 inside.
///
/// ```no_run
/// use nissa::server::{Server, Tls};
///
/// let tls = Tls::files("server.pem", "server.key").client_authority("clients.pem");
/// let server = Server::new().listen("0.0.0.0:9443").tls(tls);
/// let guard = nissa::builder().server(server).install()?;
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<PathBuf>,
    look: Duration,
}

impl Tls {
    /// A certificate with its chain, and its key, as PEM files.
    pub fn files(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let look = Duration::from_secs(20);
        Self { certificate: certificate.into(), key: key.into(), clients: None, look }
    }

    /// Asks clients for a certificate that one of these authorities (a PEM file) has signed.
    pub fn client_authority(mut self, file: impl Into<PathBuf>) -> Self {
        self.clients = Some(file.into());
        self
    }

    /// How often to look whether the files have changed (20 s). New connections get what is there
    /// then; files that make no sense are logged, counted in
    /// `nissa_http_rejected_total{reason="certificate"}`, and the old ones stay in use.
    pub fn look(mut self, interval: Duration) -> Self {
        self.look = interval;
        self
    }

    pub(super) fn acceptor(self, meters: Arc<Meters>) -> Result<Acceptor, Error> {
        let stamp = self.stamp();
        let config = self.config()?;
        let seen = Mutex::new(Seen { good: stamp, bad: None });
        let current = Current { config: RwLock::new(config), seen };
        let crew = Crew::new("nissa-tls", 1, 1);
        Ok(Acceptor { tls: Arc::new(self), current: Arc::new(current), crew, meters })
    }

    fn config(&self) -> Result<Arc<ServerConfig>, Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::setting("tls").because(error))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let bad = |error| bad(file, error);
                let mut roots = rustls::RootCertStore::empty();
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| bad(Box::new(error)))?;
                }
                let provider = Arc::new(ring::default_provider());
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier.build().map_err(|error| bad(Box::new(error)))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = certificates(&self.certificate)?;
        let key = fs::read(&self.key).map_err(|error| bad(&self.key, Box::new(error)))?;
        let key =
            PrivateKeyDer::from_pem_slice(&key).map_err(|error| bad(&self.key, Box::new(error)))?;
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| bad(&self.certificate, Box::new(error)))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// What changes when a file does.
    fn stamp(&self) -> Stamp {
        let files = [Some(&self.certificate), Some(&self.key), self.clients.as_ref()];
        files.map(|file| {
            let file = fs::metadata(file?).ok()?;
            Some((file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?, file.len()))
        })
    }
}

/// When each file was changed, and how long it is.
type Stamp = [Option<(Duration, u64)>; 3];

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = fs::read(file).map_err(|error| bad(file, Box::new(error)))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| bad(file, Box::new(error)))?;
    if all.is_empty() {
        return Err(bad(file, "no certificate in it".into()));
    }
    Ok(all)
}

fn bad(file: &Path, cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::setting(format!("tls: {}", file.display())).because(cause)
}

/// Makes connections secure, by what the files said last.
pub(super) struct Acceptor {
    tls: Arc<Tls>,
    current: Arc<Current>,
    /// Files may be slow to read, and connections must not wait for them.
    crew: Crew,
    meters: Arc<Meters>,
}

struct Current {
    config: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Seen>,
}

/// How the files looked when they were read.
struct Seen {
    good: Stamp,
    /// Since then, when they made no sense.
    bad: Option<Stamp>,
}

impl Acceptor {
    pub(super) async fn accept(
        &self,
        transport: Box<dyn Transport>,
    ) -> io::Result<Box<dyn Transport>> {
        let config = Arc::clone(&self.current.config.read());
        let stream = TlsAcceptor::from(config).accept(transport).await?;
        Ok(Box::new(stream))
    }

    /// How often to call [`renew`](Self::renew).
    pub(super) fn look(&self) -> Duration {
        self.tls.look.max(Duration::from_millis(1))
    }

    /// Ends the thread that reads, and waits for it until then.
    pub(super) fn stop(&self, deadline: Instant) -> bool {
        self.crew.stop(deadline)
    }

    /// Reads the files again if they have changed.
    pub(super) fn renew(&self) {
        let (tls, current) = (Arc::clone(&self.tls), Arc::clone(&self.current));
        let meters = Arc::clone(&self.meters);
        let look = move || {
            let stamp = tls.stamp();
            let mut seen = current.seen.lock();
            if seen.good == stamp {
                return;
            }
            match tls.config() {
                Ok(config) => {
                    *current.config.write() = config;
                    *seen = Seen { good: stamp, bad: None };
                }
                // Read again at every look, for they may be good by then and look the same: what
                // failed may have been the reading.
                Err(_) if seen.bad == Some(stamp) => {}
                Err(error) => {
                    seen.bad = Some(stamp);
                    meters.refused(Refusal::Certificate);
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    logging::warn!("{error}: {}", cause.unwrap_or_default());
                }
            }
        };
        // Who is still looking sees the change too.
        drop(self.crew.submit(Box::new(look)));
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Server {
    /// Speaks TLS on all addresses of this server.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }
}

impl Transport for TlsStream<Box<dyn Transport>> {
    fn forget_unsent(&self) {
        self.get_ref().0.forget_unsent();
    }
}
