"""tests/bench/crash: recorders that are killed at random moments, and what of it is in their files."""

import json
import os
import queue
import random
import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from crash_found import HELD_S, judge
from crash_recorders import LOADS, UDP_PORT, Begun, NotBegun, Recorder
from crash_table import table
from lsl_recorders import FIRST_PORTS, TARGET, Net

# Recorders killed after each load of ours; LabRecorder has no UDP.
FOR_LAB = ("W1", "gaze", "markers")
RECOVERED = (0, 3)
KEPT = TARGET / "bench-output/crash-kept"


@dataclass
class Kill:
    """One recorder to be killed."""

    number: int
    recorder: Recorder
    load: str
    # "disk" or "memory".
    where: str
    after_s: float

    @property
    def name(self):
        return f"{self.number:03}-{self.recorder.name}-{self.load}"


def plan(arguments, ours: Recorder, lab: Recorder | None) -> list[Kill]:
    """All kills, in a random order."""
    rng = random.Random(arguments.seed)
    wheres = {"both": ("disk", "memory")}.get(arguments.where, (arguments.where,))
    loads = arguments.only or list(LOADS)
    # Evenly: each load at each place in turn.
    rows = [(ours, load, where) for where in wheres for load in loads]
    jobs = [rows[k % len(rows)] for k in range(arguments.kills)]
    if lab:
        theirs = [(lab, load, wheres[0]) for load in FOR_LAB if load in loads]
        jobs += theirs * arguments.lab_kills
    rng.shuffle(jobs)
    return [Kill(k, *job, rng.uniform(*arguments.seconds)) for k, job in enumerate(jobs)]


def recover(lockstep: Path, file: Path, pushes: Path, load: str, spans: dict) -> dict:
    """What `lockstep recover` makes of a file: with footers, and the same samples?"""
    out = file.with_suffix(".recovered.xdf")
    ran = subprocess.run([lockstep, "recover", file, "-o", out], capture_output=True, text=True, errors="replace")
    result = {"code": ran.returncode, "good": False, "footers": False, "said": ran.stderr.strip()[-300:]}
    if ran.returncode in RECOVERED and out.exists():
        again = judge(out, pushes, load, 0.0, 0.0)
        result["footers"] = again.error is None and again.footers == again.streams > 0
        result["good"] = again.error is None and again.spans == spans and not again.wrong
        checked = subprocess.run([lockstep, "check", "--json", out], capture_output=True, text=True, errors="replace")
        result["check_code"] = checked.returncode
        try:
            result["findings"] = [f["code"] for f in json.loads(checked.stdout)[0]["findings"]]
        except (ValueError, LookupError, TypeError, AttributeError):
            result["findings"] = None
    return result


def judged(case: dict, pushes: Path, lockstep: Path | None) -> dict:
    """One case with all that is known of it. In a process of its own, and behind those that record."""
    file = Path(case["file"])
    found = judge(file, pushes, case["load"], case["begun_s"], case["killed_s"])
    case |= found.as_dict() | {"bytes": file.stat().st_size}
    case["recovered"] = recover(lockstep, file, pushes, case["load"], found.spans) if lockstep else None
    return case


def is_odd(case: dict) -> bool:
    """Whether someone should look at the file."""
    recovered = case["recovered"] or {"good": True}
    ours = case["recorder"] == "lockstep"
    return ours and bool(case["error"] or case["wrong"] or case["lost_s"] > HELD_S or not recovered["good"])


class Slot(threading.Thread):
    """Kills one recorder after the other; has a port for datagrams of its own."""

    def __init__(self, jobs: queue.SimpleQueue, port: int, net: Net, folders: dict, submit):
        super().__init__(daemon=True)
        self.jobs, self.port, self.net, self.folders, self.submit = jobs, port, net, folders, submit
        self.errors = []

    def run(self):
        while True:
            try:
                kill = self.jobs.get_nowait()
            except queue.Empty:
                return
            try:
                self._one(kill)
            except NotBegun as error:
                self.errors.append(str(error))

    def _one(self, kill: Kill):
        folder = self.folders[kill.where] / kill.name
        folder.mkdir()
        begun = Begun(kill.recorder, self.net, kill.load, self.port, folder / "out.xdf")
        threading.Event().wait(kill.after_s)
        killed_s = begun.kill()
        # LabRecorder may not even have made it.
        begun.file.touch()
        self.submit(
            {
                "name": kill.name,
                "recorder": kill.recorder.name,
                "load": kill.load,
                "where": kill.where,
                "after_s": kill.after_s,
                "begun_s": begun.begun_s,
                "killed_s": killed_s,
                "file": str(begun.file),
            }
        )


def has_recover(lockstep: Path) -> bool:
    """Whether this program can recover files."""
    return subprocess.run([lockstep, "recover", "--help"], capture_output=True).returncode == 0


def kills(arguments, ours: Recorder, lab: Recorder | None, tell) -> list:
    """Kill them all; the cases, and the table told."""
    disk = TARGET / "bench-crash"
    disk.mkdir(parents=True, exist_ok=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    lockstep = ours.program if has_recover(ours.program) else None
    jobs = queue.SimpleQueue()
    for kill in plan(arguments, ours, lab):
        jobs.put(kill)
    total = jobs.qsize()
    cases, waiting = [], []
    with (
        tempfile.TemporaryDirectory(dir=disk) as on_disk,
        tempfile.TemporaryDirectory(prefix="lockstep-crash-", dir="/dev/shm") as in_memory,
        ProcessPoolExecutor(1, initializer=os.nice, initargs=(10,)) as pool,
    ):
        folders = {"disk": Path(on_disk), "memory": Path(in_memory)}
        net = Net(folders["memory"] / "net", FIRST_PORTS["crash"])
        ports = [UDP_PORT + k for k in range(arguments.at_once)]
        outlets = net.peer("logged_outlets.py", net.folder, *map(str, ports))
        outlets.wait_for("ready")

        def done(future):
            case = future.result()
            cases.append(case)
            folder = Path(case["file"]).parent
            if is_odd(case):
                shutil.copytree(folder, KEPT / case["name"], dirs_exist_ok=True)
            shutil.rmtree(folder)
            if len(cases) % 20 == 0 or len(cases) == total:
                tell(f"{len(cases)} of {total}", progress=True)

        def submit(case):
            future = pool.submit(judged, case, net.folder, lockstep)
            future.add_done_callback(done)
            waiting.append(future)

        slots = [Slot(jobs, port, net, folders, submit) for port in ports]
        for slot in slots:
            slot.start()
        for slot in slots:
            slot.join()
        for future in waiting:
            future.result()
        outlets.end()
    for error in (error for slot in slots for error in slot.errors):
        tell(error)
    table(cases, lockstep is not None, tell)
    return cases
