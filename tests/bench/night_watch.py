"""What a process has of the machine, again and again, and whether it grows."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TICKS = os.sysconf("SC_CLK_TCK")
# Growth from the first to the last part of a run that is none: what an allocator and caches do.
RSS_SLACK_BYTES = 4 << 20


@dataclass
class Sample:
    """At one moment."""

    at_s: float
    rss_bytes: int
    threads: int
    fds: int
    cpu_s: float
    # Of child processes, together.
    children: int = 0
    children_rss_bytes: int = 0


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found


def status_of(pid: int) -> dict:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return dict(line.split(":", 1) for line in text.splitlines())


def look(pid: int, began_s: float) -> Sample | None:
    """How it is now; `None`: it has ended."""
    try:
        status = status_of(pid)
        if "VmRSS" not in status:
            return None
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
        fds, children = len(os.listdir(f"/proc/{pid}/fd")), children_of(pid)
    except OSError:
        return None
    sample = Sample(
        time.monotonic() - began_s,
        int(status["VmRSS"].split()[0]) * 1024,
        int(status["Threads"]),
        fds,
        (int(stat[11]) + int(stat[12])) / TICKS,
        len(children),
    )
    for child in children:
        try:
            sample.children_rss_bytes += int(status_of(child)["VmRSS"].split()[0]) * 1024
        except (OSError, KeyError):
            # It ended just now.
            pass
    return sample


class Watch(threading.Thread):
    """Looks at a process until it ends; each look goes to a file, too."""

    def __init__(self, process: subprocess.Popen, every_s: float, out: Path, tell=None, tell_every_s: float = 60.0):
        super().__init__(daemon=True)
        self.pid, self.every_s, self.out, self.tell, self.tell_every_s = process.pid, every_s, out, tell, tell_every_s
        self.samples: list[Sample] = []
        self.began_s = time.monotonic()
        self.start()

    def run(self):
        told_s = 0.0
        with open(self.out, "w", encoding="utf-8", buffering=1) as out:
            print("at_s rss_bytes threads fds cpu_s children children_rss_bytes", file=out)
            while sample := look(self.pid, self.began_s):
                self.samples.append(sample)
                print(*vars(sample).values(), file=out)
                if self.tell and sample.at_s >= told_s:
                    told_s += self.tell_every_s
                    self.tell(describe(sample))
                time.sleep(self.every_s)


def describe(sample: Sample) -> str:
    share = 100 * sample.cpu_s / sample.at_s if sample.at_s > 1 else 0.0
    text = f"{sample.at_s / 60:6.1f} min: RSS {sample.rss_bytes / 1e6:.1f} MB, {sample.threads} threads, {sample.fds} fds"
    text += f", {share:.1f} % of a processor"
    return text + (f", {sample.children} children of {sample.children_rss_bytes / 1e6:.1f} MB" if sample.children else "")


def growth(samples: list[Sample], warm_up_s: float, part_s: float, speed: float = 1.0) -> dict:
    """The first `part_s` after the warm-up beside the last ones; and the slope from there on, an hour of what is
    recorded, which goes by `speed` times as fast as real time.
    """
    end_s = samples[-1].at_s
    first = [s for s in samples if warm_up_s <= s.at_s < warm_up_s + part_s]
    last = [s for s in samples if s.at_s >= end_s - part_s]
    steady = [s for s in samples if s.at_s >= warm_up_s]
    if not first or len(steady) < 3:
        return {"flat": None}
    slope = np.polyfit([s.at_s for s in steady], [s.rss_bytes for s in steady], 1)[0]
    result = {"rss_slope_mb_an_hour": float(slope) * 3600 / 1e6 / speed, "cpu_share": samples[-1].cpu_s / end_s}
    for name in ("rss_bytes", "threads", "fds"):
        result[name] = [max(getattr(s, name) for s in part) for part in (first, last, samples)]
    (rss0, rss1, _), (threads0, threads1, _), (fds0, fds1, _) = (result[n] for n in ("rss_bytes", "threads", "fds"))
    result["flat"] = rss1 - rss0 <= RSS_SLACK_BYTES and threads1 <= threads0 and fds1 <= fds0
    return result


def told(result: dict, tell):
    """The growth as lines."""
    if result["flat"] is None:
        tell("too short to say whether anything grows")
        return
    for name, unit, scale in (("rss_bytes", "RSS MB", 1e6), ("threads", "threads", 1), ("fds", "fds", 1)):
        first, last, most = (value / scale for value in result[name])
        tell(f"    {unit:8} first {first:8.1f}   last {last:8.1f}   most {most:8.1f}")
    tell(f"    slope of RSS {result['rss_slope_mb_an_hour']:+.3f} MB a recorded hour; {100 * result['cpu_share']:.1f} % of a processor")
    tell("    " + ("flat: nothing grows" if result["flat"] else "NOT flat"))
