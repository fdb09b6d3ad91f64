"""tests/bench/crash --power: what a power cut at a random moment would leave of a recording.

A library that is loaded before the recorder (crash_syncs.c) notes each write and each sync of its file. A power cut
leaves at the least what was written before a sync began that had ended by then: the recording is cut to that length.
At the worst the file is as long as it was, and what was not synced is zeros: some file systems write lengths first.
"""

import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from crash_found import judge
from crash_kills import has_recover, recover
from crash_recorders import LOADS, UDP_PORT, Begun, Recorder
from crash_table import sync_table
from lsl_recorders import FIRST_PORTS, TARGET, TOP, Net

WRITE, SYNC, CUT = 1, 2, 3
NOTE = np.dtype([("begin_s", "<f8"), ("end_s", "<f8"), ("kind", "<i8"), ("at", "<i8"), ("bytes", "<i8")])
# No cut before this time, nor so shortly before the end.
MARGIN_S = 2.0
# What of a file that was longer than what was synced is there: nothing, or zeros.
LEFT = ("synced", "synced + zeros")


def shim(folder: Path) -> Path:
    """The library, compiled."""
    library = folder / "crash_syncs.so"
    source = TOP / "tests/bench/crash_syncs.c"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


class Notes:
    """What was noted of one file."""

    def __init__(self, path: Path):
        notes = np.sort(np.fromfile(path, NOTE), order="end_s")
        self.writes, self.syncs = notes[notes["kind"] == WRITE], notes[notes["kind"] == SYNC]
        # At the end it gives back room that was kept behind the last byte.
        if any(cut["at"] < sum(self.writes["bytes"]) for cut in notes[notes["kind"] == CUT]):
            sys.exit("tests/bench/crash: the recorder took something back: the disk was full?")
        ends = np.cumsum(self.writes["bytes"])
        if not np.array_equal(self.writes["at"] + self.writes["bytes"], ends):
            sys.exit("tests/bench/crash: the recorder does not write from begin to end")
        self.ends = ends

    def written(self, at_s: float) -> int:
        """Bytes whose write had ended."""
        count = int(np.searchsorted(self.writes["end_s"], at_s, "right"))
        return int(self.ends[count - 1]) if count else 0

    def synced(self, at_s: float) -> int:
        """Bytes that were on the disk for sure."""
        ended = self.syncs[self.syncs["end_s"] <= at_s]
        return max((self.written(float(sync["begin_s"])) for sync in ended), default=0)

    def sync_s(self, at_s: float) -> float:
        """How long the sync took that was under way, or the one before."""
        before = self.syncs[self.syncs["begin_s"] <= at_s]
        return float(before[-1]["end_s"] - before[-1]["begin_s"]) if len(before) else 0.0


def cut(data: Path, folder: Path, case: dict, pushes: Path, lockstep: Path | None) -> dict:
    """One power cut."""
    with open(data, "rb") as file:
        left = file.read(case["synced_bytes"])
    if case["left"] == LEFT[1]:
        left += bytes(case["written_bytes"] - case["synced_bytes"])
    path = folder / f"{case['number']}.xdf"
    path.write_bytes(left)
    found = judge(path, pushes, case["load"], case["begun_s"], case["at_s"])
    case |= found.as_dict()
    case["recovered"] = recover(lockstep, path, pushes, case["load"], found.spans) if lockstep else None
    for done in folder.glob(f"{case['number']}.*"):
        done.unlink()
    return case


def record(load: str, ours: Recorder, library: Path, net: Net, folder: Path, seconds: float):
    """Record a load on the disk; its notes, when it had begun and when it was stopped."""
    notes = folder / f"{load}.notes"
    preload = {"LD_PRELOAD": str(library), "CRASH_SYNCS": str(notes)}
    begun = Begun(ours, net, load, UDP_PORT + 100, folder / f"{load}.xdf", preload)
    time.sleep(seconds)
    stopped_s = time.monotonic()
    if begun.stop() not in (0, 3):
        sys.exit(f"tests/bench/crash: the recording of {load} failed")
    return begun, Notes(notes), stopped_s


def power(arguments, ours: Recorder, tell) -> list:
    """All loads, one after the other."""
    disk = TARGET / "bench-crash"
    disk.mkdir(parents=True, exist_ok=True)
    lockstep = ours.program if has_recover(ours.program) else None
    rng, rows = random.Random(arguments.seed), []
    with tempfile.TemporaryDirectory(dir=disk) as folder, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        folder, memory = Path(folder), Path(memory)
        library, net = shim(folder), Net(memory / "net", FIRST_PORTS["crash-power"])
        outlets = net.peer("logged_outlets.py", net.folder, str(UDP_PORT + 100))
        outlets.wait_for("ready")
        recorded = {}
        for load in arguments.only or LOADS:
            tell(f"{load}: {arguments.record:g} s", progress=True)
            recorded[load] = record(load, ours, library, net, folder, arguments.record)
        outlets.end()
        with ProcessPoolExecutor() as pool:
            for load, (begun, notes, stopped_s) in recorded.items():
                moments = [rng.uniform(begun.begun_s + MARGIN_S, stopped_s - MARGIN_S) for _ in range(arguments.cuts)]
                for left, some in zip(LEFT, (moments, moments[::4])):
                    cases = [
                        {
                            "number": f"{load}-{LEFT.index(left)}-{number}",
                            "load": load,
                            "left": left,
                            "begun_s": begun.begun_s,
                            "at_s": at_s,
                            "synced_bytes": notes.synced(at_s),
                            "written_bytes": notes.written(at_s),
                            "sync_s": notes.sync_s(at_s),
                        }
                        for number, at_s in enumerate(some)
                    ]
                    futures = [pool.submit(cut, begun.file, memory, case, net.folder, lockstep) for case in cases]
                    syncs = notes.syncs[(notes.syncs["begin_s"] > begun.begun_s) & (notes.syncs["end_s"] < stopped_s)]
                    rows.append(
                        {
                            "load": load,
                            "left": left,
                            "syncs_s": (syncs["end_s"] - syncs["begin_s"]).tolist(),
                            "cuts": [future.result() for future in futures],
                        }
                    )
    sync_table(rows, tell)
    return rows
