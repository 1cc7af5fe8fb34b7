//! The endpoint's settings from a file: they reach the endpoint, and secrets reach nothing else.
#![cfg(all(feature = "config", feature = "server"))]

mod http;

use http::{Client, SOON};
use nissa::{Config, Registry};

const SECRETS: &str = r#"
[server]
listen = "127.0.0.1:0"
token = ["t0ken-one", "t0ken-two"]
user = { admin = "pa55word" }
user_hash = { prometheus = "$pbkdf2-sha256$i=10$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }
open = ["/live"]
"#;

#[test]
fn the_endpoint_is_as_the_file_says() {
    let config = Config::from_toml(&format!("{SECRETS}\nheaders = 3\nuri_bytes = 100\n")).unwrap();
    let guard = config.builder().unwrap().registry(Registry::new()).start().unwrap();
    let mut client = Client::connect(guard.addresses()[0]);
    assert_eq!(client.get("/live").status, 200);
    assert_eq!(client.get("/metrics").status, 401);
    for header in [
        "Authorization: Bearer t0ken-one\r\n",
        "Authorization: Bearer t0ken-two\r\n",
        "Authorization: Basic YWRtaW46cGE1NXdvcmQ=\r\n",
    ] {
        assert_eq!(client.request("GET", "/metrics", header).status, 200, "{header}");
    }
    assert_eq!(client.get(&format!("/live?{}", "x".repeat(100))).status, 414);
    let mut client = Client::connect(guard.addresses()[0]);
    assert_eq!(client.request("GET", "/live", "A: 1\r\nB: 2\r\nC: 3\r\n").status, 431);
    let (again, stopped) = (guard.addresses()[0], guard.shutdown());
    assert!(stopped);
    assert!(std::net::TcpStream::connect_timeout(&again, SOON).is_err());
}

#[test]
fn nothing_shows_a_secret() {
    let shown = format!("{:?}", Config::from_toml(SECRETS).unwrap());
    let wrong = [
        "[server]\ntoken = 5123455",
        "[server]\nuser = { admin = 5123455 }",
        "[server]\nuser_hash = { admin = \"s5123455\" }",
        "[server]\ntoken = \"s5123455",
        "[server]\nuser = { admin = s5123455 }",
    ];
    for text in wrong {
        let error = Config::from_toml(text).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("5123455"), "{said}");
    }
    let variable = ("NISSA_SERVER_USER".to_owned(), "s5123455".to_owned());
    let error = Config::from_variables([variable]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bad setting: NISSA_SERVER_USER: allowed: a table of names and passwords"
    );
    for secret in ["t0ken", "pa55word", "pbkdf2", "AAAA"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("prometheus") && shown.contains("***"), "{shown}");
}

#[test]
fn settings_without_an_address_are_an_error() {
    let error = Config::from_toml("[server]\nconnections = 5").unwrap().builder().unwrap_err();
    assert_eq!(error.to_string(), "bad setting: server.listen: is missing");
    assert!(Config::from_toml("[server]").unwrap().builder().is_ok());
}

#[test]
fn variables_say_where_to_listen() {
    let variables = [
        ("NISSA_SERVER_LISTEN", "127.0.0.1:0, [::1]:0"),
        ("NISSA_SERVER_OPTIONAL", "true"),
        ("NISSA_SERVER_USER", "admin=pa55word"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::from_variables(variables).unwrap();
    let guard = config.builder().unwrap().registry(Registry::new()).start().unwrap();
    assert!(!guard.addresses().is_empty());
    assert_eq!(Client::connect(guard.addresses()[0]).get("/metrics").status, 401);
}
