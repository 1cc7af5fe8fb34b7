//! The JSON of `/metrics.json`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Exemplar, Page, bound, with};

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("+Inf") => f64::INFINITY,
        Some("-Inf") => f64::NEG_INFINITY,
        Some(other) => panic!("{other:?} is no number"),
        None => value.as_f64().unwrap(),
    }
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let pair =
        |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap().to_owned());
    value.as_object().unwrap().iter().map(pair).collect()
}

pub(crate) fn read(bytes: &[u8]) -> Page {
    let root: Value = serde_json::from_slice(bytes).unwrap();
    let mut page = Page::default();
    for metric in root["metrics"].as_array().unwrap() {
        let text = |key: &str| metric[key].as_str().map(str::to_owned);
        let name = text("name").unwrap();
        let before = page.types.insert(name.clone(), text("kind").unwrap());
        assert!(before.is_none(), "{name} twice");
        text("unit").map(|unit| page.units.insert(name.clone(), unit));
        text("help").map(|help| page.helps.insert(name.clone(), help));
        for series in metric["series"].as_array().unwrap() {
            read_series(&mut page, &name, series);
        }
    }
    page
}

fn read_series(page: &mut Page, name: &str, series: &Value) {
    let labels_of = labels(&series["labels"]);
    if let Some(start) = series.get("start") {
        page.starts.insert((name.to_owned(), labels_of.clone()), number(start));
    }
    if let Some(value) = series.get("value") {
        page.sample(name, &labels_of, number(value));
        for exemplar in exemplars(series) {
            page.exemplars.insert((name.to_owned(), labels_of.clone()), exemplar);
        }
        return;
    }
    for pair in series["quantiles"].as_array().into_iter().flatten() {
        let labels = with(&labels_of, "quantile", bound(number(&pair[0])));
        page.sample(name, &labels, number(&pair[1]));
    }
    let mut rest = exemplars(series).into_iter().peekable();
    for pair in series["buckets"].as_array().into_iter().flatten() {
        let upper = number(&pair[0]);
        let (name, labels) = (format!("{name}_bucket"), with(&labels_of, "le", bound(upper)));
        page.sample(&name, &labels, number(&pair[1]));
        if let Some(exemplar) = rest.next_if(|exemplar| exemplar.value <= upper) {
            page.exemplars.insert((name, labels), exemplar);
        }
    }
    page.sample(&format!("{name}_sum"), &labels_of, number(&series["sum"]));
    page.sample(&format!("{name}_count"), &labels_of, number(&series["count"]));
}

fn exemplars(series: &Value) -> Vec<Exemplar> {
    let read = |exemplar: &Value| Exemplar {
        labels: labels(&exemplar["labels"]),
        value: number(&exemplar["value"]),
        seconds: number(&exemplar["time"]),
    };
    series["exemplars"].as_array().into_iter().flatten().map(read).collect()
}
