//! What an open page costs the program: its processor time with nobody looking, with a page open in
//! Chromium, and with fifty readers of its events, as a share of one processor.
//!
//!     cargo bench --features full --bench page        # a minute each; PAGE_SECONDS for less
//!
//! The program runs as a process of its own: 500 series (or PAGE_SERIES) of which every one changes
//! at each tick of a second, the usual history, and the collectors of host and process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, io, thread};

use nissa::Registry;
use nissa::collect::Host;
use nissa::monitor::{Stage, Tick, Wants};

const READERS: usize = 50;
/// What pages ask for once is over by then.
const SETTLED: Duration = Duration::from_secs(8);

fn main() -> io::Result<()> {
    if env::args().any(|word| word == "program") {
        return program();
    }
    let seconds = asked_for("PAGE_SECONDS", 60);
    let nobody = measured(seconds, |_| Ok(()))?;
    println!("nobody looks                 {nobody:.3} % of a processor");
    match chromium() {
        Some(chromium) => {
            let page = measured(seconds, |address| open(chromium, address))?;
            let more = page - nobody;
            println!("a page open in Chromium      {page:.3} %, {more:.3} % more");
        }
        None => println!("a page open in Chromium      not measured: there is none"),
    }
    let readers = measured(seconds, |address| (0..READERS).try_for_each(|_| read(address)))?;
    let each = (readers - nobody) / READERS as f64;
    println!("{READERS} readers of its events      {readers:.3} %, {each:.4} % more for each");
    Ok(())
}

/// Killed when it goes.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Percent of a processor that the program takes while it is looked at.
fn measured<L>(seconds: usize, look: impl FnOnce(&str) -> io::Result<L>) -> io::Result<f64> {
    let mut child = Command::new(env::current_exe()?)
        .arg("program")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Process)?;
    let output = child.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address)?;
    let looking = look(address.trim())?;
    thread::sleep(SETTLED);
    let page = metrics(address.trim())?;
    let before = processor_time(child.0.id())?;
    thread::sleep(Duration::from_secs(seconds as u64));
    let spent = processor_time(child.0.id())? - before;
    drop(looking);
    // Nothing is measured of a page that was not there.
    let readers = page.lines().find_map(|line| line.strip_prefix("nissa_http_connections "));
    println!("                             {} connections", readers.unwrap_or("no"));
    Ok(100.0 * spent / seconds as f64)
}

fn asked_for(name: &str, usual: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn metrics(address: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Seconds that all threads of a process have run for, to the nanosecond.
fn processor_time(process: u32) -> io::Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e9)
}

fn chromium() -> Option<&'static str> {
    let usual = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
    usual.into_iter().find(|path| fs::exists(path).is_ok_and(|is| is))
}

fn open(chromium: &str, address: &str) -> io::Result<Process> {
    let flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1360,900"];
    let mut command = Command::new(chromium);
    command.args(flags).arg("--remote-debugging-port=0").arg(format!("http://{address}/"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Process)
}

/// Reads events until the program ends.
fn read(address: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /api/live HTTP/1.1\r\nHost: bench\r\n\r\n")?;
    thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
    Ok(())
}

/// What is measured; ends with whoever started it.
fn program() -> io::Result<()> {
    let registry = Registry::new();
    let host = Host::default();
    let work = Work(asked_for("PAGE_SERIES", 500) / 2);
    let builder = nissa::builder().registry(registry).stage(work).collect(host);
    let guard = builder.serve("127.0.0.1:0").dashboard().start().map_err(io::Error::other)?;
    println!("{}", guard.addresses()[0]);
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Counters and gauges of which every one changes at each tick.
struct Work(usize);

impl Stage for Work {
    fn name(&self) -> &'static str {
        "work"
    }

    fn wants(&self) -> Wants {
        Wants::Ticks
    }

    fn before(&mut self, registry: &Registry, tick: Tick) {
        for index in 0..self.0 {
            let place = index.to_string();
            let place = [("place", place.as_str())];
            registry.counter("work_done_total", &place).increment(1 + index as u64);
            let wave = (tick.at.as_secs_f64() / 10.0 + index as f64).sin();
            registry.gauge("work_waiting", &place).set(100.0 + 50.0 * wave);
        }
    }
}
