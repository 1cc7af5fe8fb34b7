//! Settings of the machine's and the process's figures.

use std::path::PathBuf;

use serde::Deserialize;

use super::key::Key;
use super::value::{List, Span};
use super::{set, wrong};
use crate::collect::Host;
use crate::error::Error;
use crate::monitor::Builder;

pub(super) const ABSENT: Option<(&str, &str)> = None;

pub(super) const KEYS: &[Key] = &[
    Key::new("host.enabled", SWITCH, "false"),
    Key::new("host.interval", "a duration", "1s"),
    Key::new("host.per_core", SWITCH, "false"),
    Key::new("host.machine", SWITCH, "true"),
    Key::new("host.process", SWITCH, "true"),
    Key::new("host.container", SWITCH, "true"),
    Key::new("host.filesystems", "a list of paths", "[\"/\"] and the working directory"),
    Key::new("host.network_filesystems", SWITCH, "false"),
    Key::new("host.temperatures", SWITCH, "false"),
    Key::new("host.cpu_frequency", SWITCH, "false"),
    Key::new("host.cpu_modes", SWITCH, "false"),
    Key::new("host.threads", SWITCH, "false"),
    Key::new("host.process_tree", SWITCH, "false"),
    Key::new("host.portable", SWITCH, "false on Linux"),
    Key::new("host.root", "a path", "/"),
];

const SWITCH: &str = "true or false";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    enabled: Option<bool>,
    interval: Option<Span>,
    per_core: Option<bool>,
    machine: Option<bool>,
    process: Option<bool>,
    container: Option<bool>,
    filesystems: Option<List<String>>,
    network_filesystems: Option<bool>,
    temperatures: Option<bool>,
    cpu_frequency: Option<bool>,
    cpu_modes: Option<bool>,
    threads: Option<bool>,
    process_tree: Option<bool>,
    portable: Option<bool>,
    root: Option<PathBuf>,
}

impl Section {
    pub(super) fn apply(self, builder: Builder) -> Result<Builder, Error> {
        match self.enabled {
            Some(true) => Ok(builder.collect(self.host())),
            Some(false) => Ok(builder),
            None if format!("{self:?}") == format!("{:?}", Self::default()) => Ok(builder),
            None => Err(wrong("host.enabled", "is missing")),
        }
    }

    fn host(self) -> Host {
        let host = set(Host::default(), self.interval, |to, Span(time)| to.interval(time));
        let host = set(host, self.per_core, Host::per_core);
        let host = set(host, self.machine, Host::machine);
        let host = set(host, self.process, Host::process);
        let host = set(host, self.container, Host::container);
        let host = set(host, self.filesystems, |to, List(paths)| to.filesystems(paths));
        let host = set(host, self.network_filesystems, Host::network_filesystems);
        let host = set(host, self.temperatures, Host::temperatures);
        let host = set(host, self.cpu_frequency, Host::cpu_frequency);
        let host = set(host, self.cpu_modes, Host::cpu_modes);
        let host = set(host, self.threads, Host::threads);
        let host = set(host, self.process_tree, Host::process_tree);
        let host = set(host, self.portable, Host::portable);
        set(host, self.root, Host::root)
    }
}
