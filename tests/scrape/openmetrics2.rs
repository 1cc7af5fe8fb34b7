//! OpenMetrics 2.0, release candidate 0.

use std::collections::BTreeMap;

use super::text::{Rest, comment, number};
use super::{Native, Page, bound, with};

pub(crate) fn read(bytes: &[u8]) -> Page {
    let text = std::str::from_utf8(bytes).unwrap().strip_suffix("# EOF\n").expect("no end");
    let mut page = Page::default();
    for line in text.split_terminator('\n') {
        if line.starts_with('#') { comment(line, &mut page) } else { sample(line, &mut page) }
    }
    page
}

fn sample(line: &str, page: &mut Page) {
    let mut rest = Rest(line);
    let (name, labels) = rest.series();
    rest.expect(" ");
    let mut bounds = Vec::new();
    if rest.take("{") {
        bounds = composite(&mut rest, &name, &labels, page);
    } else {
        let value = rest.number(&[' ']);
        page.sample(&name, &labels, value);
    }
    if rest.take(" st@") {
        page.starts.insert((name.clone(), labels.clone()), rest.number(&[' ']));
    }
    while rest.take(" ") {
        let exemplar = rest.exemplar();
        let key = match bounds.iter().find(|bound| exemplar.value <= **bound) {
            Some(upper) => (format!("{name}_bucket"), with(&labels, "le", bound(*upper))),
            None => (name.clone(), labels.clone()),
        };
        page.exemplars.insert(key, exemplar);
    }
    assert_eq!(rest.0, "", "{line}");
}

/// Fields in the order the format wants; returns the bounds of buckets.
fn composite(
    rest: &mut Rest<'_>,
    name: &str,
    labels: &BTreeMap<String, String>,
    page: &mut Page,
) -> Vec<f64> {
    rest.expect("count:");
    page.sample(&format!("{name}_count"), labels, rest.number(&[',']));
    rest.expect(",sum:");
    page.sample(&format!("{name}_sum"), labels, rest.number(&[',']));
    let mut bounds = Vec::new();
    if rest.take(",quantile:[") {
        for (q, value) in pairs(rest) {
            page.sample(name, &with(labels, "quantile", bound(number(&q))), number(&value));
        }
    } else if rest.take(",bucket:[") {
        for (upper, count) in pairs(rest) {
            let upper = number(&upper);
            let labels = with(labels, "le", bound(upper));
            page.sample(&format!("{name}_bucket"), &labels, number(&count));
            bounds.push(upper);
        }
        assert!(bounds.is_sorted_by(|a, b| a < b) && bounds.last() == Some(&f64::INFINITY));
    } else {
        let native = native(rest);
        page.natives.insert((name.to_owned(), labels.clone()), native);
    }
    rest.expect("}");
    bounds
}

/// `key:value,…]`
fn pairs(rest: &mut Rest<'_>) -> Vec<(String, String)> {
    let list = rest.until(&[']']).to_owned();
    rest.expect("]");
    let pair = |pair: &str| {
        let (key, value) = pair.split_once(':').unwrap();
        (key.to_owned(), value.to_owned())
    };
    list.split_terminator(',').map(pair).collect()
}

fn native(rest: &mut Rest<'_>) -> Native {
    rest.expect(",schema:");
    let schema = rest.until(&[',']).parse().unwrap();
    rest.expect(",zero_threshold:");
    let zero_threshold = rest.number(&[',']);
    rest.expect(",zero_count:");
    let zero_count = rest.until(&[',', '}']).parse().unwrap();
    let mut buckets = BTreeMap::new();
    if rest.take(",positive_spans:[") {
        let spans = pairs(rest);
        rest.expect(",positive_buckets:[");
        let list = rest.until(&[']']).to_owned();
        rest.expect("]");
        let mut counts = list.split(',').map(|count| count.parse::<u64>().unwrap());
        let mut number = 0i64;
        for (index, (offset, length)) in spans.into_iter().enumerate() {
            let offset: i64 = offset.parse().unwrap();
            assert!(index == 0 || offset > 0, "spans go on");
            number += offset;
            for _ in 0..length.parse::<u64>().unwrap() {
                buckets.insert(number, counts.next().unwrap());
                number += 1;
            }
        }
        assert_eq!(counts.next(), None, "a count of no bucket");
    }
    Native { schema, zero_threshold, zero_count, buckets }
}
