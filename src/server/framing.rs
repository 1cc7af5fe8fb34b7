//! Where one request ends and the next begins, read beside hyper and more strictly.
//!
//! hyper settles contradictory lengths the way the standard allows: `Transfer-Encoding` wins over
//! `Content-Length`, and equal lengths count as one. A proxy in front may settle them otherwise, and
//! then a client can hide a request in the body of another. So whoever contradicts himself is
//! refused here, and hyper's parser has no say in it.
//!
//! ```text
//!            blank line               n bytes skipped
//!   Head ────────────────► Between ◄────────────────── Body
//!    ▲  ▲ first byte          │ Content-Length: n        ▲
//!    └──┴─────────────────────┴──────────────────────────┘
//!                             │ Transfer-Encoding, or a contradiction
//!                             └──► Opaque: this request is the connection's last
//! ```

/// Reads the bytes of a connection as they come; sees heads, skips bodies, keeps no text.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    line: Line,
    head: Head,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Empty lines before a request are allowed.
    Between,
    Head,
    Body(u64),
    Opaque,
}

/// What of a line has to be remembered.
#[derive(Debug, Default)]
struct Line {
    /// Bytes in it, without the newline.
    len: usize,
    ends_in_return: bool,
    name: Name,
    length: Length,
}

/// A header's name as far as it matters here, while it is read.
#[derive(Debug)]
enum Name {
    /// So many bytes of it agree with each of [`WATCHED`].
    Reading([bool; WATCHED.len()]),
    Read(Option<usize>),
}

/// The value of a `Content-Length`, while it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    None,
    Some(u64),
    /// Digits, then a space: no digit may follow.
    Ended(u64),
    Bad,
}

#[derive(Debug, Default)]
struct Head {
    hosts: u32,
    lengths: u32,
    length: u64,
    encodings: u32,
    bad_length: bool,
}

/// A whole head has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// Two lengths, a length beside a transfer encoding, or a length that is none.
    Length,
    /// Two hosts.
    Host,
}

const WATCHED: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"host"];

impl Framing {
    pub(super) fn new() -> Self {
        Self { state: State::Between, line: Line::default(), head: Head::default() }
    }

    /// Whether part of a head has come, and not all of it.
    pub(super) fn in_head(&self) -> bool {
        self.state == State::Head
    }

    /// Reads more; calls `found` for each head that ends here.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut found: impl FnMut(Verdict)) {
        while let Some((&byte, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Opaque => return,
                State::Body(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= skipped as u64;
                    if *left == 0 {
                        self.state = State::Between;
                    }
                    bytes = bytes.get(skipped..).unwrap_or_default();
                    continue;
                }
                State::Between if matches!(byte, b'\r' | b'\n') => {}
                State::Between | State::Head => {
                    self.state = State::Head;
                    self.head_byte(byte, &mut found);
                }
            }
            bytes = rest;
        }
    }

    fn head_byte(&mut self, byte: u8, found: &mut impl FnMut(Verdict)) {
        if byte != b'\n' {
            return self.line.byte(byte);
        }
        let line = std::mem::take(&mut self.line);
        if line.len > usize::from(line.ends_in_return) {
            return self.head.line(&line);
        }
        let head = std::mem::take(&mut self.head);
        let verdict = head.verdict();
        self.state = match head.length {
            _ if verdict != Verdict::Fine || head.encodings > 0 => State::Opaque,
            0 => State::Between,
            length => State::Body(length),
        };
        found(verdict);
    }
}

impl Line {
    fn byte(&mut self, byte: u8) {
        let at = self.len;
        self.len = self.len.saturating_add(1);
        self.ends_in_return = byte == b'\r';
        match &mut self.name {
            Name::Reading(agrees) if byte == b':' => {
                let whole = |name: &&[u8]| name.len() == at;
                let found = WATCHED.iter().zip(agrees).position(|(name, ok)| *ok && whole(name));
                self.name = Name::Read(found);
            }
            Name::Reading(agrees) => {
                let byte = byte.to_ascii_lowercase();
                let pairs = WATCHED.iter().zip(agrees);
                pairs.for_each(|(name, ok)| *ok &= name.get(at) == Some(&byte));
            }
            Name::Read(Some(0)) => self.length = self.length.then(byte),
            Name::Read(_) => {}
        }
    }
}

impl Length {
    fn then(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Some(length), b'0'..=b'9') => {
                let longer =
                    length.checked_mul(10).and_then(|l| l.checked_add(u64::from(byte - b'0')));
                longer.map_or(Self::Bad, Self::Some)
            }
            (Self::None, b'0'..=b'9') => Self::Some(u64::from(byte - b'0')),
            (Self::None, b' ' | b'\t') => Self::None,
            (Self::Some(length) | Self::Ended(length), b' ' | b'\t' | b'\r') => Self::Ended(length),
            _ => Self::Bad,
        }
    }
}

impl Head {
    fn line(&mut self, line: &Line) {
        match line.name {
            Name::Read(Some(0)) => {
                self.lengths += 1;
                match line.length {
                    Length::Some(length) | Length::Ended(length) => self.length = length,
                    Length::None | Length::Bad => self.bad_length = true,
                }
            }
            Name::Read(Some(1)) => self.encodings += 1,
            Name::Read(Some(_)) => self.hosts += 1,
            Name::Read(None) | Name::Reading(_) => {}
        }
    }

