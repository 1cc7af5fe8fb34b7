//! Passwords as settings may hold them: salted and hashed.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::access::{equal, random};
use crate::error::Error;

/// A password's salted hash: PBKDF2 with HMAC-SHA-256, written as
/// `$pbkdf2-sha256$i=600000$salt$hash`, salt and hash in base64 without padding.
///
/// A settings file can hold it where the password itself should not be.
///
/// ```
/// use nissa::server::PasswordHash;
///
/// let hash: PasswordHash = PasswordHash::with_iterations("horse", 100).to_string().parse()?;
/// let server = nissa::server::Server::new().listen("127.0.0.1:0").user_hash("prometheus", hash);
/// assert!(!format!("{server:?}").contains("pbkdf2"), "no secret is printed");
/// # Ok::<(), nissa::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    iterations: u32,
    salt: Vec<u8>,
    hash: [u8; 32],
}

/// What OWASP's password storage cheat sheet asks for of this function.
const ITERATIONS: u32 = 600_000;
/// A check that takes minutes would be a fault in the settings.
const MOST_ITERATIONS: u32 = 10_000_000;

impl PasswordHash {
    /// Hashes a password with a new salt. Takes a good part of a second, on purpose.
    pub fn new(password: &str) -> Self {
        Self::with_iterations(password, ITERATIONS)
    }

    /// Hashes a password by another number of iterations than the 600,000 that are recommended:
    /// between 1 and 10,000,000.
    pub fn with_iterations(password: &str, iterations: u32) -> Self {
        let iterations = iterations.clamp(1, MOST_ITERATIONS);
        let salt = random().iter().take(16).copied().collect::<Vec<u8>>();
        let hash = derive(password.as_bytes(), &salt, iterations);
        Self { iterations, salt, hash }
    }

    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        equal(&self.hash, &derive(password, &self.salt, self.iterations))
    }
}

/// PBKDF2's first block, which is as long as a SHA-256 digest (RFC 8018, section 5.2).
fn derive(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    // A key of any length is a key.
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(password) else { return [0; 32] };
    let mut first = keyed.clone();
    first.update(salt);
    first.update(&1u32.to_be_bytes());
    let mut block: [u8; 32] = first.finalize().into_bytes().into();
    let mut sum = block;
    for _ in 1..iterations {
        let mut next = keyed.clone();
        next.update(&block);
        block = next.finalize().into_bytes().into();
        sum.iter_mut().zip(block).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

impl FromStr for PasswordHash {
    type Err = Error;

    /// Reads what `to_string` writes.
    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || {
            let mut parts = text.strip_prefix("$pbkdf2-sha256$i=")?.split('$');
            let iterations = parts.next()?.parse().ok()?;
            let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
            let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?.try_into().ok()?;
            let sane = (1..=MOST_ITERATIONS).contains(&iterations) && salt.len() >= 8;
            (sane && parts.next().is_none()).then_some(Self { iterations, salt, hash })
        };
        read().ok_or_else(|| {
            Error::setting("password hash: expected $pbkdf2-sha256$i=<iterations>$<salt>$<hash>")
        })
    }
}

/// As a settings file holds it.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(self.hash));
        write!(f, "$pbkdf2-sha256$i={}${salt}${hash}", self.iterations)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The vectors of RFC 7914, section 11: their first 32 bytes.
    #[test]
    fn the_standard_s_vectors() {
        let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex(derive(b"passwd", b"salt", 1)),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
        assert_eq!(
            hex(derive(b"Password", b"NaCl", 80_000)),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
        );
    }

    #[test]
    fn written_and_read() {
        let hash = PasswordHash::with_iterations("secret", 10);
        let read: PasswordHash = hash.to_string().parse().unwrap();
        assert_eq!(read, hash);
        assert!(read.is_of(b"secret") && !read.is_of(b"Secret"));
        assert_ne!(PasswordHash::with_iterations("secret", 10), hash, "salted");
        assert_eq!(format!("{hash:?}"), "PasswordHash(***)");
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let good = PasswordHash::with_iterations("secret", 10).to_string();
        for bad in [
            "",
            "secret",
            &good.replace("i=10", "i=0"),
            &good.replace("i=10", "i=99999999"),
            &format!("{good}$"),
            &good[..good.len() - 4],
        ] {
            assert!(bad.parse::<PasswordHash>().unwrap_err().is_setting(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\$pbkdf2-sha256\\$i=)?[0-9]{0,4}.*") {
            let _ = text.parse::<PasswordHash>();
        }
    }
}
