//! The live page: a program's metrics, plotted in the browser, two lines after adding the crate.
//!
//! The page's files are part of the program, and all it shows comes from this endpoint: values as
//! they change ([`live`]), and what was before from [`history`](crate::history).

mod assets;
#[cfg(feature = "detect")]
mod detected;
#[cfg(not(feature = "detect"))]
#[path = "undetected.rs"]
mod detected;
mod live;

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::history::History;
use crate::monitor::{Builder, Context, Stage, Tick, Wants};
use crate::route::{Feed, Response, Route};
use crate::snapshot::Snapshot;
use crate::sync::Mutex;
use live::Live;

impl Builder {
    /// Shows the live page at `/`, wherever the endpoint serves. It needs a history, and adds one
    /// with the usual settings unless [`history`](Builder::history) was called before. With feature
    /// `detect` it lists what inline watches find, too.
    ///
    /// While nobody has the page open it costs nothing but the history.
    ///
    /// ```
    /// let registry = nissa::Registry::new(); // or none, for the global one
    /// let builder = nissa::builder().registry(registry).serve("127.0.0.1:0").dashboard();
    /// let guard = builder.start()?;
    /// let page = format!("http://{}/", guard.addresses()[0]);
    /// # assert!(page.starts_with("http://127.0.0.1:"));
    /// # Ok::<(), nissa::Error>(())
    /// ```
    pub fn dashboard(self) -> Self {
        let has_history = self.has_stage("history");
        let builder = if has_history { self } else { self.history(History::new()) };
        detected::listed(builder).stage(Dashboard::default())
    }
}

#[derive(Default)]
struct Dashboard {
    feed: Feed,
    live: Arc<Mutex<Live>>,
}

impl Stage for Dashboard {
    fn name(&self) -> &'static str {
        "dashboard"
    }

    fn wants(&self) -> Wants {
        Wants::Snapshots
    }

    fn routes(&self) -> Vec<Route> {
        let feed = self.feed.clone();
        let answer = |path, of: fn(&mut Live) -> Arc<str>| {
            let live = Arc::clone(&self.live);
            Route::get(path, move |_| {
                let text = of(&mut live.lock());
                Response::json(200, text.as_bytes())
            })
        };
        let mut routes: Vec<Route> = assets::routes().collect();
        routes.push(Route::get("/api/live", move |_| Response::events(&feed)).quick());
        routes.push(answer("/api/live/series", Live::series));
        routes.push(answer("/api/live/tick", Live::tick));
        routes
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        let mut live = self.live.lock();
        live.source = Some((context.registry().clone(), context.clock().clone()));
        live.interval = context.interval();
        Ok(())
    }

    fn after(&mut self, snapshot: &Snapshot, tick: Tick) {
        let mut live = self.live.lock();
        if live.after(snapshot, tick.unix, self.feed.readers()) {
            let event = live.event();
            drop(live);
            self.feed.publish(event);
        }
    }

    fn stop(&mut self, _: Duration) {
        self.feed.close();
    }
}