    fn verdict(&self) -> Verdict {
        let lengths = self.lengths.saturating_add(self.encodings);
        match () {
            () if self.bad_length || lengths > 1 => Verdict::Length,
            () if self.hosts > 1 => Verdict::Host,
            () => Verdict::Fine,
        }
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::Reading([true; WATCHED.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdicts(pieces: &[&[u8]]) -> Vec<Verdict> {
        let mut framing = Framing::new();
        let mut found = Vec::new();
        pieces.iter().for_each(|piece| framing.read(piece, |verdict| found.push(verdict)));
        found
    }

    fn verdict(headers: &str) -> Verdict {
        let head = format!("GET / HTTP/1.1\r\n{headers}\r\n");
        let [verdict] = verdicts(&[head.as_bytes()])[..] else { panic!("{headers}") };
        verdict
    }

    #[test]
    fn contradictions_are_seen() {
        for (headers, expected) in [
            ("", Verdict::Fine),
            ("Host: a\r\nContent-Length: 0\r\n", Verdict::Fine),
            ("Transfer-Encoding: chunked\r\n", Verdict::Fine),
            ("Content-Length: 4\r\nContent-Length: 4\r\n", Verdict::Length),
            ("content-length:4\r\nTRANSFER-ENCODING: chunked\r\n", Verdict::Length),
            ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", Verdict::Length),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Verdict::Length),
            ("Content-Length: +4\r\n", Verdict::Length),
            ("Content-Length: 4, 4\r\n", Verdict::Length),
            ("Content-Length: 4 4\r\n", Verdict::Length),
            ("Content-Length: \r\n", Verdict::Length),
            ("Content-Length: 99999999999999999999\r\n", Verdict::Length),
            ("Host: a\r\nHost: a\r\n", Verdict::Host),
            ("Hosts: a\r\nXHost: a\r\nHos: a\r\nHost\r\n", Verdict::Fine),
        ] {
            assert_eq!(verdict(headers), expected, "{headers}");
        }
    }

    #[test]
    fn bodies_are_skipped_and_heads_found_again() {
        let two =
            b"POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\n\nGET";
        assert_eq!(verdicts(&[two]), [Verdict::Fine; 2]);
        let chunked =
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(verdicts(&[chunked]), [Verdict::Fine], "what follows is the last one's body");
    }

    #[test]
    fn only_part_of_a_head_is_a_head() {
        let mut framing = Framing::new();
        framing.read(b"\r\n", |_| panic!());
        assert!(!framing.in_head());
        framing.read(b"G", |_| panic!());
        assert!(framing.in_head());
        framing.read(b"ET / HTTP/1.1\r\n\r\n", |_| ());
        assert!(!framing.in_head());
    }

    /// The twin: whole heads, by hyper's own parser.
    fn naive(mut bytes: &[u8]) -> Option<Vec<Verdict>> {
        let mut found = Vec::new();
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            let httparse::Status::Complete(length) = request.parse(bytes).ok()? else {
                return Some(found);
            };
            let values = |name: &str| -> Vec<&[u8]> {
                let named = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
                named.map(|header| header.value).collect()
            };
            let lengths = values("content-length");
            let digits = |value: &&[u8]| -> Option<u64> {
                let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
                text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
            };
            let parsed: Vec<_> = lengths.iter().map(digits).collect();
            let chunked = !values("transfer-encoding").is_empty();
            let bad =
                parsed.contains(&None) || lengths.len() + values("transfer-encoding").len() > 1;
            let verdict = match () {
                () if bad => Verdict::Length,
                () if values("host").len() > 1 => Verdict::Host,
                () => Verdict::Fine,
            };
            found.push(verdict);
            if verdict != Verdict::Fine || chunked {
                return Some(found);
            }
            let body = parsed.first().copied().flatten().unwrap_or(0);
            let next = u64::try_from(length).ok()?.saturating_add(body);
            bytes = bytes.get(usize::try_from(next).ok()?..).unwrap_or_default();
        }
    }

    fn requests() -> impl Strategy<Value = Vec<u8>> {
        let header = prop_oneof![
            Just("Host: a\r\n".to_owned()),
            Just("Transfer-Encoding: chunked\r\n".to_owned()),
            (0u32..40).prop_map(|n| format!("Content-Length: {n}\r\n")),
            (0u32..40).prop_map(|n| format!("content-length:\t{n} \n")),
            "[A-Za-z-]{1,20}: ?[ -~]{0,20}\r\n",
        ];
        let request = (prop::collection::vec(header, 0..5), "(\r\n){0,2}", "[a-z\r\n]{0,40}");
        let request = request.prop_map(|(headers, lead, body)| {
            format!("{lead}POST / HTTP/1.1\r\n{}\r\n{body}", headers.concat())
        });
        prop::collection::vec(request, 1..4).prop_map(|all| all.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn what_hyper_accepts_is_framed_alike(bytes in requests(), cuts in prop::collection::vec(0usize..200, 0..4)) {
            let Some(expected) = naive(&bytes) else { return Ok(()) };
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(verdicts(&pieces), expected);
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = verdicts(&[&bytes]);
        }
    }
}
