//! The history over HTTP: questions as parameters, answers as JSON. See `docs/HISTORY.md`.

use std::time::Duration;

use serde::Serialize;

use super::History;
use super::json::{Answer, Extent, Heat, Readings, Room, Windows};
use super::query::{Grid, Limit};
use super::selector::Selector;
use crate::error::Error;
use crate::route::{Request, Response, Route};

/// Series of an answer, unless the request says otherwise, and at most.
const SERIES: usize = 100;
const MOST_SERIES: usize = 1_000;
/// Points of an answer: some 10 MB of JSON.
const MOST_POINTS: usize = 250_000;
/// Steps of a range that names none.
const STEPS: u32 = 240;

type Answered = Result<Response, Error>;

pub(super) fn routes(history: &History) -> Vec<Route> {
    let route = |path, takes: &'static [&'static str], answer: fn(&History, &Asked) -> Answered| {
        let history = history.clone();
        Route::get(path, move |request| {
            let asked = match Asked::parse(request, takes, history.now()) {
                Ok(Ok(asked)) => asked,
                Ok(Err(error)) => return refuse(&error),
                Err(response) => return response,
            };
            let answered = answer(&history, &asked).unwrap_or_else(|error| refuse(&error));
            answered.header("cache-control", "no-store")
        })
    };
    const RANGE: &[&str] = &["match", "limit", "from", "to", "step"];
    vec![
        route("/api/capacity", &[], |history, _| {
            json(&Room::new(&history.capacity(), history.now()))
        }),
        route("/api/series", &["match", "limit"], series),
        route("/api/latest", &["match", "limit"], |history, asked| {
            json(&Answer::new(&history.latest_of(&asked.selector, asked.limit), Readings::new))
        }),
        route("/api/samples", &["match", "limit", "from", "to", "points"], |history, asked| {
            let (from, to) = (asked.from, asked.to);
            let lines = history.samples_of(&asked.selector, from, to, asked.points, asked.limit)?;
            json(&Answer::new(&lines, Readings::new))
        }),
        route("/api/range", RANGE, |history, asked| {
            json(&Answer::new(
                &history.range_of(&asked.selector, asked.grid()?, asked.limit),
                Windows::new,
            ))
        }),
        route("/api/rate", RANGE, |history, asked| {
            json(&Answer::new(
                &history.rate_of(&asked.selector, asked.grid()?, asked.limit),
                Readings::new,
            ))
        }),
        route("/api/increase", RANGE, |history, asked| {
            json(&Answer::new(
                &history.increase_of(&asked.selector, asked.grid()?, asked.limit),
                Readings::new,
            ))
        }),
        route("/api/quantile", &["match", "limit", "from", "to", "step", "q"], |history, asked| {
            let q = asked.q.ok_or_else(|| Error::setting("q: it is missing"))?;
            let lines = history.quantile_of(&asked.selector, q, asked.grid()?, asked.limit)?;
            json(&Answer::new(&lines, Readings::new))
        }),
        route("/api/heatmap", RANGE, |history, asked| {
            json(&Answer::new(
                &history.heatmap_of(&asked.selector, asked.grid()?, asked.limit),
                Heat::new,
            ))
        }),
    ]
}

fn series(history: &History, asked: &Asked) -> Answered {
    let lines = history.series_of(&asked.selector, asked.limit);
    let mut answer = Answer::new(&lines, Extent::new);
    for (series, line) in answer.series.iter_mut().zip(&lines.lines) {
        let (unit, help) = history.description(line);
        (series.columns.unit, series.columns.help) = (unit.map(|unit| unit.as_str()), help);
    }
    json(&answer)
}

fn json(answer: &impl Serialize) -> Answered {
    let body = serde_json::to_vec(answer);
    Ok(body.map_or_else(
        |error| Response::text(500, error.to_string()),
        |body| Response::json(200, body),
    ))
}

fn refuse(error: &Error) -> Response {
    #[derive(Serialize)]
    struct Refusal {
        error: String,
    }
    let error = error.to_string();
    let error = error.strip_prefix("bad setting: ").unwrap_or(&error).to_owned();
    let body = serde_json::to_vec(&Refusal { error }).unwrap_or_default();
    Response::json(400, body).header("cache-control", "no-store")
}

/// A request's parameters.
#[derive(Debug)]
struct Asked {
    selector: Selector,
    limit: Limit,
    from: Duration,
    to: Duration,
    step: Option<Duration>,
    points: usize,
    q: Option<f64>,
}

impl Asked {
    fn parse(
        request: &Request<'_>,
        takes: &[&str],
        now: Duration,
    ) -> Result<Result<Self, Error>, Response> {
        let parameters = request.parameters()?;
        Ok(Self::from_parameters(&parameters, takes, now))
    }

    fn from_parameters(
        parameters: &[(String, String)],
        takes: &[&str],
        now: Duration,
    ) -> Result<Self, Error> {
        for (index, (name, _)) in parameters.iter().enumerate() {
            let twice = parameters.iter().take(index).any(|(before, _)| before == name);
            if twice || !takes.contains(&name.as_str()) {
                let name: String = name.chars().take(40).collect();
                let what = if twice { "it is given twice" } else { "there is no such parameter" };
                return Err(Error::setting(format!("{name}: {what}")));
            }
        }
        let text =
            |name| parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let to = text("to").map_or(Ok(now), |text| moment("to", text, now))?;
        let hour = Duration::from_secs(3600);
        let from =
            text("from").map_or(Ok(to.saturating_sub(hour)), |text| moment("from", text, now))?;
        let series = number("limit", text("limit"), SERIES, 1, MOST_SERIES)?;
        let q = text("q").map(|text| text.parse().map_err(|_| Error::setting("q: from 0 to 1")));
        Ok(Self {
            selector: text("match").map_or(Ok(Selector::all()), str::parse)?,
            limit: Limit { series, points: MOST_POINTS },
            from,
            to,
            step: text("step").map(length).transpose()?,
            points: number("points", text("points"), 1_000, 2, 22_000)?,
            q: q.transpose()?,
        })
    }

    fn grid(&self) -> Result<Grid, Error> {
        let whole = self.to.saturating_sub(self.from) / STEPS;
        // A step that divides time evenly, so that windows stay where they are from poll to poll.
        let usual = Duration::from_secs(whole.as_secs().max(1));
        Grid::new(self.from, self.to, self.step.unwrap_or(usual))
    }
}

fn number(
    name: &str,
    text: Option<&str>,
    usual: usize,
    least: usize,
    most: usize,
) -> Result<usize, Error> {
    let Some(text) = text else { return Ok(usual) };
    let valid = text.parse().ok().filter(|number| (least..=most).contains(number));
    valid.ok_or_else(|| Error::setting(format!("{name}: a number from {least} to {most}")))
}

/// Seconds since the Unix epoch, or a negative number of seconds before now.
fn moment(name: &str, text: &str, now: Duration) -> Result<Duration, Error> {
    let wrong =
        || Error::setting(format!("{name}: seconds since the epoch, or -seconds before now"));
    let seconds: f64 = text.parse().map_err(|_| wrong())?;
    let length = Duration::try_from_secs_f64(seconds.abs()).map_err(|_| wrong())?;
    Ok(if seconds < 0.0 { now.saturating_sub(length) } else { length })
}

fn length(text: &str) -> Result<Duration, Error> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| Error::setting("step: a number of seconds"))
}
