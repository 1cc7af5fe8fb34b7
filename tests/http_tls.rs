//! The endpoint over TLS.

#![cfg(feature = "tls")]

mod host;
mod http;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{Client, Endpoint, SHORT, SOON};
use nissa::server::{Server, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

fn tls() -> Tls {
    Tls::files(file("server.pem"), file("server.key"))
}

/// What a client that trusts our authority reads, with a certificate of its own or without, and
/// the name on the server's.
fn get(address: SocketAddr, own: Option<&str>) -> std::io::Result<(String, Vec<u8>)> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("authority.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let certificate = CertificateDer::from_pem_file(file(&format!("{own}.pem"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(file(&format!("{own}.key"))).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    let name = "localhost".try_into().unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, stream);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let certificate = stream.conn.peer_certificates().unwrap()[0].to_vec();
    Ok((text, certificate))
}

#[test]
fn the_page_over_tls() {
    let endpoint = Endpoint::new(Server::new().tls(tls()));
    for _ in 0..3 {
        let (text, _) = get(endpoint.address(), None).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("\njobs_total 3\n"));
    }
}

/// The whole of a large page arrives though the connection ends with it.
#[test]
fn a_large_page_over_tls() {
    let endpoint = Endpoint::new(Server::new().tls(tls()));
    for index in 0..20_000 {
        let name = format!("large_{}_total", index % 20);
        endpoint.registry.counter(&name, &[("index", &index.to_string())]).increment(1);
    }
    let (text, _) = get(endpoint.address(), None).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("large_")).count(), 20_000);
}

#[test]
fn only_clients_that_are_known() {
    let tls = tls().client_authority(file("authority.pem"));
    let endpoint = Endpoint::new(Server::new().tls(tls));
    let (text, _) = get(endpoint.address(), Some("client")).unwrap();
    assert!(text.contains("\njobs_total 3\n"));
    assert!(get(endpoint.address(), None).is_err());
    assert!(get(endpoint.address(), Some("impostor")).is_err());
    endpoint.wait_for_rejected("handshake", 2.0);
    assert!(get(endpoint.address(), Some("client")).is_ok());
}

#[test]
fn who_does_not_speak_tls_is_cut() {
    let endpoint = Endpoint::new(Server::new().tls(tls()).handshake_time(SHORT));
    let mut plain = Client::connect(endpoint.address());
    plain.send("GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(plain.is_closed());
    let mut silent: Vec<Client> = (0..20).map(|_| endpoint.connect()).collect();
    let mut begun = endpoint.connect();
    begun.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert!(get(endpoint.address(), None).is_ok(), "nobody waits for them");
    assert!(silent.iter_mut().all(Client::is_closed) && begun.is_closed());
    endpoint.wait_for_rejected("handshake", 22.0);
    http::eventually("their places are free", || endpoint.connections() == 0.0);
}

#[test]
fn a_renewed_certificate_is_taken_up_and_a_bad_one_is_not() {
    let folder = std::env::temp_dir().join(format!("nissa-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("cert.key"));
    let put = |name: &str| {
        fs::copy(file(&format!("{name}.key")), &key).unwrap();
        fs::copy(file(&format!("{name}.pem")), &certificate).unwrap();
    };
    put("server");
    let tls = Tls::files(&certificate, &key).look(Duration::from_millis(5));
    let endpoint = Endpoint::new(Server::new().tls(tls));
    let shown = || get(endpoint.address(), None).unwrap().1;
    let expected = |name: &str| CertificateDer::from_pem_file(file(name)).unwrap().to_vec();
    assert_eq!(shown(), expected("server.pem"));
    put("renewed");
    http::eventually("the new one is shown", || shown() == expected("renewed.pem"));
    fs::write(&certificate, "no certificate").unwrap();
    endpoint.wait_for_rejected("certificate", 1.0);
    assert_eq!(shown(), expected("renewed.pem"));
    put("server");
    http::eventually("the next good one is shown", || shown() == expected("server.pem"));
    fs::remove_dir_all(folder).unwrap();
}

/// Say, because there was no file descriptor to read them with.
#[test]
fn what_could_not_be_read_at_first_is_read_again() {
    let folder = std::env::temp_dir().join(format!("nissa-tls-again-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("cert.key"));
    let put = |to: &PathBuf, name: &str| _ = fs::copy(file(name), to).unwrap();
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let put_key = |name: &str| {
        // At once, with the time that it keeps.
        let new = folder.join("new.key");
        put(&new, name);
        fs::File::options().write(true).open(&new).unwrap().set_modified(long_ago).unwrap();
        fs::rename(new, &key).unwrap();
    };
    put(&certificate, "server.pem");
    put_key("server.key");
    let tls = Tls::files(&certificate, &key).look(Duration::from_millis(5));
    let endpoint = Endpoint::new(Server::new().tls(tls));
    let shown = || get(endpoint.address(), None).unwrap().1;
    put(&certificate, "renewed.pem");
    endpoint.wait_for_rejected("certificate", 1.0);
    put_key("renewed.key");
    let renewed = CertificateDer::from_pem_file(file("renewed.pem")).unwrap().to_vec();
    http::eventually("the new one is shown", || shown() == renewed);
    fs::remove_dir_all(folder).unwrap();
}

/// The thread that reads the files too.
#[cfg(target_os = "linux")]
#[test]
fn its_threads_end_with_the_endpoint() {
    const TEST: &str = "its_threads_end_with_the_endpoint";
    if host::scenario().is_none() {
        return host::play(TEST, TEST, 2 * SOON);
    }
    let names = || -> Vec<String> {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::io::Result<fs::DirEntry>| {
            fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default()
        };
        tasks.map(name).filter(|name| name.starts_with("nissa-")).collect()
    };
    for _ in 0..20 {
        let endpoint = Endpoint::new(Server::new().tls(tls().look(Duration::from_millis(1))));
        http::eventually("it looks", || names().contains(&"nissa-tls\n".to_owned()));
        drop(endpoint);
        assert_eq!(names(), [""; 0]);
    }
}

#[test]
fn files_that_make_no_sense_are_errors() {
    let start = |tls: Tls| {
        let server = Server::new().listen("127.0.0.1:0").tls(tls);
        nissa::builder().registry(nissa::Registry::new()).server(server).start()
    };
    for (bad, named) in [
        (Tls::files(file("nothing.pem"), file("server.key")), "nothing.pem"),
        (Tls::files(file("server.pem"), file("nothing.key")), "nothing.key"),
        (Tls::files(file("README.md"), file("server.key")), "README.md"),
        (Tls::files(file("server.pem"), file("server.pem")), "server.pem"),
        (Tls::files(file("server.pem"), file("client.key")), "server.pem"),
        (tls().client_authority(file("README.md")), "README.md"),
    ] {
        let error = start(bad).unwrap_err();
        assert!(error.is_setting() && error.to_string().contains(named), "{error}");
    }
}
