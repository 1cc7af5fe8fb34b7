//! Compression, as the client asks for it.

use std::io::{self, Write};

use crate::expose;

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    #[default]
    Identity,
    Gzip,
    Zstd,
}

/// A third less than the quickest level, for a quarter more time. Pages are so repetitive that
/// higher ones save little: the table in docs/SERVER.md has the figures.
const GZIP_LEVEL: u32 = 2;
const ZSTD_LEVEL: i32 = 1;

/// Not worth the client's time below.
pub(super) const WORTH_COMPRESSING: usize = 1 << 10;

impl Encoding {
    /// What to answer an `Accept-Encoding` with. Never one that it does not name: Prometheus cannot
    /// read zstd, and says so by leaving it out.
    pub(super) fn negotiate(accepted: &str) -> Self {
        let mut best = (0, Self::Identity);
        for part in accepted.split(',') {
            let mut words = part.split(';').map(str::trim);
            let encoding = match words.next() {
                Some(name) if is(name, "zstd") => Self::Zstd,
                Some(name) if is(name, "gzip") || is(name, "x-gzip") => Self::Gzip,
                Some(name) if is(name, "identity") => Self::Identity,
                _ => continue,
            };
            let weight = words.find_map(|word| {
                let (name, value) = word.split_once('=')?;
                is(name.trim(), "q").then(|| value.trim())
            });
            // One that makes no sense counts as 0, so nobody gets what he may not have asked for.
            let weight = weight.map_or(1000, |weight| expose::weight(weight).unwrap_or(0));
            // At equal weight the later in the enum, which is the smaller.
            if weight > 0 && (weight, encoding as u8) > (best.0, best.1 as u8) {
                best = (weight, encoding);
            }
        }
        best.1
    }

    /// The header's value, unless there is none.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// Appends the page to `out`, compressed.
    pub(super) fn compress(self, page: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Identity => out.extend_from_slice(page),
            Self::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut writer = flate2::write::GzEncoder::new(out, level);
                writer.write_all(page)?;
                writer.finish()?;
            }
            Self::Zstd => {
                let mut writer = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
                writer.set_pledged_src_size(Some(page.len() as u64))?;
                writer.write_all(page)?;
                writer.finish()?;
            }
        }
        Ok(())
    }
}

fn is(name: &str, expected: &str) -> bool {
    name.eq_ignore_ascii_case(expected)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_clients_send() {
        for (accepted, expected) in [
            ("", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("GZip ; Q=0.5", Encoding::Gzip),
            ("gzip, deflate, br, zstd", Encoding::Zstd),
            ("zstd;q=0.5, gzip;q=0.9", Encoding::Gzip),
            ("identity, gzip;q=0.5", Encoding::Identity),
            ("gzip;q=0", Encoding::Identity),
            ("gzip;q=x", Encoding::Identity),
            ("gzip;q=-1, zstd;q=NaN", Encoding::Identity),
            ("*", Encoding::Identity),
            ("deflate, br;q=1.0", Encoding::Identity),
        ] {
            assert_eq!(Encoding::negotiate(accepted), expected, "{accepted}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_answered(accepted in ".*") {
            let _ = Encoding::negotiate(&accepted);
        }

        #[test]
        fn what_is_compressed_comes_back(page in prop::collection::vec(any::<u8>(), 0..3000)) {
            let mut out = Vec::new();
            Encoding::Gzip.compress(&page, &mut out).unwrap();
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(&out[..]).read_to_end(&mut read).unwrap();
            prop_assert_eq!(&read, &page);
            out.clear();
            Encoding::Zstd.compress(&page, &mut out).unwrap();
            prop_assert_eq!(zstd::decode_all(&out[..]).unwrap(), page);
        }
    }
}
