"""Compares what the collectors show with node_exporter, psutil, /proc and statvfs.

usage: compare_host.py PID [EXPORTER_URL]

PID is the process whose figures are shown as process_*. In each round the references are
read, "ready" is printed, a page in Prometheus's text format is read from standard input up to a
line "# EOF", and the references are read again. A figure agrees with a reference if it lies
within what that said before and after. A gauge may move to and fro meanwhile, so it has as
many rounds as are played; a counter has to agree in each, and must have moved by what its
reference moved from the first round to the last. After the line "# END" the verdict is printed:
a line for each figure that never agreed or is not there, "moved NAME" for each counter of
the page that grew, then "agreed COUNT". Exits 1 if anything disagreed.
"""

import os
import re
import sys
import urllib.request

import psutil

LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(page):
    """Samples by name and labels."""
    samples = {}
    for line in page.splitlines():
        match = LINE.match(line)
        if match and not line.startswith("#"):
            name, labels, value = match.groups()
            samples[name, tuple(sorted(LABEL.findall(labels or "")))] = float(value)
    return samples


def exporter(url):
    """node_exporter's samples as ours would be: processors added up, other labels left out."""
    page = urllib.request.urlopen(url, timeout=20).read().decode()
    found = {}
    for (name, labels), value in parse(page).items():
        labels = dict(labels)
        if not name.startswith("node_"):
            continue
        if name == "node_cpu_seconds_total":
            labels.pop("cpu")
        if name.startswith("node_filesystem"):
            labels = {key: value for key, value in labels.items() if key in ("fstype", "mountpoint")}
        key = name, tuple(sorted(labels.items()))
        found[key] = found.get(key, 0.0) + value if name == "node_cpu_seconds_total" else value
    return found


def through_psutil(pid):
    found = {}

    def add(name, value, **labels):
        found[name, tuple(sorted(labels.items()))] = float(value)

    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    add("node_memory_MemTotal_bytes", memory.total)
    add("node_memory_MemFree_bytes", memory.free)
    add("node_memory_MemAvailable_bytes", memory.available)
    add("node_memory_Buffers_bytes", memory.buffers)
    add("node_memory_Shmem_bytes", memory.shared)
    add("node_memory_SwapTotal_bytes", swap.total)
    add("node_memory_SwapFree_bytes", swap.free)
    add("node_boot_time_seconds", psutil.boot_time())
    stats = psutil.cpu_stats()
    add("node_context_switches_total", stats.ctx_switches)
    for mode, seconds in psutil.cpu_times()._asdict().items():
        if not mode.startswith("guest"):
            add("node_cpu_seconds_total", seconds, mode=mode)
    for device, io in psutil.net_io_counters(pernic=True).items():
        add("node_network_receive_bytes_total", io.bytes_recv, device=device)
        add("node_network_transmit_bytes_total", io.bytes_sent, device=device)
        add("node_network_receive_packets_total", io.packets_recv, device=device)
        add("node_network_transmit_packets_total", io.packets_sent, device=device)
        add("node_network_receive_errs_total", io.errin, device=device)
        add("node_network_transmit_errs_total", io.errout, device=device)
        add("node_network_receive_drop_total", io.dropin, device=device)
        add("node_network_transmit_drop_total", io.dropout, device=device)
    for device, io in psutil.disk_io_counters(perdisk=True).items():
        if not os.path.exists(f"/sys/block/{device}") or re.match(r"(z?ram|loop|fd)\d", device):
            continue
        add("node_disk_reads_completed_total", io.read_count, device=device)
        add("node_disk_writes_completed_total", io.write_count, device=device)
        add("node_disk_read_bytes_total", io.read_bytes, device=device)
        add("node_disk_written_bytes_total", io.write_bytes, device=device)
        add("node_disk_read_time_seconds_total", io.read_time / 1e3, device=device)
        add("node_disk_write_time_seconds_total", io.write_time / 1e3, device=device)
        add("node_disk_io_time_seconds_total", io.busy_time / 1e3, device=device)
    process = psutil.Process(pid)
    with process.oneshot():
        cpu, memory = process.cpu_times(), process.memory_info()
        add("process_cpu_seconds_total", cpu.user + cpu.system)
        add("process_resident_memory_bytes", memory.rss)
        add("process_virtual_memory_bytes", memory.vms)
        add("process_threads", process.num_threads())
        add("process_open_fds", process.num_fds())
        add("process_start_time_seconds", process.create_time())
        add("process_max_fds", process.rlimit(psutil.RLIMIT_NOFILE)[0])
        io = process.io_counters()
        add("process_io_read_bytes_total", io.read_bytes)
        add("process_io_written_bytes_total", io.write_bytes)
        add("process_io_read_syscalls_total", io.read_count)
        add("process_io_write_syscalls_total", io.write_count)
    return found


