//! A logger that uses health, called because health itself has something to say.

#![cfg(all(feature = "log", feature = "monitor"))]

use std::sync::mpsc;
use std::time::Duration;

use nissa::health::{Check, Health, Status};

/// A hang fails the test; nothing else waits this long.
const LIMIT: Duration = Duration::from_secs(30);

struct Nosy;

impl log::Log for Nosy {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "nissa" {
            nissa::health().set("log", Status::Degraded, &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn said(health: &Health) -> String {
    let report = health.latest();
    report.find("log").map(|verdict| verdict.details().to_owned()).unwrap_or_default()
}

#[test]
fn a_logger_may_use_health() {
    log::set_logger(&Nosy).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let health = nissa::health();
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        health.check(Check::new("slow", || true).limit(Duration::ZERO));
        health.report();
        let late = said(health);
        (0..100).for_each(|number| health.component(format!("check {number}"), || true));
        done.send((late, said(health))).unwrap();
    });
    let (late, full) = ended.recv_timeout(LIMIT).expect("it waits for itself");
    assert!(late.contains("takes longer than its limit: slow"), "{late}");
    assert!(full.contains("too many parts to a health report"), "{full}");
}
