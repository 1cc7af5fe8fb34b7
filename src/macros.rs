//! The macros: a static and a function call, nothing more.

/// The counter of a name and labels, ready to use: [`Counter`](crate::Counter).
///
/// Takes all that the facade's `counter!` takes, so that moving over is changing a `use` line:
///
/// - `counter!("name")`, `counter!("name", "label" => "value")` with literals: resolved once per
///   call site; from then on about as cheap as adding to a local variable.
/// - runtime names, labels and values: anything that is `AsRef<str>`, so also a `&str` that is
///   not `'static`. Found in a per-thread table, without a lock or an allocation.
/// - `counter!("name", &labels)` with a collection of labels (`metrics::IntoLabels`): allocates.
/// - named parameters first, in any order: `description:` and `unit:` describe the metric,
///   `target:` and `level:` are accepted for the facade's sake and have no effect.
///
/// ```
/// # #![no_implicit_prelude]
/// # fn main() {
/// use ::nissa::counter;
///
/// counter!("requests_total").increment(1);
/// counter!("requests_total", "method" => "GET").increment(1);
///
/// let user = ::std::format!("user-{}", 7);
/// counter!("logins_total", "user" => user).increment(1);
///
/// let labels = [("method", "PUT"), ("code", "201")];
/// counter!("requests_total", &labels).increment(1);
///
/// let total = ::nissa::Registry::global().snapshot().value("requests_total");
/// ::std::assert_eq!(total, ::std::option::Option::Some(3.0));
/// # }
/// ```
#[macro_export]
macro_rules! counter {
    ($($input:tt)*) => {
        $crate::__metric!(counter, describe_counter, none, none; $($input)*)
    };
}

/// The gauge of a name and labels: [`Gauge`](crate::Gauge). Takes what [`counter!`] takes.
///
/// ```
/// use nissa::gauge;
///
/// gauge!("temperature_celsius", "sensor" => "cpu").set(52.5);
/// let snapshot = nissa::Registry::global().snapshot();
/// assert_eq!(snapshot.value("temperature_celsius"), Some(52.5));
/// ```
#[macro_export]
macro_rules! gauge {
    ($($input:tt)*) => {
        $crate::__metric!(gauge, describe_gauge, none, none; $($input)*)
    };
}

/// The histogram of a name and labels: [`Histogram`](crate::Histogram). Takes what [`counter!`]
/// takes.
///
/// ```
/// use nissa::histogram;
///
/// histogram!("step_duration_seconds").record(0.012);
/// let answer = histogram!("load_duration_seconds", "kind" => "csv").time(|| 42);
/// # assert_eq!(answer, 42);
/// let snapshot = nissa::Registry::global().snapshot();
/// assert_eq!(snapshot.distribution("step_duration_seconds").unwrap().count(), 1);
/// ```
#[macro_export]
macro_rules! histogram {
    ($($input:tt)*) => {
        $crate::__metric!(histogram, describe_histogram, none, none; $($input)*)
    };
}

/// Gives a counter its help text, and optionally its unit. The first description of a name wins,
/// whether it comes before or after the first use.
///
/// ```
/// use nissa::{Unit, counter, describe_counter};
///
/// describe_counter!("sent_bytes_total", Unit::Bytes, "Bytes sent to clients.");
/// counter!("sent_bytes_total").increment(512);
/// let text = nissa::expose::text(&nissa::Registry::global().snapshot());
/// assert!(text.contains("# HELP sent_bytes_total Bytes sent to clients.\n"));
/// ```
#[macro_export]
macro_rules! describe_counter {
    ($($input:tt)*) => { $crate::__describe!(describe_counter, $($input)*) };
}

/// Gives a gauge its help text, and optionally its unit; see [`describe_counter!`].
///
/// ```
/// nissa::describe_gauge!("queue_length", "Jobs that wait.");
/// nissa::gauge!("queue_length").set(2);
/// let snapshot = nissa::Registry::global().snapshot();
/// assert_eq!(snapshot.family("queue_length").unwrap().help(), Some("Jobs that wait."));
/// ```
#[macro_export]
macro_rules! describe_gauge {
    ($($input:tt)*) => { $crate::__describe!(describe_gauge, $($input)*) };
}

