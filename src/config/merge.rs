//! Files and variables as one table, each value checked where it comes from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::key::{self, Key, PREFIX};
use super::{Config, wrong};
use crate::error::Error;

const MOST_BYTES: u64 = 1 << 20;

/// What Kubernetes calls the variables it sets for a service named nissa.
const FOREIGN: [&str; 2] = ["NISSA_SERVICE_", "NISSA_PORT"];

/// What was read so far.
#[derive(Default)]
pub(super) struct Merged(Table);

impl Merged {
    pub(super) fn file(self, path: &Path) -> Result<Self, Error> {
        let name = path.display();
        let failed = |error| wrong(&name, "cannot be read").because(error);
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        let read = file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if read as u64 > MOST_BYTES {
            return Err(wrong(&name, "is larger than a mebibyte"));
        }
        self.text(&text, &format!("{name}: "))
    }

    /// `place` is said before a key.
    pub(super) fn text(self, text: &str, place: &str) -> Result<Self, Error> {
        // The error's own text would show the line, and with it perhaps a secret.
        let table: Table = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::setting(format!("{place}line {line}: {}", first_line(error.message())))
        })?;
        self.table(table, place)
    }

    pub(super) fn table(mut self, table: Table, place: &str) -> Result<Self, Error> {
        self.merge(table, "", place)?;
        Ok(self)
    }

    fn merge(&mut self, table: Table, above: &str, place: &str) -> Result<(), Error> {
        for (name, value) in table {
            let path = if above.is_empty() { name } else { format!("{above}.{name}") };
            let said = format!("{place}{path}");
            match (key::find(&path), value) {
                (Some(key), value) => {
                    check(key, value.clone()).map_err(|what| wrong(&said, what))?;
                    self.put(key.path, value);
                }
                (None, Value::Table(below)) if key::is_table(&path) => {
                    self.merge(below, &path, place)?;
                }
                (None, _) if key::is_table(&path) => return Err(wrong(&said, "is a table")),
                (None, _) => {
                    let absent: Vec<_> =
                        key::absent().map(|(start, feature)| (start.to_owned(), feature)).collect();
                    let name = |key: &Key| key.path.to_owned();
                    return Err(wrong(said, key::unknown(&path, name, &absent)));
                }
            }
        }
        Ok(())
    }

    pub(super) fn variables(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        for (name, text) in variables {
            let foreign = FOREIGN.iter().any(|start| name.starts_with(start));
            if !name.starts_with(PREFIX) || (foreign && key::all().all(|k| k.variable() != name)) {
                continue;
            }
            let Some(key) = key::all().find(|key| key.variable() == name) else {
                let absent: Vec<_> = key::absent()
                    .map(|(start, feature)| (Key::new(start, "", "").variable(), feature))
                    .collect();
                return Err(wrong(&name, key::unknown(&name, Key::variable, &absent)));
            };
            let value = of_variable(key, &text).map_err(|what| wrong(&name, what))?;
            self.put(key.path, value);
        }
        Ok(self)
    }

    fn put(&mut self, path: &str, value: Value) {
        put(&mut self.0, path, value);
    }

    pub(super) fn config(self) -> Result<Config, Error> {
        Config::deserialize(Value::Table(self.0)).map_err(|error| {
            // Every value was allowed alone.
            Error::setting(first_line(error.message()))
        })
    }
}

fn put(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(table.insert(path.to_owned(), value)),
        Some((name, rest)) => {
            let below = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(below) = below {
                put(below, rest, value);
            }
        }
    }
}

/// What is wrong with a value, if anything is.
fn check(key: &Key, value: Value) -> Result<(), String> {
    let mut alone = Table::new();
    put(&mut alone, key.path, value);
    match Config::deserialize(Value::Table(alone)) {
        Ok(_) => Ok(()),
        // The error's text may show the value.
        Err(_) if key.secret => Err(format!("allowed: {}", key.allowed)),
        Err(error) => Err(format!("{}; allowed: {}", first_line(error.message()), key.allowed)),
    }
}

/// The value of a variable: TOML if that is allowed, else a string, for which nobody writes quotes.
fn of_variable(key: &Key, text: &str) -> Result<Value, String> {
    let written = toml::from_str(&format!("value = {text}"));
    let written = written.ok().and_then(|mut table: Table| table.remove("value"));
    let written = written.filter(|value| check(key, value.clone()).is_ok());
    match written {
        Some(value) => Ok(value),
        None => {
            let plain = Value::String(text.to_owned());
            check(key, plain.clone()).map(|()| plain)
        }
    }
}

fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
