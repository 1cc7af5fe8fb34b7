//! The live page in a real Chromium (`scripts/setup.sh` installs it), over programs whose every
//! tick the script asks for. Pictures of it are under `target/page` afterwards.
#![cfg(all(feature = "dashboard", feature = "detect", feature = "test-util"))]

#[path = "page_browser/driver.rs"]
mod driver;
#[path = "page_browser/program.rs"]
mod program;

use program::Program;

#[test]
fn a_training_run_moves_and_its_anomalies_are_marked() {
    let mut program = Program::training();
    driver::run("training.mjs", program.address(), |words| program.does(words));
}

#[test]
fn a_service_is_searched_filtered_compared_and_exported() {
    let mut program = Program::service();
    driver::run("service.mjs", program.address(), |words| program.does(words));
}

#[test]
fn five_thousand_series_stay_usable() {
    let mut program = Program::crowd(5_000);
    driver::run("crowd.mjs", program.address(), |words| program.does(words));
}

#[test]
fn hostile_names_and_values_are_shown_and_do_nothing() {
    let mut program = Program::hostile();
    driver::run("hostile.mjs", program.address(), |words| program.does(words));
}

#[test]
fn a_page_survives_a_restart_and_networks_that_hold_streams_back() {
    let mut program = Program::service();
    driver::run("breaks.mjs", program.address(), |words| program.does(words));
}
