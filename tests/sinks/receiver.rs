//! A receiver that answers each request as the test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::SOON;

/// A request as it came.
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What to do with a connection after its request was read.
pub(crate) type Answer = Box<dyn FnOnce(&mut dyn Write) + Send>;

pub(crate) fn status(line: &'static str) -> Answer {
    Box::new(move |stream| {
        let _ = write!(stream, "HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n");
    })
}

/// Listens on a port of its own and takes one answer per connection.
pub(crate) struct Hook {
    pub(crate) url: String,
    got: Receiver<Got>,
}

impl Hook {
    pub(crate) fn new(answers: Vec<Answer>) -> Self {
        Self::wrapped(answers, "http", |stream| Box::new(stream))
    }

    /// With something between the socket and HTTP, as TLS is.
    pub(crate) fn wrapped(
        answers: Vec<Answer>,
        scheme: &str,
        wrap: impl Fn(TcpStream) -> Box<dyn ReadWrite> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "{scheme}://localhost:{}/hook?from=test",
            listener.local_addr().unwrap().port()
        );
        let (sender, got) = mpsc::channel();
        thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(wrap(stream), answer, &sender);
            }
        });
        Self { url, got }
    }

    pub(crate) fn next(&self) -> Got {
        self.got.recv_timeout(SOON).expect("a request")
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.got.try_recv().is_err()
    }
}

pub(crate) trait ReadWrite: Read + Write {}

impl<T: Read + Write> ReadWrite for T {}

fn serve(stream: Box<dyn ReadWrite>, answer: Answer, sender: &Sender<Got>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    let mut next = |reader: &mut BufReader<_>| {
        line.clear();
        let read: Result<usize, std::io::Error> = BufRead::read_line(reader, &mut line);
        read.ok().map(|_| line.trim_end().to_owned())
    };
    let Some(first) = next(&mut reader) else { return };
    let mut headers = Vec::new();
    while let Some(header) = next(&mut reader).filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(": ").unwrap();
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let body = String::from_utf8(body).unwrap();
    let _ = sender.send(Got { line: first, headers, body });
    answer(reader.get_mut());
    let _ = reader.get_mut().flush();
}
