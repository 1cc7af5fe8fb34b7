//! Who may read what: bearer tokens, passwords, and routes that stay open.
//!
//! Tokens and passwords are compared by digests of one length and in constant time, so that
//! neither length nor content shows in how long a refusal takes. A password that came in plain is
//! kept as a salted digest; one that came hashed is checked by its slow hash in a thread of its
//! own, and remembered once it was right, so that a flood of wrong ones cannot keep the right one
//! out. What is remembered is a keyed digest of that user's password alone: nothing is joined into
//! one string that another user and password could join into as well.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::crew::Crew;
use super::password::PasswordHash;
use crate::sync::Mutex;

/// The ways in, and the routes that need none.
#[derive(Default)]
pub(super) struct Access {
    tokens: Vec<Secret>,
    users: Vec<Arc<User>>,
    open: Vec<String>,
    /// Made when the first slow hash is to be checked.
    hashing: Option<Crew>,
}

/// What a request showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allowed,
    Refused,
    /// Too many passwords wait to be checked.
    Busy,
}

/// A digest of something secret, under a key that is made anew for each.
struct Secret {
    key: [u8; 32],
    digest: [u8; 32],
}

struct User {
    name: String,
    hash: Option<PasswordHash>,
    /// The password, once known.
    known: Mutex<Option<Secret>>,
}

/// One thread checks at most a few hundred a second, and nobody waits longer than a few seconds.
const WAITING: usize = 256;

impl Access {
    pub(super) fn token(&mut self, token: &str) {
        self.tokens.push(Secret::new(token.as_bytes()));
    }

    pub(super) fn user(&mut self, name: &str, password: &str) {
        let known = Mutex::new(Some(Secret::new(password.as_bytes())));
        self.users.push(Arc::new(User { name: name.to_owned(), hash: None, known }));
    }

    pub(super) fn hashed_user(&mut self, name: &str, hash: PasswordHash) {
        let known = Mutex::default();
        self.users.push(Arc::new(User { name: name.to_owned(), hash: Some(hash), known }));
        self.hashing.get_or_insert_with(|| Crew::new("nissa-passwords", 1, WAITING));
    }

    pub(super) fn open(&mut self, path: &str) {
        self.open.push(path.to_owned());
    }

    /// Whether a request for this path may go without a password.
    pub(super) fn is_open(&self, path: &str) -> bool {
        let closed = !self.tokens.is_empty() || !self.users.is_empty();
        !closed || self.open.iter().any(|open| open == path)
    }

    /// What a 401 offers.
    pub(super) fn challenge(&self) -> &'static str {
        match self.users.is_empty() {
            true => "Bearer realm=\"metrics\"",
            false => "Basic realm=\"metrics\", charset=\"UTF-8\"",
        }
    }

    /// Decides by the `Authorization` header.
    pub(super) async fn check(&self, header: Option<&[u8]>) -> Decision {
        let Some((scheme, rest)) = header.and_then(|header| {
            let at = header.iter().position(|byte| *byte == b' ')?;
            Some((header.get(..at)?, header.get(at..)?.trim_ascii()))
        }) else {
            return Decision::Refused;
        };
        if scheme.eq_ignore_ascii_case(b"bearer") {
            // All of them, so that time does not tell which one it was.
            let is_one = self.tokens.iter().fold(false, |any, token| token.is(rest) | any);
            return if is_one { Decision::Allowed } else { Decision::Refused };
        }
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return Decision::Refused;
        }
        let Ok(pair) = STANDARD.decode(rest) else { return Decision::Refused };
        let Some(colon) = pair.iter().position(|byte| *byte == b':') else {
            return Decision::Refused;
        };
        let (name, password) = pair.split_at(colon);
        self.password(name, password.get(1..).unwrap_or_default()).await
    }

    async fn password(&self, name: &[u8], password: &[u8]) -> Decision {
        // All of them, and a slow hash whoever it is if there is any, so that time does not tell
        // which names are known.
        let is = |user: &Arc<User>| user.name.as_bytes() == name;
        if self.users.iter().fold(false, |any, user| (user.is_known(password) & is(user)) | any) {
            return Decision::Allowed;
        }
        let mut hashed = self.users.iter().filter(|user| user.hash.is_some());
        let found = hashed.clone().find(|user| is(user));
        let exists = found.is_some();
        let (Some(user), Some(crew)) = (found.or_else(|| hashed.next()), &self.hashing) else {
            return Decision::Refused;
        };
        let user = Arc::clone(user);
        let (sender, receiver) = oneshot::channel();
        let password = password.to_vec();
        let check = move || {
            if !sender.is_closed() {
                let right = user.check(&password) && exists;
                let _ = sender.send(right);
            }
        };
        if crew.submit(Box::new(check)).is_err() {
            return Decision::Busy;
        }
        match receiver.await {
            Ok(true) => Decision::Allowed,
            _ => Decision::Refused,
        }
    }

    pub(super) fn stop(&self, deadline: std::time::Instant) -> bool {
        self.hashing.as_ref().is_none_or(|crew| crew.stop(deadline))
    }
}

