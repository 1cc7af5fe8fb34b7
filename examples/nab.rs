//! Scores every series of a folder in the layout of the Numenta Anomaly Benchmark with the shipped
//! default detector, strictly causally: a row's score depends on it and the rows before it alone.
//!
//!     cargo run --release --features full --example nab -- ../shared/nab target/nab
//!     python3 ../shared/nab/nab_score.py target/nab --nab ../shared/nab
//!
//! Reads `PATH/data/<category>/<file>.csv` (or `PATH/<category>/<file>.csv`): a header, then rows
//! of a time and a value. Writes `OUT/<category>/nissa_<file>.csv` with a column `anomaly_score`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs, process};

use nissa::detect::{Changepoint, Detector, Ensemble, Forecast, Forest, Peaks, Robust, ZScore};

type Make = fn() -> Box<dyn Detector>;

const DETECTORS: &[(&str, Make)] = &[
    ("ensemble", || Box::new(Ensemble::default())),
    ("zscore", || Box::new(ZScore::default())),
    ("zscore_windowed", || Box::new(ZScore::windowed(1000))),
    ("zscore_differences", || Box::new(ZScore::default().differences())),
    ("mad", || Box::new(Robust::mad(1000))),
    ("iqr", || Box::new(Robust::iqr(1000))),
    ("forest", || Box::new(Forest::default())),
    ("forecast", || Box::new(Forecast::default())),
    ("changepoint", || Box::new(Changepoint::default())),
    ("peaks", || Box::new(Peaks::default())),
];

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (path, out, name) = match words[..] {
        [path, out] => (path, out, "ensemble"),
        [path, out, "--detector", name] | ["--detector", name, path, out] => (path, out, name),
        _ => return usage("two folders are wanted"),
    };
    let Some((_, make)) = DETECTORS.iter().find(|(known, _)| *known == name) else {
        return usage(&format!("no detector is called {name:?}"));
    };
    if let Err(error) = score_all(Path::new(path), Path::new(out), *make) {
        eprintln!("error: {error}");
        process::exit(1);
    }
}

fn usage(problem: &str) {
    let names: Vec<&str> = DETECTORS.iter().map(|(name, _)| *name).collect();
    eprintln!("error: {problem}\nusage: nab PATH OUT [--detector {}]", names.join("|"));
    process::exit(2);
}

fn score_all(
    path: &Path,
    out: &Path,
    make: fn() -> Box<dyn Detector>,
) -> Result<(), Box<dyn Error>> {
    let data = path.join("data");
    let data = if data.is_dir() { data } else { path.to_owned() };
    let (mut files, mut rows) = (0, 0);
    for category in sorted(&data)?.into_iter().filter(|path| path.is_dir()) {
        for file in sorted(&category)? {
            if file.extension().is_none_or(|extension| extension != "csv") {
                continue;
            }
            let text = fs::read_to_string(&file)?;
            let scores = score(&text, make().as_mut());
            let folder = out.join(category.file_name().unwrap_or_default());
            fs::create_dir_all(&folder)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            rows += scores.lines().count() - 1;
            fs::write(folder.join(format!("nissa_{name}")), scores)?;
            files += 1;
        }
    }
    println!("{files} files, {rows} rows, scores in {}", out.display());
    Ok(())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

/// The rows with a score behind each. A value that cannot be read is a NaN to the detector, and a
/// time that cannot be read is a second after the one before.
fn score(text: &str, detector: &mut dyn Detector) -> String {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let column = |names: &[&str]| header.iter().position(|word| names.contains(word));
    let time = column(&["timestamp", "time"]).unwrap_or(0);
    let value = column(&["value"]).unwrap_or(1);
    let mut scores = String::from("timestamp,value,anomaly_score\n");
    let mut last = 0.0;
    for line in lines {
        let words: Vec<&str> = line.split(',').map(str::trim).collect();
        let at = words.get(time).copied().unwrap_or_default();
        let number = words.get(value).and_then(|word| word.parse().ok()).unwrap_or(f64::NAN);
        last = seconds(at).unwrap_or(last + 1.0);
        let since_epoch = Duration::try_from_secs_f64(last).unwrap_or_default();
        let score = detector.observe(number, since_epoch);
        let _ = writeln!(scores, "{at},{number},{:.6}", score.value);
    }
    scores
}

/// Seconds since the epoch of `2014-04-01 00:05:00`, with or without a `T`, a fraction and a zone
/// (which is ignored: a series has one), or of a plain number.
fn seconds(time: &str) -> Option<f64> {
    if let Ok(number) = time.parse() {
        return Some(number);
    }
    let field = |from, to| time.get(from..to).and_then(|word| word.parse::<i64>().ok());
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute) = (field(11, 13).unwrap_or(0), field(14, 16).unwrap_or(0));
    let second = field(17, 19).unwrap_or(0);
    let fraction = time.get(19..).filter(|rest| rest.starts_with('.')).map_or(0.0, |rest| {
        let digits =
            rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..=end]);
        format!("0{digits}").parse().unwrap_or(0.0)
    });
    // Days from the civil calendar, as Howard Hinnant's `days_from_civil` counts them.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second) as f64 + fraction)
}
