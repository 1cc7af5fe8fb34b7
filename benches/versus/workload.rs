//! The labels and values every system is fed with.

use std::sync::LazyLock;

/// Prometheus's default bounds, in seconds.
pub const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// [`BOUNDS`] in microseconds, for the peer that records integers only.
pub const BOUNDS_MICROS: [u64; 11] = [
    5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000,
];

/// Values of the runtime label.
pub const USERS: usize = 1_000;

/// Series a family keeps in the `counter_refused` case: the default of both who have one.
pub const CAP: usize = 2_000;

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// 1,024 durations between 0.1 ms and 20 s, log-uniform: every bucket is hit, no order to learn.
pub fn durations() -> &'static [f64; 1024] {
    static DURATIONS: LazyLock<[f64; 1024]> = LazyLock::new(|| {
        let mut random = Random(7);
        let (low, high) = (1e-4_f64.ln(), 20_f64.ln());
        std::array::from_fn(|_| (low + (high - low) * random.unit()).exp())
    });
    &DURATIONS
}

/// [`durations`] in microseconds.
pub fn micros() -> &'static [u64; 1024] {
    static MICROS: LazyLock<[u64; 1024]> =
        LazyLock::new(|| durations().map(|seconds| (seconds * 1e6) as u64));
    &MICROS
}

/// The users in a fixed pseudo-random order of 1,024 visits (a power of two, so that picking the
/// next visit costs no division).
pub fn visits() -> &'static [String; 1024] {
    static VISITS: LazyLock<[String; 1024]> = LazyLock::new(|| {
        let mut order: Vec<usize> = (0..1024).map(|i| i % USERS).collect();
        let mut random = Random(11);
        for last in (1..order.len()).rev() {
            order.swap(last, (random.unit() * (last + 1) as f64) as usize);
        }
        std::array::from_fn(|i| format!("user-{:06}", order[i] * 7919))
    });
    &VISITS
}

/// Calls `each` with the method and path of series `0..count`.
pub fn for_each_series(range: std::ops::Range<usize>, mut each: impl FnMut(&'static str, &str)) {
    use std::fmt::Write as _;
    let mut path = String::with_capacity(64);
    for i in range {
        path.clear();
        write!(path, "/api/v1/resource/{i}").expect("writing to a String");
        each(METHODS[i % METHODS.len()], &path);
    }
}

/// Expands to `$site!("00"); .. $site!("63");`: 64 call sites that differ in one literal.
macro_rules! sixty_four_sites {
    ($site:ident) => {
        $crate::workload::sixty_four_sites!(@ $site
            "00" "01" "02" "03" "04" "05" "06" "07" "08" "09" "10" "11" "12" "13" "14" "15"
            "16" "17" "18" "19" "20" "21" "22" "23" "24" "25" "26" "27" "28" "29" "30" "31"
            "32" "33" "34" "35" "36" "37" "38" "39" "40" "41" "42" "43" "44" "45" "46" "47"
            "48" "49" "50" "51" "52" "53" "54" "55" "56" "57" "58" "59" "60" "61" "62" "63"
        )
    };
    (@ $site:ident $($name:literal)*) => {{ $($site!($name);)* }};
}
pub(crate) use sixty_four_sites;

/// xorshift64*: repeatable and enough for picking values.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
