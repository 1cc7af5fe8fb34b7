//! Installing for the whole process, twice. In a process of its own, as every test of that is.

use std::error::Error;
use std::thread;

use nissa::{Registry, expose};

fn record() {
    metrics::counter!("shared_total", "k" => "v").increment(1);
    nissa::counter!("shared_total", "k" => "v").increment(10);
}

#[test]
fn the_second_install_is_refused_and_the_first_keeps_working() {
    Registry::builder().global_label("job", "first").install().unwrap();
    record();

    let again = nissa::install().unwrap_err();
    assert!(again.is_installed() && !again.is_buckets());
    assert_eq!(again.to_string(), "already installed: the facade has a recorder");
    assert!(again.source().is_some(), "the facade's own error is kept");
    let other = Registry::builder().global_label("job", "second").install().unwrap_err();
    assert!(other.is_installed());

    record();
    thread::spawn(record).join().unwrap();
    let private = Registry::new();
    private.in_scope(record);

    let global = Registry::global().snapshot();
    assert_eq!(global.value("shared_total"), Some(33.0));
    assert_eq!(global.family("shared_total").unwrap().len(), 1);
    assert_eq!(private.snapshot().value("shared_total"), Some(11.0), "the facade follows a scope");
    let text = expose::text(&global);
    assert!(text.contains("shared_total{job=\"first\",k=\"v\"} 33\n"), "{text}");
    assert!(!text.contains("second"), "{text}");
}
