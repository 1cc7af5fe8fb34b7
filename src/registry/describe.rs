//! Units, help texts and buckets by name, given before or after a metric's first use.

use metrics::Unit;

use super::Inner;
use crate::buckets::Buckets;
use crate::cells::gate;
use crate::entry::{Description, Kind};
use crate::notice::Notice;

impl Inner {
    pub(crate) fn describe(&self, kind: Kind, name: &str, unit: Option<Unit>, help: &str) {
        let Some(_gate) = gate::enter() else { return };
        let new = Description { unit, help: help.into() };
        let mut families = self.families.write();
        let agrees = match families.by_name.get(name) {
            Some(family) => {
                let (descriptor, distribution) = (&family.descriptor, kind == Kind::Histogram);
                let same_kind = descriptor.kind() == kind
                    || (distribution && descriptor.kind() == Kind::Summary);
                same_kind && *descriptor.description.get_or_init(|| new.clone()) == new
            }
            None if families.described.contains_key(name) => {
                families.described[name] == (kind, new)
            }
            None if families.described.len() >= self.config.series => false,
            None => {
                families.described.insert(name.into(), (kind, new));
                true
            }
        };
        drop(families);
        if !agrees {
            self.notices.count(Notice::DescriptionConflict, name);
        }
    }

    pub(super) fn describe_buckets(&self, name: &str, buckets: Buckets) {
        let Some(_gate) = gate::enter() else { return };
        let mut families = self.families.write();
        let agrees = match families.by_name.get(name) {
            Some(family) => family.descriptor.buckets() == Some(&buckets),
            None if families.buckets.len() >= self.config.series => false,
            None => {
                *families.buckets.entry(name.into()).or_insert_with(|| buckets.clone()) == buckets
            }
        };
        drop(families);
        if !agrees {
            self.notices.count(Notice::DescriptionConflict, name);
        }
    }
}
