"""tests/bench/lsl --churn: outlets that come and die at random, among them steady ones, a hung and a firewalled one."""

import json
import random
import subprocess
import sys
import threading
import time

from lsl_recorders import SETTLE_S, TOP, Net, Running

DURATION_S = 300.0
# Programs with outlets that come and go, and outlets of each.
PROGRAMS, OUTLETS = 8, 6
STEADY = 2
LIFE_S, PAUSE_S = (3.0, 25.0), (0.5, 8.0)
# Of the programs, so many die as by a crash, and are started again.
CRASHING = 4
BAD = {"hung": "hung", "firewalled": "firewalled"}


def lives(rng: random.Random, duration_s: float) -> list:
    """From when to when an outlet exists."""
    spans, at = [], rng.uniform(0.1, LIFE_S[1])
    while at < duration_s:
        until = at + rng.uniform(*LIFE_S)
        spans.append([at, until])
        at = until + rng.uniform(*PAUSE_S)
    return spans


def stream(name: str, spans: list) -> dict:
    return {
        "name": name,
        "channels": 8,
        "rate": 250,
        "chunk": 5,
        "stamps": "deduced",
        "source_id": name,
        "lives": spans,
    }


class Crashing(threading.Thread):
    """A program that dies again and again, its outlets with it."""

    def __init__(self, net: Net, number: int, end_s: float):
        super().__init__(daemon=True)
        self.net, self.number, self.end_s = net, number, end_s
        self.truths = []

    def run(self):
        rng = random.Random(self.number)
        names = [f"crash{self.number}-{k}" for k in range(OUTLETS)]
        while (left_s := self.end_s - time.monotonic()) > LIFE_S[0]:
            truth = f"crash{self.number}-{len(self.truths)}.json"
            lasts_s = min(rng.uniform(*LIFE_S), left_s)
            streams = [stream(name, [[0, None]]) for name in names]
            peer = self.net.outlets(truth, {"duration_s": lasts_s, "die_after_s": lasts_s, "streams": streams})
            peer.process.wait()
            self.truths.append(truth)
            time.sleep(rng.uniform(*PAUSE_S))


def one(recorder, folder, duration_s: float) -> dict:
    """One recording."""
    net = Net(folder)
    bad = [net.peer("lsl_hung.py", how, name) for how, name in BAD.items()]
    for peer in bad:
        peer.wait_for("ready")
    steady = [stream(f"steady{k}", [[0, None]]) for k in range(STEADY)]
    spec = {"duration_s": duration_s, "wait_for_consumers_s": 30, "streams": steady}
    steadily = net.outlets("steady.json", spec)
    file = folder / "out.xdf"
    running = Running(recorder, net, file, ["true()"])
    steadily.wait_for("begins")
    end_s = time.monotonic() + duration_s
    crashing = [Crashing(net, k, end_s) for k in range(CRASHING)]
    for program in crashing:
        program.start()
    rng = random.Random(1)
    truths, closing = ["steady.json"], []
    for k in range(PROGRAMS - CRASHING):
        streams = [stream(f"close{k}-{n}", lives(rng, duration_s)) for n in range(OUTLETS)]
        truths.append(f"close{k}.json")
        closing.append(net.outlets(truths[-1], {"duration_s": duration_s - 1, "streams": streams}))
    for peer in (steadily, *closing):
        peer.wait_for("done")
    for program in crashing:
        program.join()
        truths += program.truths
    time.sleep(SETTLE_S)
    usage = running.stop()
    for peer in (steadily, *closing, *bad):
        peer.end()
    row = {"recorder": recorder.name, "cpu_s": usage.user_s + usage.system_s, "peak_mb": usage.peak_bytes / 1e6}
    row.update(stop_s=usage.stop_s, code=usage.code)
    row.update(judged(file, [folder / truth for truth in truths], recorder))
    return row


def judged(file, truths, recorder) -> dict:
    """What of it is in the file."""
    command = [sys.executable, "-B", TOP / "tests/check/lsl.py", file, *truths]
    command += ["--partial", "--foreign", "--absent", "--offset", "0", "--also", *BAD.values()]
    command += ["--shared-clock"] if recorder.name == "lockstep" else []
    checked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if checked.returncode:
        return {"error": checked.stderr.strip().splitlines()[-1]}
    streams = json.loads(checked.stdout)["streams"]
    all_lives = [missing for stream in streams for missing in stream["missing"]]
    return {
        "streams": len(streams),
        "lives": len(all_lives),
        "lives_not_in_file": sum(missing[2] == 0 for missing in all_lives),
        "samples": sum(stream["samples"] for stream in streams),
        "missed_at_begin": sum(missing[0] for missing in all_lives),
        "missed_at_end": sum(missing[1] for missing in all_lives),
        "steady_missing": [stream["missing"] for stream in streams if stream["name"].startswith("steady")],
        "false_offsets": sum(stream["false_offsets"] for stream in streams),
    }


def churn(recorders, arguments, folder, tell) -> list:
    """Each recorder in turn."""
    rows = []
    for recorder in recorders:
        row = one(recorder, folder / recorder.name, DURATION_S * arguments.scale)
        rows.append(row)
        tell(f"{recorder.name}:")
        for key, value in row.items():
            tell(f"    {key:18} {value if not isinstance(value, float) else f'{value:.2f}'}")
    return rows
