//! What stands in for TLS where the feature is off: nothing that could exist.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::meters::Meters;
use super::transport::Transport;
use crate::error::Error;

/// Without the feature there are no such settings.
#[derive(Debug)]
pub(super) enum Tls {}

/// Nor anybody who would accept.
#[derive(Debug)]
pub(super) enum Acceptor {}

impl Tls {
    pub(super) fn acceptor(self, _meters: Arc<Meters>) -> Result<Acceptor, Error> {
        match self {}
    }
}

impl Acceptor {
    pub(super) async fn accept(
        &self,
        _transport: Box<dyn Transport>,
    ) -> std::io::Result<Box<dyn Transport>> {
        match *self {}
    }

    pub(super) fn look(&self) -> Duration {
        match *self {}
    }

    pub(super) fn stop(&self, _deadline: Instant) -> bool {
        match *self {}
    }

    pub(super) fn renew(&self) {
        match *self {}
    }
}