/// Gives a histogram its help text, and optionally its unit and, before its first use, its
/// buckets; see [`describe_counter!`].
///
/// ```
/// use nissa::{Buckets, Unit, describe_histogram, histogram};
///
/// let buckets = Buckets::explicit(&[0.001, 0.01, 0.1])?;
/// describe_histogram!("wait_seconds", Unit::Seconds, "Time spent waiting.", buckets);
/// histogram!("wait_seconds").record(0.02);
/// let snapshot = nissa::Registry::global().snapshot();
/// let family = snapshot.family("wait_seconds").unwrap();
/// assert_eq!(family.unit(), Some(Unit::Seconds));
/// assert_eq!(family.buckets().unwrap().bounds(), [0.001, 0.01, 0.1]);
/// # Ok::<(), nissa::Error>(())
/// ```
#[macro_export]
macro_rules! describe_histogram {
    ($name:expr, $unit:expr, $help:expr, $buckets:expr $(,)?) => {{
        $crate::__describe!(describe_histogram, $name, $unit, $help);
        $crate::__private::describe_buckets($crate::__private::text(&$name), $buckets)
    }};
    ($($input:tt)*) => { $crate::__describe!(describe_histogram, $($input)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __describe {
    ($kind:ident, $name:expr, $unit:expr, $help:expr $(,)?) => {
        $crate::__private::$kind(
            $crate::__private::text(&$name),
            $crate::__private::Some($unit),
            $crate::__private::text(&$help),
        )
    };
    ($kind:ident, $name:expr, $help:expr $(,)?) => {
        $crate::__private::$kind(
            $crate::__private::text(&$name),
            $crate::__private::None,
            $crate::__private::text(&$help),
        )
    };
}

/// Takes named parameters off the front, then builds the handle.
#[doc(hidden)]
#[macro_export]
macro_rules! __metric {
    // Accepted and checked, but what they would filter is decided by name and label here.
    ($kind:ident, $describe:ident, $help:tt, $unit:tt; target: $target:expr, $($rest:tt)*) => {{
        let _: &$crate::__private::str = $target;
        $crate::__metric!($kind, $describe, $help, $unit; $($rest)*)
    }};
    ($kind:ident, $describe:ident, $help:tt, $unit:tt; level: $level:expr, $($rest:tt)*) => {{
        let _: $crate::Level = $level;
        $crate::__metric!($kind, $describe, $help, $unit; $($rest)*)
    }};
    ($kind:ident, $describe:ident, $_:tt, $unit:tt; description: $help:expr, $($rest:tt)*) => {
        $crate::__metric!($kind, $describe, ($help), $unit; $($rest)*)
    };
    ($kind:ident, $describe:ident, $help:tt, $_:tt; unit: $unit:expr, $($rest:tt)*) => {
        $crate::__metric!($kind, $describe, $help, ($unit); $($rest)*)
    };

    ($kind:ident, $describe:ident, none, none; $($rest:tt)*) => {
        $crate::__handle!($kind; $($rest)*)
    };
    ($kind:ident, $describe:ident, ($help:expr), none; $name:expr $(, $($labels:tt)*)?) => {{
        $crate::__describe!($describe, $name, $help);
        $crate::__handle!($kind; $name $(, $($labels)*)?)
    }};
    ($kind:ident, $describe:ident, ($help:expr), ($unit:expr);
     $name:expr $(, $($labels:tt)*)?) => {{
        $crate::__describe!($describe, $name, $unit, $help);
        $crate::__handle!($kind; $name $(, $($labels)*)?)
    }};
    ($kind:ident, $describe:ident, none, ($unit:expr); $($rest:tt)*) => {
        $crate::__private::compile_error!("`unit:` needs a `description:` beside it")
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __handle {
    // Literal all through: resolved once, kept in the call site's static.
    ($kind:ident; $name:literal $(, $label:literal => $value:literal)* $(,)?) => {{
        static SITE: $crate::__private::Site =
            $crate::__private::Site::new($name, &[$(($label, $value)),*]);
        SITE.$kind()
    }};
    // Names are literal, values are not: the call site knows all but the values.
    ($kind:ident; $name:literal $(, $label:literal => $value:expr)+ $(,)?) => {
        // Evaluated before the static is in scope, which would hide a user's own `SITE`.
        match [$($crate::__private::text(&$value)),+] {
            values => {
                static SITE: $crate::__private::DynamicSite<{ $crate::__count!($($label)+) }> =
                    $crate::__private::DynamicSite::new($name, [$($label),+]);
                SITE.$kind(values)
            }
        }
    };
    ($kind:ident; $name:expr $(, $label:expr => $value:expr)* $(,)?) => {
        $crate::__private::$kind(
            $crate::__private::text(&$name),
            &mut [$((
                $crate::__private::text(&$label),
                $crate::__private::text(&$value),
            )),*],
        )
    };
    ($kind:ident; $name:expr, $labels:expr $(,)?) => {
        $crate::__private::$kind(
            $crate::__private::text(&$name),
            &mut $crate::__private::pairs(&$crate::__private::IntoLabels::into_labels($labels)),
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __count {
    () => { 0 };
    ($head:tt $($tail:tt)*) => { 1 + $crate::__count!($($tail)*) };
}
