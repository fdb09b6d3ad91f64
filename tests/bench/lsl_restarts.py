"""tests/bench/lsl --restarts: clock offsets that nobody measured, when an outlet of another clock dies and comes back."""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from lsl_recorders import SETTLE_S, TOP, Net, Running

# The outlet's clock is so far ahead of the recorder's.
AHEAD_S = 100_000
ELSEWHERE = ("unshare", "--time", "--fork", "--kill-child", "--monotonic", str(AHEAD_S))
LIVES_S, AWAY_S = 12.0, 5.0
# After the second life, the outlet is gone for good and the recording goes on.
GONE_S = 12.0
# What an offset may be off.
BOUND_S = 0.002
AT_ONCE = 5


def one(recorder, folder) -> dict:
    """One recording: an outlet lives, dies, comes back, dies for good."""
    net = Net(folder)
    stream = {"name": "far", "channels": 8, "rate": 500, "chunk": 10, "stamps": "deduced", "source_id": "far", "copies": 2}
    spec = {"duration_s": LIVES_S, "die_after_s": LIVES_S, "streams": [stream]}
    first = net.outlets("first.json", {**spec, "wait_for_consumers_s": 30}, before=ELSEWHERE)
    file = folder / "out.xdf"
    running = Running(recorder, net, file, ["true()"])
    first.process.wait()
    time.sleep(AWAY_S)
    second = net.outlets("second.json", spec, before=ELSEWHERE)
    second.process.wait()
    time.sleep(GONE_S + SETTLE_S)
    usage = running.stop()
    command = [sys.executable, "-B", TOP / "tests/check/lsl.py", file, folder / "first.json", folder / "second.json"]
    command += ["--partial", "--foreign", "--offset", str(-AHEAD_S), "--bound", str(BOUND_S)]
    checked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    row = {"recorder": recorder.name, "stop_s": usage.stop_s, "code": usage.code}
    if checked.returncode:
        return {**row, "error": checked.stderr.strip().splitlines()[-1]}
    streams = json.loads(checked.stdout)["streams"]
    return {
        **row,
        "offsets": sum(stream["offsets"] for stream in streams),
        "false_offsets": sum(stream["false_offsets"] for stream in streams),
        # Before the first and after the last sample of each life.
        "missing": [stream["missing"] for stream in streams],
    }


def restarts(recorders, arguments, folder, tell) -> list:
    """Runs of each recorder, some at once: the streams are small, and each has ports of its own."""
    if subprocess.run([*ELSEWHERE, "true"], stderr=subprocess.DEVNULL).returncode:
        sys.exit("tests/bench/lsl: this machine gives no time namespace: run it as root")
    rows = []
    for recorder in recorders:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            folders = [folder / f"{recorder.name}-{run}" for run in range(arguments.runs)]
            mine = list(pool.map(lambda here: one(recorder, here), folders))
        rows += mine
        false = sum(row.get("false_offsets", 0) > 0 for row in mine)
        tell(f"{recorder.name}: false offsets in {false} of {len(mine)} runs")
        for row in mine:
            tell("    " + ", ".join(f"{key} {value}" for key, value in row.items() if key != "recorder"))
    return rows
