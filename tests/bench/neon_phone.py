"""What tests/bench/neon runs: a simulated phone, and lockstep that records it. And how a table is printed."""

import atexit
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CHECK = TOP / "tests/check"
sys.path.insert(0, str(CHECK))
# Longest wait for a program to begin, or to end.
PATIENCE_S = 60
# Complete, and recorded with losses that the file tells of.
RECORDED = (0, 3)
ADDRESSES = re.compile(r"REST http://(127\.0\.0\.1):(\d+),.*Time Echo 127\.0\.0\.1:(\d+)")
CONFIG = """
[experiment]
name = "neon"
[clock]
interval_s = 1
[[source]]
name = "glasses"
plugin = "neon"
[source.options]
address = "{address}"
transport = "{transport}"
sensors = {{ gaze = true, imu = true, eye_events = true{more} }}
"""


def give_up(why):
    sys.exit(f"tests/bench/neon: {why}")


def start(command, log):
    """A program at work, whose words go to `log`; it does not outlive this one."""
    with open(log, "wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
    atexit.register(process.kill)
    return process


def ended(process, log, what):
    """Wait until it has ended; its exit code."""
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        give_up(f"{what} does not end: {last_line(log)}")


def last_line(log):
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


class Phone:
    """A simulated phone at work, without cameras, that writes its truth into `folder`."""

    def __init__(self, lockstep, folder, flags):
        folder.mkdir()
        self.truth, self.log = folder / "truth", folder / "phone.log"
        command = [lockstep, "simulate", "neon", "--no-mdns", "--port", "0", "--eyes-hz", "0"]
        command += ["--truth", self.truth, *flags.split()]
        command += [] if "--scene-hz" in flags else ["--scene-hz", "0"]
        self.process = start(command, self.log)
        began_s = time.monotonic()
        while not (found := ADDRESSES.search(self.log.read_text(encoding="utf-8", errors="replace"))):
            if self.process.poll() is not None or time.monotonic() - began_s > PATIENCE_S:
                give_up(f"the simulated phone did not begin: {last_line(self.log)}")
            time.sleep(0.02)
        self.host, self.port, self.echo_port = found[1], int(found[2]), int(found[3])
        self.address = f"{self.host}:{self.port}"

    def stop(self):
        """End it, so that the truth is complete."""
        self.process.send_signal(signal.SIGINT)
        if ended(self.process, self.log, "the simulated phone"):
            give_up(f"the simulated phone failed: {last_line(self.log)}")


class Recording:
    """lockstep, recording a phone."""

    def __init__(self, lockstep, folder, phone, transport="udp", more=""):
        self.file, self.log = folder / "out.xdf", folder / "lockstep.log"
        config = folder / "config.toml"
        config.write_text(CONFIG.format(address=phone.address, transport=transport, more=more), encoding="utf-8")
        command = [lockstep, "record", config, "--output", self.file]
        self.process = start(command, self.log)

    def stop(self):
        """Stop it, as its user would."""
        self.process.send_signal(signal.SIGINT)
        code = ended(self.process, self.log, "lockstep")
        if code not in RECORDED:
            give_up(f"lockstep ended with {code}: {last_line(self.log)}")


def table(headings, rows):
    """Print a table of texts: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows)]

    def line(cells):
        padded = [f"{cell:<{w}}" if k == 0 else f"{cell:>{w}}" for k, (cell, w) in enumerate(zip(cells, widths))]
        return f"| {' | '.join(padded)} |"

    print(line(headings))
    print("|" + "|".join(f":{'-' * (w + 1)}" if k == 0 else f"{'-' * (w + 1)}:" for k, w in enumerate(widths)) + "|")
    for row in rows:
        print(line(row), flush=True)
