//! `/proc/self/net/dev`: what network devices carry.
//!
//! Not `/sys/class/net`: nine files a device, one of which waits for a lock that others hold for
//! seconds.

use super::figures::NETWORK;
use crate::collect::Failures;
use crate::collect::devices::Devices;
use crate::collect::linux::scan::{fields, lines, numbers};
use crate::collect::linux::{Source, show_counts};
use crate::registry::{Observed, Registry};

/// Of a line's sixteen columns those up to the last that is shown.
const COLUMNS: usize = 12;

/// The kernel writes the colon at the sixteenth place or before: names have 15 bytes at most.
const COLON: usize = 32;

#[derive(Default)]
pub(crate) struct Network(Devices<[Observed<u64>; NETWORK.len()]>);

impl Source for Network {
    fn show(&mut self, text: &[u8], registry: &Registry) -> bool {
        // Without devices there are two lines of headings.
        let mut understood = text.starts_with(b"Inter-");
        for (name, columns) in lines(text).filter_map(parse) {
            let make =
                |device: &str| NETWORK.map(|figure| figure.count(registry, &[("device", device)]));
            let Some(series) = self.0.find(name, make) else { continue };
            let [bytes, packets, errors, drops, _, _, _, _, sent @ ..] = columns.map(Some);
            show_counts(&series[..4], &[bytes, packets, errors, drops]);
            show_counts(&series[4..], &sent);
            understood = true;
        }
        self.0.forget_unseen();
        understood
    }

    fn report_left_out(&mut self, failures: &mut Failures) {
        self.0.report_left_out("net_dev_limit", failures);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// A device's name and what it counts.
fn parse(line: &[u8]) -> Option<(&[u8], [u64; COLUMNS])> {
    // From behind: the name may have a colon itself, the numbers have none.
    let start = line.get(..line.len().min(COLON))?;
    let colon = start.iter().rposition(|byte| *byte == b':')?;
    let name = fields(line.get(..colon)?).next()?;
    let mut columns = [0; COLUMNS];
    let (count, _) = numbers(line.get(colon + 1..)?, &mut columns)?;
    (count == COLUMNS).then_some((name, columns))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::collect::probe::value;

    const HEAD: &str = "Inter-|   Receive\n face |bytes    packets\n";

    fn show(network: &mut Network, registry: &Registry, devices: &str) -> bool {
        network.show(format!("{HEAD}{devices}").as_bytes(), registry)
    }

    #[test]
    fn devices_come_go_and_begin_again() {
        let registry = Registry::new();
        let mut network = Network::default();
        let line =
            |name: &str, first: u64| format!("{name}:{first} 2 3 4 5 6 7 8 9 10 11 12 0 0 0 0\n");
        let both = line("  lo", 1) + &line("eth0:1", 900);
        assert!(show(&mut network, &registry, &both));
        let of = |name: &str, device| value(&registry, name, &[("device", device)]);
        assert_eq!(of("node_network_receive_bytes_total", "eth0:1"), Some(900.0));
        assert_eq!(of("node_network_transmit_bytes_total", "lo"), Some(9.0));
        assert_eq!(of("node_network_transmit_drop_total", "lo"), Some(12.0));
        assert!(show(&mut network, &registry, &line("eth0:1", 5)));
        assert_eq!(of("node_network_receive_bytes_total", "eth0:1"), Some(5.0));
        assert_eq!(of("node_network_receive_bytes_total", "lo"), None);
        assert!(show(&mut network, &registry, ""));
        assert!(registry.snapshot().family("node_network_receive_bytes_total").is_none());
    }

    #[test]
    fn a_line_cut_short_is_no_device() {
        let registry = Registry::new();
        let mut network = Network::default();
        assert!(!network.show(b"eth0: 1 2 3 4 5 6 7 8 9 10\nlo: 1 x\n", &registry));
        assert!(registry.snapshot().family("node_network_receive_bytes_total").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(bytes in proptest::collection::vec(any::<u8>(), 0..300),
            text in "([a-z]{0,4}:? ?([0-9]{1,21} ){0,17}\n){0,4}")
        {
            let registry = Registry::new();
            let mut network = Network::default();
            network.show(&bytes, &registry);
            network.show(text.as_bytes(), &registry);
        }
    }
}
