"""Judges a scrape with the official Python parsers.

usage: judge.py EXPECTED.json [SCRAPE.txt] [--ignore PREFIX] [--openmetrics]

EXPECTED.json is a list of
    {"name": "x_total", "labels": {"a": "b"}, "value": 3}             a sample
    {"family": "x_total", "type": "counter", "help": "What it is."}   what TYPE and HELP say
    {"exemplar": "x_total", "labels": {"a": "b"}, "value": 1, "of": {"trace_id": "7"}}
with names as the scrape prints them. A value is a number or "NaN", "+Inf", "-Inf";
"relative": 0.01 beside it allows that relative error. The scrape comes from standard
input when no file is given. Families whose name starts with PREFIX are not compared,
only parsed. Prints one line for each difference and exits 1 if there is any.
"""

import argparse
import json
import math
import re
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families


def main():
    options = argparse.ArgumentParser(description="compares a scrape with the samples it should hold")
    options.add_argument("expected")
    options.add_argument("scrape", nargs="?", default="-")
    options.add_argument("--ignore", action="append", default=[], metavar="PREFIX")
    options.add_argument("--openmetrics", action="store_true", help="the scrape is OpenMetrics 1.0")
    options = options.parse_args()

    # newline="" keeps a carriage return inside a label value as it is.
    source = sys.stdin.fileno() if options.scrape == "-" else options.scrape
    with open(source, encoding="utf-8", newline="") as file:
        text = file.read()
    with open(options.expected, encoding="utf-8") as file:
        expected = json.load(file)

    families = openmetrics_families if options.openmetrics else declared_families
    differences = compare(lambda: families(text), expected, tuple(options.ignore))
    for difference in differences:
        print(difference)
    sys.exit(1 if differences else 0)


def compare(parse, expected, ignored):
    try:
        families = list(parse())
    except (ValueError, IndexError, KeyError) as error:
        return [f"does not parse: {error!r}"]
    differences = structure(families)
    families = [family for family in families if not family[0].startswith(ignored)]
    differences += compare_samples(families, [e for e in expected if "name" in e])
    differences += compare_exemplars(families, [e for e in expected if "exemplar" in e])
    differences += compare_families(families, [e for e in expected if "family" in e])
    return differences


def openmetrics_families(text):
    """Yields (name as the text format would print it, parsed family)."""
    for family in openmetrics(text):
        if family.type == "unknown":
            family.type = "said to be unknown"
        yield family.name + ("_total" if family.type == "counter" else ""), family


def declared_families(text):
    """Yields (name as printed, parsed family).

    The parser gives every counter the name OpenMetrics would (`x` for `x_total`, and samples
    `x_total` for a counter that is called `x`); the TYPE lines say what was really printed.
    """
    counters = iter(re.findall(r"^# TYPE (\S+) counter$", text, re.MULTILINE))
    for family in text_string_to_metric_families(text):
        name = family.name
        if family.type == "counter":
            name = next(counters, name)
            if not name.endswith("_total"):
                suffix = len("_total")
                family.samples = [s._replace(name=s.name[:-suffix]) for s in family.samples]
        yield name, family


def structure(families):
    """What the parser, laxer than Prometheus's own, lets pass: families and series said twice,
    samples outside their family, a histogram that disagrees with itself."""
    differences, names, series = [], set(), set()
    for name, family in families:
        if name in names:
            differences.append(f"family twice: {name}")
        names.add(name)
        if family.type in ("untyped", "unknown"):
            differences.append(f"samples without TYPE: {name}")
        for sample in family.samples:
            key = sample_key(sample.name, sample.labels)
            if key in series:
                differences.append(f"series twice: {show(key)}")
            series.add(key)
        if family.type == "histogram":
            differences += histogram_structure(family)
    return differences


def histogram_structure(family):
    """Buckets of one series rise, end in +Inf, and that one equals the count."""
    differences, buckets, counts = [], {}, {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[labels] = sample.value
    for labels, row in buckets.items():
        where = f"{family.name}{dict(labels)}"
        if row != sorted(row) or any(a[1] > b[1] for a, b in zip(row, row[1:])):
            differences.append(f"buckets out of order: {where}")
        if row[-1] != (math.inf, counts.get(labels)):
            differences.append(f"last bucket {row[-1]} but count {counts.get(labels)}: {where}")
    return differences


def compare_samples(families, expected):
    got = {sample_key(s.name, s.labels): s.value for _, family in families for s in family.samples}
    differences, wanted = [], set()
    for entry in expected:
        key = sample_key(entry["name"], entry.get("labels", {}))
        if key in wanted:
            differences.append(f"expected twice: {show(key)}")
        wanted.add(key)
        value = number(entry["value"])
        if key not in got:
            differences.append(f"missing: {show(key)} {value}")
        elif not same(got[key], value, entry.get("relative", 0.0)):
            differences.append(f"different: {show(key)} is {got[key]!r}, expected {value!r}")
    differences += [f"extra: {show(key)} {value}" for key, value in got.items() if key not in wanted]
    return differences


def compare_exemplars(families, expected):
    got = {}
    for _, family in families:
        for sample in family.samples:
            if sample.exemplar:
                found = (sample.exemplar.labels, sample.exemplar.value)
                got[sample_key(sample.name, sample.labels)] = found
                if not sample.exemplar.timestamp:
                    return [f"no time in the exemplar of {sample.name}"]
    wanted = {sample_key(e["exemplar"], e["labels"]): (e["of"], number(e["value"])) for e in expected}
    return [] if got == wanted else [f"exemplars are {got}, expected {wanted}"]


def compare_families(families, expected):
    got = {name: family for name, family in families}
    differences = []
    for entry in expected:
        family = got.get(entry["family"])
        if family is None:
            differences.append(f"missing family: {entry['family']}")
            continue
        if "type" in entry and family.type != entry["type"]:
            differences.append(f"type of {entry['family']} is {family.type}, expected {entry['type']}")
        # The parser strips each line, and only then reads \n as a line break.
        if "help" in entry and family.documentation != strip_line(entry["help"]):
            differences.append(
                f"help of {entry['family']} is {family.documentation!r}, expected {entry['help']!r}"
            )
    return differences


def strip_line(text):
    return re.sub(r"\A[^\S\n]+|[^\S\n]+\Z", "", text)


def sample_key(name, labels):
    """`le` and `quantile` are numbers: 1 and 1.0 are one bound."""
    numeric = ("le", "quantile")
    return name, tuple(sorted((k, float(v) if k in numeric else v) for k, v in labels.items()))


def number(value):
    return float(value) if isinstance(value, str) else value


def same(got, expected, relative):
    if math.isnan(expected) or math.isnan(got):
        return math.isnan(expected) and math.isnan(got)
    # Exact for integers above 2^53 too: neither side has become a float.
    return got == expected or (relative > 0 and math.isclose(got, expected, rel_tol=relative))


def show(key):
    name, labels = key
    inside = ",".join(f"{k}={v!r}" for k, v in labels)
    return f"{name}{{{inside if len(inside) < 200 else inside[:200] + '…'}}}"


if __name__ == "__main__":
    main()
