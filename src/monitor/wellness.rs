//! Health, kept up to date at every tick.

use super::{Context, Stage, Tick, Wants};
use crate::error::Error;
use crate::health::Publisher;
use crate::registry::Registry;

/// Runs the health checks that are due and shows what came of them as metrics. Every monitor has
/// one, for components may be named at any time.
#[derive(Default)]
pub(super) struct Wellness(Option<Publisher>);

impl Stage for Wellness {
    fn name(&self) -> &'static str {
        "health"
    }

    fn wants(&self) -> Wants {
        Wants::Ticks
    }

    fn start(&mut self, context: &Context) -> Result<(), Error> {
        self.0 = Some(Publisher::new(context.health().clone(), context.registry().clone()));
        Ok(())
    }

    fn before(&mut self, _: &Registry, _: Tick) {
        if let Some(publisher) = &mut self.0 {
            publisher.tick();
        }
    }
}
