//! The page's files, which are part of the program: the browser asks nobody else for anything.

use std::io::Write;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::route::{Request, Response, Route};

/// No script but these files, no connection but to this endpoint, and in no frame: whatever a
/// program names its metrics, nothing of it is run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal $kind:ident $file:literal),* $(,)?) => {
        [$(($path, $kind, include_str!(concat!("assets/", $file)))),*]
    };
}

const FILES: [(&str, &str, &str); 22] = files![
    "/" HTML "index.html",
    "/page/app.js" SCRIPT "app.js",
    "/page/card.js" SCRIPT "card.js",
    "/page/data.js" SCRIPT "data.js",
    "/page/dom.js" SCRIPT "dom.js",
    "/page/export.js" SCRIPT "export.js",
    "/page/filters.js" SCRIPT "filters.js",
    "/page/format.js" SCRIPT "format.js",
    "/page/heat.js" SCRIPT "heat.js",
    "/page/lines.js" SCRIPT "lines.js",
    "/page/noticed.js" SCRIPT "noticed.js",
    "/page/plot.js" SCRIPT "plot.js",
    "/page/search.js" SCRIPT "search.js",
    "/page/state.js" SCRIPT "state.js",
    "/page/tiles.js" SCRIPT "tiles.js",
    "/page/units.js" SCRIPT "units.js",
    "/page/view_anomalies.js" SCRIPT "view_anomalies.js",
    "/page/view_metrics.js" SCRIPT "view_metrics.js",
    "/page/view_overview.js" SCRIPT "view_overview.js",
    "/page/view_training.js" SCRIPT "view_training.js",
    "/page/uplot.js" SCRIPT "uplot.js",
    "/page/icon.svg" IMAGE "icon.svg",
];

const STYLES: [(&str, &str, &str); 2] =
    files!["/page/style.css" STYLE "style.css", "/page/uplot.css" STYLE "uplot.css"];

/// One route for each file.
pub(super) fn routes() -> impl Iterator<Item = Route> {
    FILES.into_iter().chain(STYLES).map(|(path, kind, text)| {
        // What changes with each version of the crate is asked for anew; what has not changed is
        // not sent again.
        let tag = format!("\"{:x}\"", fnv(text));
        let packed = OnceLock::new();
        let answer = move |request: &Request<'_>| {
            if request.header("if-none-match") == Some(&*tag) {
                return Response::new(304, kind, "").header("etag", &*tag);
            }
            let takes_gzip =
                |accepted: &str| accepted.contains("gzip") && !accepted.contains(";q=0");
            let response = match request.header("accept-encoding").is_some_and(takes_gzip) {
                true => Response::new(200, kind, packed.get_or_init(|| gzip(text)).as_slice())
                    .header("content-encoding", "gzip"),
                false => Response::new(200, kind, text),
            };
            response
                .header("vary", "Accept-Encoding")
                .header("etag", &*tag)
                .header("cache-control", "no-cache")
                .header("content-security-policy", POLICY)
                .header("referrer-policy", "no-referrer")
        };
        Route::get(path, answer).quick()
    })
}

/// Tells one version of a file from another (Fowler, Noll and Vo's hash, 64 bits).
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Compressed once, when first asked for.
fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // A vector takes everything.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// An import or a reference to a file that is not there would show as a blank page.
    #[test]
    fn every_file_that_is_named_is_there() {
        let paths: Vec<&str> = FILES.iter().chain(&STYLES).map(|(path, ..)| *path).collect();
        for (path, _, text) in FILES.iter().filter(|(path, ..)| *path != "/page/uplot.js") {
            for (start, end, root) in
                [("from \"./", '"', "/page/"), ("src=\"", '"', "/"), ("href=\"page", '"', "/page")]
            {
                for rest in text.split(start).skip(1) {
                    let name = format!("{root}{}", rest.split(end).next().unwrap());
                    assert!(paths.contains(&&*name), "{path} names {name}");
                }
            }
        }
    }

    #[test]
    fn the_whole_page_is_small() {
        let bytes: usize = FILES.iter().chain(&STYLES).map(|(.., text)| gzip(text).len()).sum();
        assert!(bytes <= 150 << 10, "{bytes} bytes");
    }

    #[test]
    fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
        let (_, _, page) = FILES[0];
        let handler = |rest: &str| rest.trim_start_matches(char::is_alphabetic).starts_with('=');
        assert!(!page.contains("style=") && !page.contains("<style"));
        assert!(!page.split(" on").skip(1).any(handler));
        assert_eq!(page.matches("<script").count(), page.matches("<script src=\"page/").count());
        for (path, _, text) in FILES.iter().chain(&STYLES) {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            let own = *path != "/page/uplot.js";
            assert!(!own || !text.contains("http://") && !text.contains("https://"), "{path}");
            assert!(!own || !text.contains("innerHTML"), "{path}");
        }
    }

    /// The one part that others wrote is what they published: `npm pack uplot@1.6.32`.
    #[test]
    fn uplot_is_unchanged() {
        let sum = |text: &str| -> String {
            Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let script = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f";
        let style = "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04";
        assert_eq!(sum(include_str!("assets/uplot.js")), script);
        assert_eq!(sum(include_str!("assets/uplot.css")), style);
    }
}
