//! Values as people write them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A duration: `"250ms"`, `"1.5s"`, `"2m"`, `"1h"`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span(pub(super) Duration);

const UNITS: [(&str, f64); 6] =
    [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits)?;
        let unit = if unit.is_empty() { "s" } else { unit };
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let number: f64 = number.trim().parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"250ms\" or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        Span::parse(text).ok_or_else(|| E::custom(format!("{text:?} is no duration")))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Span, E> {
        let span = Duration::try_from_secs_f64(seconds).ok().map(Span);
        span.ok_or_else(|| E::custom(format!("{seconds} is no duration")))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Span, E> {
        let seconds = u64::try_from(seconds);
        seconds.map(|s| Span(Duration::from_secs(s))).map_err(|_| E::custom("is below zero"))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Span, E> {
        Ok(Span(Duration::from_secs(seconds)))
    }
}

/// A list; one item, or several with commas between, may stand without brackets.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// What a list may hold: made of the text between commas.
pub(super) trait Item: for<'de> Deserialize<'de> {
    fn of(text: &str) -> Self;
}

impl Item for String {
    fn of(text: &str) -> Self {
        text.to_owned()
    }
}

impl<'de, T: Item> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Item> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<List<T>, E> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(List(items.map(T::of).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(List(list))
    }
}

/// A table of names and values; `a=1,b=2` may stand for it.
#[derive(Clone, Debug)]
pub(super) struct Pairs<T>(pub(super) BTreeMap<String, T>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What a table may hold: made of the text behind a `=`.
pub(super) trait Entry: for<'de> Deserialize<'de> {
    fn of(text: &str) -> Option<Self>;
}

impl Entry for String {
    fn of(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Entry for f64 {
    fn of(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl<'de, T: Entry> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Entry> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Pairs<T>, E> {
        let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), T::of(value.trim())?))
        });
        let pairs: Option<_> = pairs.collect();
        pairs.map(Pairs).ok_or_else(|| E::custom("not of the form name=value,name=value"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Pairs<T>, A::Error> {
        let mut pairs = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry()? {
            pairs.insert(name, value);
        }
        Ok(Pairs(pairs))
    }
}

/// A used share.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Share(pub(super) f64);

impl TryFrom<f64> for Share {
    type Error = &'static str;

    fn try_from(share: f64) -> Result<Self, &'static str> {
        let sensible = share.is_finite() && share >= 0.0;
        if sensible { Ok(Self(share)) } else { Err("not a share of the whole") }
    }
}

impl Entry for Share {
    fn of(text: &str) -> Option<Self> {
        f64::of(text).and_then(|share| Self::try_from(share).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let cases = [
            ("250ms", 0.25),
            ("1.5s", 1.5),
            ("2m", 120.0),
            (" 1 h ", 3_600.0),
            ("3", 3.0),
            ("1d", 86_400.0),
            ("10us", 1e-5),
        ];
        for (text, seconds) in cases {
            assert_eq!(Span::parse(text), Some(Span(Duration::from_secs_f64(seconds))), "{text}");
        }
        for text in ["", "s", "-1s", "1x", "nan", "inf", "1e400s", "1 2s", "1e30d", "1s2"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_duration_panic(text in any::<String>()) {
            let _ = Span::parse(&text);
        }
    }
}
