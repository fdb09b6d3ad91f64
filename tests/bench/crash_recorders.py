"""What tests/bench/crash kills: a recorder of one of the loads, started, and watched until it has begun."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from lsl_recorders import TOP, Net, Recorder

sys.path[:0] = [str(TOP / "tests/check"), str(TOP / "tests/peers")]
from logged_outlets import LOADS  # noqa: E402

# Longest wait for a recorder to begin.
PATIENCE_S = 30.0
# From here on up; those of LSL are below.
UDP_PORT = 31_000
UDP_OPTIONS = """
[[source]]
name = "udp"
plugin = "udp"
[source.options]
listen = "127.0.0.1:{port}"
payload = "binary"
fields = [{{ name = "c", type = "f32", count = {channels} }}]
nominal_rate_hz = {rate}
"""


def config_of(load: str, port: int, settings: str = "") -> str:
    """The configuration that records a load, all of its streams required."""
    specs = LOADS[load]
    text = f'[experiment]\nname = "crash"\n{settings}'
    names = ", ".join(f'{{ name = "{s.name}" }}' for s in specs if s.type != "udp")
    if names:
        text += f'[[source]]\nname = "lsl"\nplugin = "lsl"\n[source.options]\nstreams = [{names}]\n'
    for spec in specs:
        if spec.type == "udp":
            text += UDP_OPTIONS.format(port=port, channels=spec.channels, rate=spec.rate)
    return text


class NotBegun(Exception):
    """A recorder that does not begin; with what it said."""


class Begun:
    """A recorder at work that has begun to record all streams of its load."""

    def __init__(
        self,
        recorder: Recorder,
        net: Net,
        load: str,
        port: int,
        file: Path,
        preload: dict | None = None,
        settings: str = "",
    ):
        self.file, self.load, self.lines, self.is_lab = file, load, [], recorder.name == "labrecorder"
        if recorder.name == "labrecorder":
            command = [recorder.program, file, *(f"name='{spec.name}'" for spec in LOADS[load])]
        else:
            # Not beside it, where a disk may be full.
            config = net.folder / f"{time.monotonic_ns()}.toml" if settings else file.with_suffix(".toml")
            config.write_text(config_of(load, port, settings), encoding="utf-8")
            command = [recorder.program, "record", config, "-o", file, "--json"]
        self.process = subprocess.Popen(
            command,
            env={**net.environment, **(preload or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.begun_s, self._has_begun = None, threading.Event()
        begins = self._lab if recorder.name == "labrecorder" else self._ours
        self._reader = threading.Thread(target=self._read, args=(begins,), daemon=True)
        self._reader.start()
        if not self._has_begun.wait(PATIENCE_S) or self.begun_s is None:
            self.process.kill()
            self.process.wait()
            raise NotBegun(f"{recorder.name} does not record {load}: " + "".join(self.lines[-3:]))

    def _read(self, begins):
        for line in self.process.stdout:
            self.lines.append(line)
            if self.begun_s is None and begins(line):
                self.begun_s = time.monotonic()
                self._has_begun.set()
        self._has_begun.set()

    def _ours(self, line: str) -> bool:
        try:
            told = json.loads(line)
        except ValueError:
            return False
        return told.get("type") == "status" and told["status"]["phase"] == "recording"

    def _lab(self, _line: str) -> bool:
        return sum("Started data collection" in line for line in self.lines) == len(LOADS[self.load])

    def kill(self) -> float:
        """SIGKILL; by the monotonic clock, the last moment at which it was alive."""
        alive_s = time.monotonic()
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        return alive_s

    def stop(self) -> int:
        """As its user would; the exit code."""
        if self.is_lab:
            # On Enter.
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        else:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE_S)
        self._reader.join()
        return code
