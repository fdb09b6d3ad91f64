"""Outlets and datagrams for tests/bench/crash, until it is told to end; what was pushed when is in a log for each stream.

    logged_outlets.py FOLDER PORT...

NAME.push in FOLDER has a float64 for each push: the monotonic clock right before it. Push k holds the `chunk` samples
from k * chunk on, whose values follow from `lsl_rule.py`. Datagrams go to all PORTs. Prints `ready` when all exist.
"""

import heapq
import signal
import socket
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pylsl
from lsl_rule import Rule, Spec

W1 = [
    Spec(f"w1-{k}", "w1", channels=32, rate=1000, chunk=20, stamps="deduced", source_id=f"w1-{k}", seed=k)
    for k in range(8)
]
GAZE = [Spec("gaze", "gaze", channels=4, rate=30, source_id="gaze")]
MARKERS = [Spec("markers", "markers", rate=1, format="string", irregular=True, source_id="markers")]
# By a datagram for each sample, the bare values.
UDP = [Spec("udp", "udp", channels=8, rate=100)]
LOADS = {"W1": W1, "gaze": GAZE, "markers": MARKERS, "udp": UDP, "all": W1 + GAZE + MARKERS + UDP}


def log_of(folder, name: str) -> Path:
    return Path(folder) / f"{name}.push"


class Outlet:
    """One stream that is sent."""

    def __init__(self, spec: Spec, folder: Path, ports: list[int]):
        self.spec, self.rule, self.pushed = spec, Rule(spec, time.monotonic()), 0
        self.ports = [("127.0.0.1", port) for port in ports]
        self.log = open(log_of(folder, spec.name), "wb", buffering=0)
        if spec.type == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            return
        info = pylsl.StreamInfo(spec.name, spec.type, spec.channels, spec.nominal_rate, spec.format, spec.source_id)
        self.outlet = pylsl.StreamOutlet(info, max_buffered=30)

    def push(self):
        """The next samples."""
        spec, first = self.spec, self.pushed
        values = self.rule.values(first, spec.chunk)
        now = time.monotonic()
        self.log.write(struct.pack("<d", now))
        if spec.type == "udp":
            for address in self.ports:
                self.socket.sendto(np.ascontiguousarray(values).tobytes(), address)
        elif spec.stamps == "deduced":
            self.outlet.push_chunk(values, now)
        else:
            self.outlet.push_chunk(values, [now] * spec.chunk)
        self.pushed += spec.chunk


def main():
    # Asked to end, it ends: each push is in its log at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    folder, ports = Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]
    due = []
    for number, spec in enumerate(LOADS["all"]):
        outlet = Outlet(spec, folder, ports)
        heapq.heappush(due, (outlet.rule.due_s(0), number, outlet))
    print("ready", flush=True)
    while True:
        when_s, number, outlet = due[0]
        if (wait_s := when_s - time.monotonic()) > 0:
            time.sleep(wait_s)
            continue
        outlet.push()
        heapq.heapreplace(due, (outlet.rule.due_s(outlet.pushed), number, outlet))


if __name__ == "__main__":
    main()