impl User {
    fn is_known(&self, password: &[u8]) -> bool {
        self.known.lock().as_ref().is_some_and(|known| known.is(password))
    }

    /// The slow way; remembers the password if it is right.
    fn check(&self, password: &[u8]) -> bool {
        let right = self.hash.as_ref().is_some_and(|hash| hash.is_of(password));
        if right {
            *self.known.lock() = Some(Secret::new(password));
        }
        right
    }
}

impl Secret {
    fn new(secret: &[u8]) -> Self {
        let key = random();
        Self { key, digest: digest(&key, secret) }
    }

    fn is(&self, other: &[u8]) -> bool {
        equal(&self.digest, &digest(&self.key, other))
    }
}

fn digest(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    // A key of any length is a key.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Sha256::digest(key).into();
    };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

/// Compares in a time that does not depend on where they differ.
pub(super) fn equal(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let differ = a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b));
    std::hint::black_box(differ) == 0
}

/// 32 bytes that nobody can guess.
pub(super) fn random() -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};
    // The standard library seeds its hash maps by the system's generator, once per thread, and
    // counts on from there; SHA-256 over several of them makes one key of it.
    let mut hash = Sha256::new();
    for round in 0..4u64 {
        hash.update(RandomState::new().hash_one(round).to_le_bytes());
    }
    hash.finalize().into()
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<&str> = self.users.iter().map(|user| &*user.name).collect();
        f.debug_struct("Access")
            .field("tokens", &self.tokens.len())
            .field("users", &users)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(access: &Access, header: &str) -> Decision {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(access.check(Some(header.as_bytes())))
    }

    fn basic(user: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    }

    #[test]
    fn tokens_and_passwords_open_and_nothing_else_does() {
        let mut access = Access::default();
        assert!(access.is_open("/metrics"));
        access.token("t0ken");
        access.user("ann", "pass:word");
        access.hashed_user("bob", PasswordHash::with_iterations("secret", 10));
        access.open("/live");
        assert!(access.is_open("/live") && !access.is_open("/metrics"));
        for _ in 0..2 {
            for right in ["Bearer t0ken", &basic("ann", "pass:word"), &basic("bob", "secret")] {
                assert_eq!(decide(&access, right), Decision::Allowed, "{right}");
            }
            for wrong in [
                "",
                "Bearer",
                "Bearer t0ke",
                "Bearer t0kens",
                "Basic !!",
                &basic("ann", "pass"),
                &basic("ann", "secret"),
                &basic("bob", "pass:word"),
                &basic("an", "npass:word"),
                &basic("carl", "secret"),
                "Digest t0ken",
            ] {
                assert_eq!(decide(&access, wrong), Decision::Refused, "{wrong}");
            }
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let mut access = Access::default();
        access.token("t0ken");
        access.user("ann", "hunter2");
        let printed = format!("{access:?}");
        assert!(printed.contains("ann"));
        assert!(!printed.contains("hunter2") && !printed.contains("t0ken"), "{printed}");
    }

    #[test]
    fn keys_differ() {
        assert_ne!(random(), random());
    }
}
