//! Uses each macro in each form, and prints what was recorded.

#![forbid(unsafe_code)]
#![deny(warnings)]

use instr::{Level, Unit};

const LABEL: &str = "service";

fn main() {
    let value = String::from("runtime");

    instr::counter!("calls").increment(1);
    instr::counter!("calls", "k" => "literal").increment(2);
    instr::counter!("calls", "k" => value).increment(3);
    instr::counter!("calls", LABEL => "http").increment(4);
    instr::counter!(format!("{value}_total")).increment(5);
    instr::counter!("calls", &[("k", "slice")]).increment(6);
    instr::gauge!(target: "t", level: Level::INFO, "level").set(7);
    instr::gauge!(description: "Level.", unit: Unit::Count, "level", "k" => value).set(8);
    instr::histogram!("seconds").record(9);
    instr::describe_counter!("calls", Unit::Count, "Calls.");
    instr::describe_gauge!("level", Unit::Count, "Level.");
    instr::describe_histogram!("seconds", "Seconds.");

    let text = instr::expose::text(&instr::Registry::global().snapshot());
    let own = |line: &&str| line.contains("nissa_") || line.starts_with("seconds_bucket");
    text.lines().filter(|line| !own(line)).for_each(|line| println!("{line}"));
}
