//! Reads Rust as far as its paths go: no comments, no strings, no test modules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file as tokens, without comments, strings and test modules.
pub(crate) struct Source {
    /// Relative to `src/`.
    pub(crate) path: String,
    /// The first part of the path.
    pub(crate) module: String,
    /// Line and text: a word, `::`, or one character.
    pub(crate) tokens: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        collect(&root, &mut files);
        let read = |file: &PathBuf| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            (path, fs::read_to_string(file).unwrap())
        };
        let texts: BTreeMap<String, String> = files.iter().map(read).collect();
        assert!(texts.len() > 20, "only {} files under src/", texts.len());
        // A file may be a test module as a whole.
        let is_test = |path: &str| {
            let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
            let parent =
                if folder.is_empty() { "lib.rs".into() } else { format!("{folder}/mod.rs") };
            let declaration = format!("mod {};", file.trim_end_matches(".rs"));
            texts.get(&parent).is_some_and(|parent| {
                let (all, kept) = (tokens(parent), without_tests(tokens(parent)));
                let has = |tokens: &[(usize, String)]| join(tokens).contains(&declaration);
                has(&all) && !has(&kept)
            })
        };
        texts
            .iter()
            .filter(|(path, _)| !is_test(path))
            .map(|(p, text)| Self::new(p, text))
            .collect()
    }

    pub(crate) fn new(path: &str, text: &str) -> Self {
        let module = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        Self { path: path.to_owned(), module, tokens: without_tests(tokens(text)) }
    }

    /// Where these tokens stand in a row.
    pub(crate) fn find(&self, words: &[&str]) -> Vec<usize> {
        let is =
            |window: &[(usize, String)]| window.iter().zip(words).all(|(t, word)| t.1 == *word);
        let found = self.tokens.windows(words.len()).enumerate().filter(|(_, window)| is(window));
        found.map(|(at, _)| at).collect()
    }

    /// What follows these tokens, and on which line.
    pub(crate) fn after(&self, words: &[&str]) -> impl Iterator<Item = (usize, &str)> {
        let next = self.find(words).into_iter().map(|at| at + words.len());
        next.filter_map(|at| self.tokens.get(at)).map(|(line, name)| (*line, name.as_str()))
    }

    /// Modules that are named from the crate's root, with `crate::` or a `super::` that leads
    /// there, and on which line.
    pub(crate) fn imports(&self) -> Vec<(usize, String)> {
        // How many `super::` lead to the root: a folder is a module, and its `mod.rs` is it.
        let folders = self.path.matches('/').count();
        let outer = folders + usize::from(!self.path.ends_with("/mod.rs"));
        let mut found = Vec::new();
        // Braces that are open, and which of them are modules.
        let mut open: Vec<bool> = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let word = self.word(at);
            match word {
                "{" => open.push(at >= 2 && self.word(at - 2) == "mod"),
                "}" => drop(open.pop()),
                _ => {}
            }
            let path = at == 0 || !matches!(self.word(at - 1), "::" | "$");
            let mut up = 0;
            while path && self.word(at) == "super" && self.word(at + 1) == "::" {
                (up, at) = (up + 1, at + 2);
            }
            let depth = outer + open.iter().filter(|module| **module).count();
            if path && word == "crate" && self.word(at + 1) == "::" {
                self.heads(at + 2, &mut found);
            } else if up >= depth {
                self.heads(at, &mut found);
            }
            at += usize::from(up == 0);
        }
        found
    }

    /// The first name of a path, or of each path in a group.
    fn heads(&self, start: usize, found: &mut Vec<(usize, String)>) {
        if self.word(start) != "{" {
            return found.extend(self.tokens.get(start).cloned());
        }
        let mut depth = 0;
        for at in start..self.tokens.len() {
            match self.word(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ if depth == 1 && matches!(self.word(at - 1), "{" | ",") => {
                    found.push(self.tokens[at].clone());
                }
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |(_, word)| word)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Rust's tokens, as far as paths need them.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(len) = raw_string(rest) {
            len
        } else if first == '"' {
            1 + quoted(&rest[1..], '"')
        } else if first == '\'' {
            character(rest)
        } else if first.is_whitespace() {
            first.len_utf8()
        } else {
            let len = if word > 0 { word } else { first.len_utf8() };
            let len = if rest.starts_with("::") { 2 } else { len };
            tokens.push((line, rest[..len].to_owned()));
            len
        };
        line += rest[..len].matches('\n').count();
        rest = &rest[len..];
    }
    tokens
}

/// The length of a string's body and closing quote.
fn quoted(body: &str, quote: char) -> usize {
    let mut escaped = false;
    let end = body.char_indices().find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(body.len(), |(at, _)| at + 1)
}

fn raw_string(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let body = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest.len() - body.len() + body.find(&end)? + end.len())
}

/// A character, or the tick of a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => 1 + quoted(&rest[1..], '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1,
    }
}

/// Leaves out `#[cfg(test)]` and `#[cfg(all(test, …))]` with the item behind it.
fn without_tests(tokens: Vec<(usize, String)>) -> Vec<(usize, String)> {
    let mut kept = Vec::new();
    let mut rest = &tokens[..];
    while let Some(token) = rest.first() {
        let text = join(&rest[..rest.len().min(8)]);
        if !text.starts_with("#[cfg(test") && !text.starts_with("#[cfg(all(test") {
            kept.push(token.clone());
            rest = &rest[1..];
            continue;
        }
        let mut depth = 0;
        let end = rest.iter().position(|(_, word)| {
            let before = depth;
            depth += i32::from(word == "{") - i32::from(word == "}");
            depth == 0 && (before == 1 || word == ";")
        });
        rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
    }
    kept
}

/// The tokens as text, words apart.
fn join(tokens: &[(usize, String)]) -> String {
    let mut text = String::new();
    for (_, token) in tokens {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        if word(text.chars().last()) && word(token.chars().next()) {
            text.push(' ');
        }
        text.push_str(token);
    }
    text
}
