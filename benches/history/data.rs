//! The series that are stored, and where they come from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

pub struct Set {
    pub name: &'static str,
    pub series: Vec<Series>,
    /// From one sample to the next, in seconds.
    pub step: u64,
}

pub struct Series {
    pub name: String,
    pub is_counter: bool,
    pub values: Vec<f64>,
}

impl Set {
    pub fn samples(&self) -> usize {
        self.series.iter().map(|series| series.values.len()).sum()
    }

    /// Every tenth sample.
    fn thinned(&self, name: &'static str) -> Self {
        let thin = |series: &Series| Series {
            name: series.name.clone(),
            is_counter: series.is_counter,
            values: series.values.iter().copied().step_by(10).collect(),
        };
        Self { name, series: self.series.iter().map(thin).collect(), step: self.step * 10 }
    }
}

pub fn all() -> Vec<Set> {
    let host = packed("host_1s", include_bytes!("../data/host.tsv.gz"));
    let training = packed("training", include_bytes!("../data/training.tsv.gz"));
    let thinned = host.thinned("host_10s");
    let mut sets = vec![host, thinned, training];
    match nab() {
        Some(nab) => sets.push(nab),
        None => println!("NAB's files are left out: NAB_DATA does not name their folder"),
    }
    sets
}

fn packed(name: &'static str, gzip: &[u8]) -> Set {
    let mut text = String::new();
    flate2::read::GzDecoder::new(gzip).read_to_string(&mut text).expect("embedded file");
    Set { name, series: text.lines().map(line).collect(), step: 1 }
}

fn line(line: &str) -> Series {
    let mut columns = line.split('\t');
    let mut column = || columns.next().expect("embedded column");
    let (is_counter, name) = (column() == "counter", column().to_owned());
    let scale: f64 = column().parse().expect("embedded scale");
    let words = column().split(',');
    let values = if scale == 0.0 {
        words.map(|word| word.parse().expect("embedded number")).collect()
    } else {
        let differences = words.map(|word| word.parse::<i64>().expect("embedded number"));
        let sum = |sum: &mut i64, difference| {
            *sum += difference;
            Some(*sum as f64 / scale)
        };
        differences.scan(0, sum).collect()
    };
    Series { name, is_counter, values }
}

/// All files of NAB, a series each.
fn nab() -> Option<Set> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/nab/data");
    let folder = env::var_os("NAB_DATA").map_or(beside, PathBuf::from);
    let mut files: Vec<PathBuf> = Vec::new();
    for group in fs::read_dir(folder).ok()?.flatten().filter(|group| group.path().is_dir()) {
        files.extend(fs::read_dir(group.path()).ok()?.flatten().map(|file| file.path()));
    }
    files.sort();
    let series = files.iter().filter_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        let values = text.lines().skip(1).filter_map(|line| line.split(',').nth(1)?.parse().ok());
        let name = path.file_stem()?.to_string_lossy().replace('-', "_");
        Some(Series { name, is_counter: false, values: values.collect() })
    });
    let series: Vec<Series> = series.collect();
    (!series.is_empty()).then_some(Set { name: "nab", series, step: 300 })
}