def by_hand(pid):
    """Straight from the files, as simply as can be."""
    found = {}

    def add(name, value, **labels):
        found[name, tuple(sorted(labels.items()))] = float(value)

    for line in open("/proc/meminfo"):
        key, value = line.split(":")
        if value.endswith(" kB\n"):
            add(f"node_memory_{key}_bytes", int(value.split()[0]) * 1024)
    for name, value in zip(("1", "5", "15"), open("/proc/loadavg").read().split()):
        add(f"node_load{name}", value)
    for line in open("/proc/stat"):
        key, *values = line.split()
        names = {
            "ctxt": "node_context_switches_total",
            "processes": "node_forks_total",
            "btime": "node_boot_time_seconds",
        }
        if key in names:
            add(names[key], values[0])
    for resource in ("cpu", "memory", "io"):
        path = f"/proc/pressure/{resource}"
        for line in open(path) if os.path.exists(path) else ():
            kind = {"some": "waiting", "full": "stalled"}[line.split()[0]]
            total = int(line.rsplit("=", 1)[1]) / 1e6
            if (resource, kind) != ("cpu", "stalled"):
                add(f"node_pressure_{resource}_{kind}_seconds_total", total)
    space = os.statvfs("/")
    root = [line.split() for line in open("/proc/mounts") if line.split()[1] == "/"][-1]
    labels = {"mountpoint": "/", "fstype": root[2]}
    add("node_filesystem_size_bytes", space.f_blocks * space.f_frsize, **labels)
    add("node_filesystem_avail_bytes", space.f_bavail * space.f_frsize, **labels)
    add("node_filesystem_free_bytes", space.f_bfree * space.f_frsize, **labels)
    add("node_filesystem_files", space.f_files, **labels)
    add("node_filesystem_files_free", space.f_ffree, **labels)
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    add("process_page_faults_total", fields[7], type="minor")
    add("process_page_faults_total", fields[9], type="major")
    # Of a process whose threads have not ended, the threads' sums.
    kinds = {"voluntary_ctxt_switches": "voluntary", "nonvoluntary_ctxt_switches": "involuntary"}
    sums = dict.fromkeys(kinds.values(), 0)
    for thread in os.listdir(f"/proc/{pid}/task"):
        for line in open(f"/proc/{pid}/task/{thread}/status"):
            key = line.split(":")[0]
            if key in kinds:
                sums[kinds[key]] += int(line.split()[1])
    for kind, count in sums.items():
        add("process_context_switches_total", count, type=kind)
    return found


def is_counter(name):
    return name.endswith("_total")


def tolerance(name):
    """How coarsely a reference tells it."""
    if name == "node_cpu_seconds_total":
        # Rounded processor by processor, not as a sum.
        return 0.01 * (os.cpu_count() or 1) + 0.01
    if name in ("process_cpu_seconds_total", "process_start_time_seconds"):
        return 0.03
    if name == "node_boot_time_seconds":
        return 1.0
    if name.endswith("_seconds_total"):
        return 0.002
    return 0.0


class Comparison:
    def __init__(self, readers):
        self.readers = readers
        self.agreed, self.wrong = set(), {}
        self.first = self.last = None

    def read(self):
        return {who: read() for who, read in self.readers.items()}

    def round(self, before, ours, after):
        for who in before:
            for key in before[who].keys() & after[who].keys():
                self.judge(who, key, before[who][key], ours.get(key), after[who][key])
        self.last = before, ours, after
        self.first = self.first or self.last

    def judge(self, who, key, before, ours, after):
        name, labels = key
        if ours is None:
            # A reference knows more than is shown here; not under names that are shown.
            if name in self.shown:
                self.wrong[who, key] = "is not shown"
            return
        slack = tolerance(name)
        low, high = min(before, after) - slack, max(before, after) + slack
        if low <= ours <= high:
            self.agreed.add((who, key))
        elif is_counter(name) or (who, key) not in self.agreed:
            self.wrong[who, key] = f"{ours!r} is not within {low!r} and {high!r}"

    def movement(self):
        """Counters that moved by more or less than their reference."""
        (before, first, after), (last_before, last, last_after) = self.first, self.last
        for who, key in self.agreed:
            name, _ = key
            if not is_counter(name) or key not in last or key not in first:
                continue
            moved, slack = last[key] - first[key], 2 * tolerance(name)
            least = last_before[who][key] - after[who][key] - slack
            most = last_after[who][key] - before[who][key] + slack
            if not least <= moved <= most:
                self.wrong[who, key] = f"moved by {moved!r}, not by {least!r} to {most!r}"
            elif moved > 0:
                yield name

    def verdict(self):
        moved = sorted(set(self.movement()))
        # A gauge that agreed once has shown where it comes from.
        settled = {at for at in self.wrong if not is_counter(at[1][0]) and at in self.agreed}
        wrong = {at: why for at, why in self.wrong.items() if at not in settled}
        for (who, (name, labels)), why in sorted(wrong.items()):
            print(f"{who}: {name}{dict(labels)} {why}")
        for name in moved:
            print(f"moved {name}")
        print(f"agreed {len(self.agreed)}", flush=True)
        return not wrong


def pages():
    """Pages from standard input."""
    page = []
    for line in sys.stdin:
        if line == "# END\n":
            return
        if line == "# EOF\n":
            yield "".join(page)
            page = []
        else:
            page.append(line)


def main():
    pid = int(sys.argv[1])
    readers = {"psutil": lambda: through_psutil(pid), "by hand": lambda: by_hand(pid)}
    if len(sys.argv) > 2:
        readers["node_exporter"] = lambda: exporter(sys.argv[2])
    comparison = Comparison(readers)
    before = comparison.read()
    print("ready", flush=True)
    for page in pages():
        after = comparison.read()
        ours = parse(page)
        comparison.shown = {name for name, _ in ours}
        comparison.round(before, ours, after)
        before = comparison.read()
        print("ready", flush=True)
    sys.exit(0 if comparison.verdict() else 1)


if __name__ == "__main__":
    main()
