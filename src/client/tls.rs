//! Whom to trust: the system's certificates, and those the user names.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

pub(super) fn config(pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(pem) = pem {
        let unread = |error| Error::setting("root certificates: not PEM").because(error);
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(unread)?;
            let refused = |error| Error::setting("root certificates: one is bad").because(error);
            roots.add(certificate).map_err(refused)?;
        }
    }
    if roots.is_empty() {
        return Err(Error::setting("https: this system has no certificates to trust"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::setting("TLS").because(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
