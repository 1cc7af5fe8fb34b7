//! Where to send: a URL, taken apart once.

use crate::error::Error;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(super) encrypted: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// As the `Host` header has it.
    pub(super) authority: String,
    /// With the query, and never empty.
    pub(super) path: String,
}

impl Target {
    /// Takes `http://` and `https://` URLs. A name and password in one are refused: they would end
    /// up in logs.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let refuse = |why: &str| Error::setting(format!("URL {}: {why}", without_secrets(url)));
        let parsed: http::Uri = url.parse().map_err(|error| refuse("not a URL").because(error))?;
        let encrypted = match parsed.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(refuse("begins with neither http:// nor https://")),
        };
        let authority = parsed.authority().ok_or_else(|| refuse("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("has a password in it; set a header instead"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(refuse("has no host"));
        }
        let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let path = parsed.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            encrypted,
            host: host.to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            path: path.to_owned(),
        })
    }

    /// The same with this after the path.
    #[allow(dead_code, reason = "only Alertmanager has paths below its own")]
    pub(crate) fn below(mut self, path: &str) -> Self {
        let base = self.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        self.path = format!("{base}{path}");
        self
    }
}

/// Up to where a secret may stand: scheme and host.
fn without_secrets(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let host = url.get(start..).unwrap_or_default();
    let end = host.find(['/', '?', '@', '#']).map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let target = Target::parse("http://localhost:9093").unwrap().below("/api/v2/alerts");
        assert_eq!(
            (target.host.as_str(), target.port, target.encrypted),
            ("localhost", 9093, false)
        );
        assert_eq!(target.path, "/api/v2/alerts");
        let target = Target::parse("https://[::1]/hook?key=1").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 443));
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("[::1]", "/hook?key=1"));
        let behind = Target::parse("http://proxy/alertmanager/").unwrap().below("/api/v2/alerts");
        assert_eq!(behind.path, "/alertmanager/api/v2/alerts");
        for wrong in
            ["", "localhost:9093", "ftp://x/", "http://", "http:///x", "/path", "http://a b/"]
        {
            assert!(Target::parse(wrong).unwrap_err().is_setting(), "{wrong}");
        }
    }

    #[test]
    fn secrets_stay_out_of_errors() {
        let error = Target::parse("http://me:secret@host/").unwrap_err().to_string();
        assert!(!error.contains("secret@") && error.contains("password"), "{error}");
        let error = Target::parse("ftp://host/hook?key=secret").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
