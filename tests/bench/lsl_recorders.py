"""The recorders that tests/bench/lsl measures, and one run of one of them."""

import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PEERS = TOP / "tests/peers"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", TOP / "target"))
# How long a recorder may take to end before it is said to hang.
HANGS_S = 30.0
# After the last sample, so that what is under way arrives.
SETTLE_S = 1.0
PEAK_EVERY_S = 0.02
PORTS = 128
# Above those that are chosen, and below those of datagrams, which begin at 31 000.
FIRST_PORTS = {"disk": 30_250, "crash": 30_400, "crash-power": 30_550, "night": 30_700}
LOADABLE, WRITABLE = 1, 2

nets = itertools.count()


def labrecorder() -> Path:
    """LabRecorder's program of the Python package, installed under target/."""
    home = TARGET / "bench-labrecorder"
    program = home / "bin/LabRecorderCLI"
    if not program.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-deps"]
        command += ["--target", home, "--requirement", TOP / "tests/bench/requirements.txt"]
        subprocess.run(command, check=True)
        startable(program)
    return program


def startable(program: Path):
    """Make the second loaded segment writable.

    Its section `.dynamic`, into which the loader writes, shares a page with that segment, which is mapped
    read-only over it: as packaged, the program ends with a segmentation fault before its first instruction.
    """
    elf = bytearray(program.read_bytes())
    table, size, count = struct.unpack_from("<Q", elf, 32)[0], *struct.unpack_from("<HH", elf, 54)
    heads = [at for at in range(table, table + size * count, size) if struct.unpack_from("<I", elf, at)[0] == LOADABLE]
    (flags,) = struct.unpack_from("<I", elf, heads[1] + 4)
    struct.pack_into("<I", elf, heads[1] + 4, flags | WRITABLE)
    program.write_bytes(elf)
    program.chmod(0o755)


def lockstep() -> Path:
    """Our own, built as it is released."""
    command = ["cargo", "build", "--release", "-p", "lockstep-recorder", "--message-format=json"]
    built = subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE).stdout.decode()
    messages = [json.loads(line) for line in built.splitlines() if line.startswith("{")]
    return Path(next(m["executable"] for m in messages if m.get("executable") and m["target"]["name"] == "lockstep"))


@dataclass
class Recorder:
    """A recorder that can be started and stopped."""

    name: str
    program: Path

    def command(self, file: Path, predicates: list[str]) -> list:
        if self.name == "labrecorder":
            return [self.program, file, *predicates]
        return [self.program, "record", *itertools.chain(*(("--lsl", p) for p in predicates)), "-o", file]

    def stop(self, process: subprocess.Popen):
        """As its user would: LabRecorder by Enter, ours by Ctrl-C."""
        if self.name == "labrecorder":
            process.stdin.write(b"\n")
            process.stdin.close()
        else:
            process.send_signal(signal.SIGINT)


class Net:
    """A folder, and ports of its own on which its peers find one another, and no others.

    The first of them is chosen, unless a program that may run beside others says which: see `FIRST_PORTS`.
    """

    def __init__(self, folder: Path, first: int | None = None):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        first = first or 20_000 + next(nets) % 80 * (PORTS + 1)
        config = folder / "lsl_api.cfg"
        config.write_text(
            f"[ports]\nMulticastPort = {first}\nBasePort = {first + 1}\nPortRange = {PORTS}\nIPv6 = disable\n"
            "[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n[log]\nlevel = -2\n",
            encoding="utf-8",
        )
        self.environment = {**os.environ, "LSLAPICFG": str(config)}
        # Numerical libraries start a thread for each processor, which nobody needs here.
        self.environment["OPENBLAS_NUM_THREADS"] = "1"

    def peer(self, script: str, *arguments, before: tuple = ()) -> "Peer":
        command = [*before, sys.executable, "-B", PEERS / script, *arguments]
        return Peer(command, self.environment, self.folder / "peers.log")

    def outlets(self, truth: str, spec: dict, before: tuple = ()) -> "Peer":
        """Outlets, when they exist; their truth will be in the file `truth`."""
        peer = self.peer("lsl_outlets.py", self.folder / truth, json.dumps(spec), before=before)
        peer.wait_for("ready")
        return peer


class Peer:
    """A program that sends. What it says is read line by line; what it complains of is in the log."""

    def __init__(self, command: list, environment: dict, log: Path):
        self.log = log
        with open(log, "ab") as complaints:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True
            )

    def wait_for(self, word: str):
        for line in self.process.stdout:
            if line.startswith(word):
                return
        complaints = self.log.read_text(encoding="utf-8", errors="replace")
        sys.exit(f"{self.process.args}: ended before it said {word!r}\n{complaints[-2000:]}")

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


@dataclass
class Usage:
    """What a recorder used, and how it ended."""

    user_s: float = 0.0
    system_s: float = 0.0
    peak_bytes: int = 0
    # None: it hung, and was killed.
    stop_s: float | None = None
    code: int | None = None
    # By the clock of all peers that share it.
    stopped_at_s: float = 0.0
    log: str = field(default="", repr=False)


class Running:
    """A recorder at work."""

    def __init__(self, recorder: Recorder, net: Net, file: Path, predicates: list[str]):
        self.recorder = recorder
        self.log = net.folder / f"{recorder.name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                recorder.command(file, predicates),
                env=net.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.peak_bytes = 0
        self.watched = threading.Thread(target=self._watch, daemon=True)
        self.watched.start()

    def _watch(self):
        """The peak of its memory. (That of getrusage has in it what was there before the program began.)"""
        while True:
            try:
                status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
            except OSError:
                return
            peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
            # None left: it has ended, and waits to be asked how.
            if not peak:
                return
            self.peak_bytes = max(self.peak_bytes, int(peak[0].split()[1]) * 1024)
            time.sleep(PEAK_EVERY_S)

    def stop(self) -> Usage:
        """Stop it, and wait until it has ended."""
        asked = time.monotonic()
        self.recorder.stop(self.process)
        hangs = threading.Timer(HANGS_S, self.process.kill)
        hangs.start()
        _, status, usage = os.wait4(self.process.pid, 0)
        took = time.monotonic() - asked
        hangs.cancel()
        self.watched.join()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return Usage(
            usage.ru_utime,
            usage.ru_stime,
            self.peak_bytes,
            took if took < HANGS_S else None,
            self.process.returncode,
            asked,
            self.log.read_text(encoding="utf-8", errors="replace"),
        )
