"""tests/bench/disk: one fault of a disk after the other, under 1 MB a second of LSL, and what of it is in the files."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from crash_found import load as load_file
from crash_found import span_of
from crash_recorders import LOADS, UDP_PORT, Begun
from crash_table import show
from lsl_recorders import FIRST_PORTS, TOP, Net

LOAD = "W1"
PEERS = TOP / "tests/peers"


@dataclass
class Case:
    """A fault: from when to when, in seconds since the recorder has begun, and how long it records."""

    name: str
    what: str
    # Megabytes of a disk of its own; 0: none.
    disk_mb: int = 0
    # Filled so far at the begin, until it is repaired.
    filler_mb: int = 0
    # An order to the failing disk.
    order: str = ""
    begins_s: float = 4.0
    ends_s: float | None = None
    removes: bool = False
    settings: str = "min_free_mb = 0"
    second: bool = False
    lasts_s: float = 14.0
    for_lab: bool = True


CASES = {
    case.name: case
    for case in [
        Case("none", "no fault"),
        Case("full", "8 MB of tmpfs, full after 7 s, to the end", disk_mb=8),
        Case("freed", "the same, full after 3 s, freed at 9 s", disk_mb=24, filler_mb=20, ends_s=9.0),
        Case("small-memory", "the same with hold_mb = 2", disk_mb=24, filler_mb=20, ends_s=9.0, for_lab=False,
             settings="min_free_mb = 0\nhold_mb = 2"),
        Case("second", "full after 3 s, with a second directory", disk_mb=24, filler_mb=20, second=True, for_lab=False),
        Case("floor", "40 MB of tmpfs, min_free_mb = 32", disk_mb=40, settings="min_free_mb = 32", for_lab=False),
        Case("removed", "its folder is removed at 4 s", removes=True),
        Case("read-only", "EROFS from 4 to 9 s", order="write EROFS", ends_s=9.0),
        Case("eio", "EIO from 4 to 6 s", order="write EIO", ends_s=6.0),
        Case("eio-end", "EIO from 4 s to the end", order="write EIO"),
        Case("eio-second", "EIO from 4 s, with a second directory", order="write EIO", second=True, for_lab=False),
        Case("half", "writes take half, then EIO, from 4 to 6 s", order="half EIO", ends_s=6.0),
        Case("sync", "syncs fail with EIO from 4 s", order="sync EIO", for_lab=False),
    ]
}


def numbers_of(files: list[Path]) -> tuple[dict, int, list]:
    """Numbers of the samples of each stream in all files; files with a footer for each stream; what is wrong."""
    numbers, closed, wrong = {spec.name: set() for spec in LOADS[LOAD]}, 0, []
    for file in files:
        try:
            raw = load_file(file)
        except Exception as error:
            wrong.append(f"{file.name}: {type(error).__name__}: {error}")
            continue
        closed += all(stream.get("footer") is not None for stream in raw)
        by_name = {stream["info"]["name"][0]: stream for stream in raw}
        for spec in LOADS[LOAD]:
            stream = by_name.get(spec.name)
            if stream is None or not len(stream["time_stamps"]):
                continue
            # A file may have a hole; each sample has its number.
            counts = stream["time_series"][:, 0].astype(np.int64)
            if len(counts) and span_of(spec, stream)[2] and np.all(np.diff(counts) == 1):
                wrong.append(f"{file.name}: {spec.name}: values differ")
            new = set(counts.tolist())
            if numbers[spec.name] & new or len(new) != len(counts):
                wrong.append(f"{file.name}: {spec.name}: samples twice")
            numbers[spec.name] |= new
    return numbers, closed, wrong


def told(lines: list[str]) -> tuple[str, int | None]:
    """The first error for the user, and how many samples the recorder itself says are missing."""
    first, counted = "-", None
    for line in lines:
        try:
            line = json.loads(line)
        except ValueError:
            continue
        if line.get("type") == "notice" and line["notice"]["level"] == "error" and first == "-":
            first = line["notice"]["text"]
        if line.get("type") == "verdict":
            streams = [s for s in line["verdict"]["streams"] if s["status"]]
            counted = sum(s["status"]["samples"] - s["samples_in_file"] for s in streams)
    return first, counted


class Disk:
    """The folder a recorder writes into, and what goes wrong with it."""

    def __init__(self, case: Case, folder: Path, library: Path):
        self.case, self.folder, self.orders = case, folder, folder.parent / f"{folder.name}.orders"
        self.preload = {"LD_PRELOAD": str(library), "FAILING_DISK": str(self.orders)} if case.order else {}
        folder.mkdir()
        if case.disk_mb:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={case.disk_mb}m", "none", folder]
            subprocess.run(mount, check=True)
        if case.filler_mb:
            (folder / "filler").write_bytes(bytes(case.filler_mb << 20))

    def begin(self):
        if self.case.order:
            self._order(f"{self.case.order} {self.folder}")
        if self.case.removes:
            shutil.rmtree(self.folder)

    def end(self):
        if self.case.order:
            self._order("")
        if self.case.filler_mb:
            (self.folder / "filler").unlink()

    def _order(self, text: str):
        new = self.orders.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.orders)

    def close(self):
        if self.case.disk_mb:
            subprocess.run(["umount", "-l", self.folder], check=False)


def wait_until(when_s: float):
    time.sleep(max(0.0, when_s - time.monotonic()))


def one(case: Case, recorder, net: Net, folder: Path, library: Path) -> dict:
    """A recorder under a fault."""
    disk = Disk(case, folder / f"{case.name}-{recorder.name}", library)
    try:
        second = folder / f"{case.name}-second"
        settings = f"[recording]\n{case.settings}\n"
        if case.second:
            settings += f'second_directory = "{second}"\n'
        begun = Begun(recorder, net, LOAD, UDP_PORT, disk.folder / "out.xdf", disk.preload, settings)
        zero_s = begun.begun_s
        wait_until(zero_s + case.begins_s)
        disk.begin()
        if case.ends_s is not None:
            wait_until(zero_s + case.ends_s)
            disk.end()
        wait_until(zero_s + case.lasts_s)
        # It may have closed its file itself.
        ended_s = time.monotonic()
        ends_alone = begun.process.poll() is not None
        code = begun.process.returncode if ends_alone else begun.stop()
        files = sorted(disk.folder.glob("*.xdf")) if disk.folder.exists() else []
        files += sorted(second.glob("*.xdf")) if case.second else []
        numbers, closed, wrong = numbers_of(files)
        kept = sum(map(len, numbers.values()))
        spans = [(min(n), max(n)) for n in numbers.values() if n]
        error, counted = told(begun.lines)
        return {
            "case": case.name, "what": case.what, "recorder": recorder.name, "code": code, "told": error,
            "sent": len(LOADS[LOAD]) * int((ended_s - zero_s) * LOADS[LOAD][0].rate), "kept": kept,
            "holes": sum(high - low + 1 for low, high in spans) - kept, "counted": counted, "files": len(files),
            "closed": closed, "wrong": wrong, "ended_alone": ends_alone,
        }  # fmt: skip
    finally:
        disk.close()


def run(names: list[str], ours, lab, tell) -> list[dict]:
    """All cases, and the table told."""
    cases = []
    with tempfile.TemporaryDirectory(prefix="lockstep-disk-") as name:
        folder = Path(name)
        library = folder / "failing_disk.so"
        command = ["cc", "-std=gnu11", "-shared", "-fPIC", PEERS / "failing_disk.c", "-o", library, "-ldl"]
        subprocess.run(command, check=True)
        net = Net(folder / "net", FIRST_PORTS["disk"])
        outlets = net.peer("logged_outlets.py", net.folder, str(UDP_PORT))
        outlets.wait_for("ready")
        try:
            for name in names:
                case = CASES[name]
                for recorder in [ours] + ([lab] if lab and case.for_lab else []):
                    cases.append(one(case, recorder, net, folder, library))
        finally:
            outlets.end()
    heads = ["case", "recorder", "first error shown", "exit", "sent", "kept", "holes", "it counts missing", "files", "with footers"]
    rows = []
    for c in cases:
        counted = "-" if c["counted"] is None else str(c["counted"])
        cells = [str(c[k]) for k in ("code", "sent", "kept", "holes")] + [counted, str(c["files"]), str(c["closed"])]
        rows.append([f"{c['case']}: {c['what']}", c["recorder"], c["told"][:60], *cells])
    show(heads, rows, tell)
    for c in cases:
        for wrong in c["wrong"]:
            tell(f"WRONG {c['case']} {c['recorder']}: {wrong}")
    return cases
