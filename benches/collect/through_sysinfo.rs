//! The same facts through `sysinfo`, as far as it has them.

use std::hint::black_box;

use sysinfo::{
    CpuRefreshKind, DiskRefreshKind, Disks, Networks, Pid, ProcessRefreshKind, ProcessesToUpdate,
    System,
};

pub struct ThroughSysinfo {
    system: System,
    networks: Networks,
    disks: Disks,
    process: Pid,
    ticks: usize,
}

impl ThroughSysinfo {
    pub fn new() -> Self {
        Self {
            system: System::new(),
            networks: Networks::new_with_refreshed_list(),
            disks: Disks::new_with_refreshed_list(),
            process: Pid::from_u32(std::process::id()),
            ticks: 0,
        }
    }

    /// No pressure, no context switches, no container: it has none of them.
    pub fn tick(&mut self) {
        self.system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_cpu_usage());
        self.system.refresh_memory();
        black_box(System::load_average());
        self.networks.refresh(false);
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory().with_disk_usage();
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[self.process]),
            false,
            wanted.without_tasks(),
        );
        let process = self.system.process(self.process);
        black_box(process.and_then(|process| process.open_files()));
        let disks = DiskRefreshKind::nothing().with_io_usage();
        // Sizes seldom, as we do.
        let sizes = self.ticks % 10 == 0;
        self.disks.refresh_specifics(false, if sizes { disks.with_storage() } else { disks });
        black_box((self.system.cpus(), self.networks.list(), self.disks.list()));
        self.ticks += 1;
    }
}
