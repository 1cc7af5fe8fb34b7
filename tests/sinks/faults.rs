//! The other end misbehaves. The host notices nothing, and what was lost is counted.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use nissa::alert::Webhook;

use crate::receiver::{Answer, Hook, status};
use crate::{Program, outcome_of};

fn to(hook: &Hook) -> Webhook {
    Webhook::new(&hook.url).unwrap()
}

#[test]
fn an_error_is_tried_again_and_a_refusal_is_not() {
    let hook = Hook::new(vec![
        status("500 Internal Server Error"),
        status("503 Service Unavailable"),
        status("200 OK"),
        status("400 Bad Request"),
        status("307 Temporary Redirect\r\nlocation: http://localhost:1/"),
        status("200 OK"),
    ]);
    let program = Program::new(|builder| builder.webhook(to(&hook)));
    program.tick(1200.0);
    let bodies = [hook.next().body, hook.next().body, hook.next().body];
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    program.wait_for("webhook", "sent", 1.0);
    assert_eq!(outcome_of(&program.registry, "webhook", "failed"), 2.0);
    program.resolve();
    hook.next();
    program.wait_for("webhook", "refused", 1.0);
    program.tick(1200.0);
    hook.next();
    program.wait_for("webhook", "refused", 2.0);
    program.resolve();
    program.wait_for("webhook", "sent", 2.0);
}

#[test]
fn who_asks_for_time_gets_it() {
    // By its own clock, which it shows; a second later.
    const DATES: &str = "503 Service Unavailable\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                         retry-after: Sun, 06 Nov 1994 08:49:38 GMT";
    for asks in ["429 Too Many Requests\r\nretry-after: 1", DATES] {
        asked_for_a_second(asks);
    }
}

fn asked_for_a_second(asks: &'static str) {
    let hook = Hook::new(vec![status(asks), status("200 OK")]);
    let program = Program::new(|builder| builder.webhook(to(&hook)));
    program.tick(1200.0);
    hook.next();
    let asked = std::time::Instant::now();
    hook.next();
    // A lower bound, which no busy machine breaks.
    assert!(asked.elapsed() >= Duration::from_millis(900), "came back at once");
}

#[test]
fn an_endless_answer_is_cut_and_a_silent_one_is_given_up() {
    let endless: Answer = Box::new(|stream: &mut dyn Write| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let hook = Hook::new(vec![endless]);
    let program = Program::new(|builder| builder.webhook(to(&hook)));
    program.tick(1200.0);
    // The status was good, and the rest is not read.
    program.wait_for("webhook", "sent", 1.0);

    let black_hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", black_hole.local_addr().unwrap());
    let silent = Webhook::new(&url).unwrap().timeout(Duration::from_millis(100));
    let program = Program::new(|builder| builder.webhook(silent));
    program.tick(1200.0);
    program.wait_for("webhook", "failed", 2.0);
}

#[test]
fn rubbish_is_no_answer() {
    let rubbish: Answer = Box::new(|stream: &mut dyn Write| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n");
    });
    let hangs_up: Answer = Box::new(|_: &mut dyn Write| ());
    let hook = Hook::new(vec![rubbish, hangs_up, status("200 OK")]);
    let program = Program::new(|builder| builder.webhook(to(&hook)));
    program.tick(1200.0);
    program.wait_for("webhook", "sent", 1.0);
    assert_eq!(outcome_of(&program.registry, "webhook", "failed"), 2.0);
}

#[test]
fn nobody_there_costs_the_oldest_alerts_and_they_are_counted() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Webhook::new(&format!("http://127.0.0.1:{port}/")).unwrap();
    let program = Program::new(|builder| builder.webhook(nobody));
    program.tick(1200.0);
    program.wait_for("webhook", "failed", 1.0);
    program.resolve();
    // 700 more alerts begin and end, while one batch is tried again and again.
    for _ in 0..700 {
        program.tick(1200.0);
        program.resolve();
    }
    program.wait_for("webhook", "dropped", 1.0);
    let registry = program.registry.clone();
    drop(program); // within the limit, although nothing was sent
    let lost = outcome_of(&registry, "webhook", "dropped");
    assert!(lost >= 1_400.0, "{lost} of 1402 or so are counted");
    assert_eq!(outcome_of(&registry, "webhook", "sent"), 0.0);
}
