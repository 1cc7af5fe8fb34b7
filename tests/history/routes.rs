//! The history over HTTP: what is asked for comes as JSON, and what is wrong is named.

use std::time::Duration;

use nissa::history::History;
use nissa::monitor::{Context, Stage};
use nissa::route::{Request, Response};
use nissa::{Error, ManualClock, Registry};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::{Arc, Mutex};

const SECOND: Duration = Duration::from_secs(1);

/// Takes the routes away, as a server would.
struct Routes(Arc<Mutex<Option<Context>>>);

impl Stage for Routes {
    fn name(&self) -> &'static str {
        "routes"
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(context.clone());
        Ok(())
    }
}

struct Site(Context);

impl Site {
    /// Ten seconds of a program, of which the last was at 1,000,010 s.
    fn new() -> Self {
        let (registry, clock, routes) = (Registry::new(), ManualClock::new(), Arc::default());
        clock.set_unix(SECOND * 1_000_000);
        let builder = nissa::builder().registry(registry.clone()).clock(clock.clone());
        let history = History::new();
        let builder = builder.history(history).stage(Routes(Arc::clone(&routes)));
        let monitor = builder.build().unwrap();
        registry.describe_gauge("loss", None, "How wrong it is.");
        for second in 1..=10u32 {
            clock.advance(SECOND);
            registry.counter("steps_total", &[("run", "a\"b<script>")]).increment(5);
            registry.gauge("loss", &[]).set(1.0 / f64::from(second));
            registry.gauge("nan", &[]).set(f64::NAN);
            registry.histogram("latency_seconds", &[]).record(f64::from(second) / 100.0);
            monitor.tick();
        }
        Self(routes.lock().unwrap().take().unwrap())
    }

    fn get(&self, path: &str, query: &str) -> Response {
        let route = self.0.routes().iter().find(|route| route.path() == path).unwrap();
        route.handle(&Request::new(path, query))
    }

    fn json(&self, path: &str, query: &str) -> Value {
        let response = self.get(path, query);
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert_eq!(response.status(), 200, "{path}?{query}: {body}");
        assert_eq!(response.content_type(), "application/json");
        serde_json::from_str(&body).unwrap()
    }

    fn refusal(&self, path: &str, query: &str) -> String {
        let response = self.get(path, query);
        assert_eq!(response.status(), 400, "{path}?{query}");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        body["error"].as_str().unwrap().to_owned()
    }
}

#[test]
fn answers_are_columns_of_numbers() {
    let site = Site::new();
    let samples = site.json("/api/samples", "match=loss&from=1000007&to=1000009");
    assert_eq!(samples["now"], 1_000_010.0);
    assert_eq!(samples["series"][0]["time"], serde_json::json!([1_000_008.0, 1_000_009.0]));
    assert_eq!(samples["series"][0]["value"], serde_json::json!([0.125, 1.0 / 9.0]));

    let range = site.json("/api/range", "match=loss&from=-10&step=5");
    let series = &range["series"][0];
    assert_eq!((&series["name"], &series["kind"]), (&"loss".into(), &"gauge".into()));
    assert_eq!(series["max"], serde_json::json!([1.0, 1.0 / 6.0]));
    assert_eq!(series["count"], serde_json::json!([5, 5]));

    let rate = site.json("/api/rate", "match=steps_total&from=-5&step=5");
    assert_eq!(rate["series"][0]["value"], serde_json::json!([5.0]));
    assert_eq!(rate["series"][0]["labels"]["run"], "a\"b<script>");
    let grown = site.json("/api/increase", "match=steps_total&from=-5&step=5");
    assert_eq!(grown["series"][0]["value"], serde_json::json!([25.0]));

    let quantile = site.json("/api/quantile", "match=latency_seconds&q=0.5&from=-5&step=5");
    assert_eq!(quantile["series"][0]["value"].as_array().unwrap().len(), 1);
    let heat = site.json("/api/heatmap", "match=latency_seconds&from=-5&step=5");
    assert_eq!(heat["series"][0]["buckets"], serde_json::json!([[[0.1, 5]]]));

    let latest = site.json("/api/latest", "match=nan");
    assert!(latest["series"][0]["value"][0].is_null(), "JSON has no NaN");
    let series = site.json("/api/series", "match=loss");
    assert_eq!(series["series"][0]["help"], "How wrong it is.");
    assert_eq!(series["series"][0]["first"], 1_000_001.0);
    let all = site.json("/api/series", "limit=2");
    assert_eq!(all["series"].as_array().unwrap().len(), 2);
    assert!(all["left_out"].as_u64().unwrap() >= 2);
    let capacity = site.json("/api/capacity", "");
    assert_eq!(capacity["tiers"][0]["tier"], "tick");
    assert_eq!(capacity["budget_bytes"], 64 << 20);
}

#[test]
fn refusals_name_what_is_wrong() {
    let site = Site::new();
    for (path, query, reason) in [
        ("/api/range", "match=%7Ba%3D1%7D", "selector: at byte 3: a quoted value is missing"),
        ("/api/range", "step=0", "step: at least a millisecond"),
        ("/api/range", "step=fast", "step: a number of seconds"),
        ("/api/range", "from=5&to=1", "to: it is before from"),
        ("/api/range", "from=yesterday", "from: seconds since the epoch"),
        ("/api/range", "from=1&from=2", "from: it is given twice"),
        ("/api/range", "window=5", "window: there is no such parameter"),
        ("/api/range", "from=0&step=0.001", "step: that makes more than 11,000 steps"),
        ("/api/samples", "points=1", "points: a number from 2 to 22000"),
        ("/api/latest", "limit=100000", "limit: a number from 1 to 1000"),
        ("/api/quantile", "", "q: it is missing"),
        ("/api/quantile", "q=2", "q: from 0 to 1"),
        ("/api/quantile", "q=NaN", "q: from 0 to 1"),
        ("/api/quantile", "q=x", "q: from 0 to 1"),
    ] {
        let refusal = site.refusal(path, query);
        assert!(refusal.starts_with(reason), "{path}?{query}: {refusal}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_request_is_answered_or_refused(
        path in prop::sample::select(vec!["samples", "range", "rate", "quantile", "heatmap", "latest"]),
        from in any::<f64>(),
        to in any::<f64>(),
        step in any::<f64>(),
        text in "[a-z{}=~\"0-9%&.-]{0,20}",
    ) {
        let site = Site::new();
        let path = format!("/api/{path}");
        for query in [
            format!("from={from}&to={to}&step={step}"),
            format!("from={from}&to={to}&points=7"),
            format!("match={text}"),
            text.clone(),
        ] {
            let status = site.get(&path, &query).status();
            prop_assert!(status == 200 || status == 400, "{path}?{query}: {status}");
        }
    }
}
