//! What a webhook is sent, and that it can be told from what others send.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hmac::{Hmac, Mac};
use nissa::alert::Webhook;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use sha2::Sha256;

use crate::Program;
use crate::receiver::{Hook, status};

#[test]
fn firing_and_resolved_arrive_signed() {
    let hook = Hook::new(vec![status("200 OK"), status("204 No Content")]);
    let to = Webhook::new(&hook.url).unwrap().secret("key").header("authorization", "Bearer x");
    let program = Program::new(|builder| builder.webhook(to));
    program.tick(1200.0);
    let got = hook.next();
    assert_eq!(got.line, "POST /hook?from=test HTTP/1.1");
    assert_eq!(got.header("authorization"), Some("Bearer x"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    let json: Value = serde_json::from_str(&got.body).unwrap();
    let alert = &json["alerts"][0];
    assert_eq!(alert["labels"]["queue"], "mail \"now\"");
    assert_eq!((&alert["state"], &alert["value"]), (&"firing".into(), &1200.into()));
    assert_eq!(alert["action"], "add workers");

    let timestamp = got.header("x-nissa-timestamp").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
    mac.update(format!("{timestamp}.{}", got.body).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(got.header("x-nissa-signature").unwrap(), format!("sha256={hex}"));

    program.wait_for("webhook", "sent", 1.0);
    program.resolve();
    assert!(hook.next().body.contains("\"state\":\"resolved\""));
    program.wait_for("webhook", "sent", 2.0);
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// A server with the project's test certificate, for `localhost`.
fn server() -> Arc<rustls::ServerConfig> {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

#[test]
fn over_tls_to_who_can_prove_it() {
    let config = server();
    let hook = Hook::wrapped(vec![status("200 OK")], "https", move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        Box::new(rustls::StreamOwned::new(connection, stream))
    });
    let to = Webhook::new(&hook.url).unwrap();
    let to = to.root_certificates(fs::read(file("authority.pem")).unwrap());
    let program = Program::new(|builder| builder.webhook(to));
    program.tick(1200.0);
    assert!(hook.next().body.contains("queue_depth"));
    program.wait_for("webhook", "sent", 1.0);
}

#[test]
fn a_stranger_gets_nothing() {
    let config = server();
    let hook = Hook::wrapped(vec![status("200 OK")], "https", move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        Box::new(rustls::StreamOwned::new(connection, stream))
    });
    let to = Webhook::new(&hook.url).unwrap();
    let to = to.root_certificates(fs::read(file("stranger.pem")).unwrap());
    let program = Program::new(|builder| builder.webhook(to));
    program.tick(1200.0);
    program.wait_for("webhook", "failed", 1.0);
    assert!(hook.is_silent());
}

#[test]
fn settings_that_make_no_sense_are_errors() {
    let hook = || Webhook::new("http://localhost:1/").unwrap();
    for wrong in [hook().header("bad header", "x"), hook().header("x", "a\r\nb: c")] {
        let built = nissa::builder().registry(nissa::Registry::new()).webhook(wrong).build();
        assert!(built.unwrap_err().is_setting());
    }
    assert!(Webhook::new("hook").unwrap_err().is_setting());
}
