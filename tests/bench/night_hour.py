"""tests/bench/night --real: devices that come, go and fail for an hour of real time, and what is left of it in the end.

LSL outlets (one of them anew each minute) and markers, a device by UDP and texts by UDP, a Neon phone that is away now
and then; where the recorder knows `isolation`, a source in a process of its own that is killed now and then.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyxdf
from lsl_recorders import FIRST_PORTS, TOP, Net
from neon_phone import ADDRESSES, last_line
from night_watch import Watch, children_of, growth, told

sys.path.insert(0, str(TOP / "tests/check"))
from lsl import headers  # noqa: E402
from truth import Truth  # noqa: E402

PATIENCE_S = 90
# Devices begin so long after the recorder, and what comes at once can be judged from the first sample on.
DELAY_S = 8
AWAY_EVERY_S, AWAY_S = 600, 20
KILLED_EVERY_S = 240
LIFE_S, PAUSE_S = 50, 10
PORTS = {"imu": (31_900, 31_901), "crashing": (31_902, 31_903)}
TEXTS_PORT = 31_904
HEAD = """[experiment]
name = "night"
[recording]
wait_s = 60
"""
LSL = """[[source]]
name = "lsl"
plugin = "lsl"
[source.options]
streams = [{ name = "steady" }, { name = "markers" }, { name = "restarting" }]
"""
NEON = """[[source]]
name = "glasses"
plugin = "neon"
[source.options]
address = "{address}"
sensors = {{ gaze = true, imu = true, eye_events = true }}
"""
TEXTS = f"""[[source]]
name = "texts"
plugin = "udp"
required = false
[source.options]
listen = "127.0.0.1:{TEXTS_PORT}"
payload = "marker"
"""


class Device:
    """A simulated device at work, whose truth goes to a folder of its own."""

    def __init__(self, lockstep: Path, folder: Path, kind: str, name: str, flags: list):
        self.truth, self.log = folder / f"{name}.truth", folder / f"{name}.log"
        command = [lockstep, "simulate", kind, *flags, "--truth", self.truth]
        with open(self.log, "wb") as said:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)

    def wait_for(self, pattern: re.Pattern) -> re.Match:
        until = time.monotonic() + PATIENCE_S
        while not (found := pattern.search(self.log.read_text(encoding="utf-8", errors="replace"))):
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(f"tests/bench/night: a simulated device did not begin: {last_line(self.log)}")
            time.sleep(0.05)
        return found

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)


class Killer(threading.Thread):
    """Kills the recorder's child processes now and then."""

    def __init__(self, recorder: subprocess.Popen, every_s: float, tell):
        super().__init__(daemon=True)
        self.recorder, self.every_s, self.tell = recorder, every_s, tell
        self.kills, self.over = 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(self.every_s):
            for child in children_of(self.recorder.pid):
                os.kill(child, signal.SIGKILL)
                self.kills += 1
                self.tell(f"killed child {child}")


def isolates(lockstep: Path) -> bool:
    """Whether sources can have a process of their own."""
    return '"isolation"' in subprocess.run([lockstep, "schema"], capture_output=True, text=True).stdout


def udp_flags(name: str, seconds: float) -> list[str]:
    to, answers = PORTS[name]
    flags = f"--name {name} --payload binary --channels 8 --rate-hz 200 --skew-ppm 40 --clock-offset-s 1234.567"
    flags += f" --to 127.0.0.1:{to} --exchange-port {answers} --start-delay-s {DELAY_S} --duration-s {seconds}"
    return flags.split()


def source_of(lockstep: Path, flags: list[str], more: str = "") -> str:
    """The source that records such a device."""
    command = [lockstep, "simulate", "udp", *flags, "--print-config"]
    told_config = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    source = told_config[told_config.index("[[source]]") :]
    return source.replace("[[source]]\n", f"[[source]]\n{more}", 1)


def lsl_spec(seconds: float) -> dict:
    lives = [[k, min(k + LIFE_S, seconds)] for k in range(0, int(seconds) - PAUSE_S, LIFE_S + PAUSE_S)]
    common = {"channels": 8, "rate": 250, "chunk": 5, "stamps": "deduced", "max_buffered_s": 60}
    streams = [
        {"name": "steady", "source_id": "steady", **common},
        {"name": "restarting", "source_id": "restarting", "seed": 1, "lives": lives, **common},
        {"name": "markers", "type": "Markers", "rate": 1, "format": "string", "irregular": True, "source_id": "markers"},
    ]
    return {"duration_s": seconds, "wait_for_consumers_s": 60, "delay_s": 1, "linger_s": 60, "streams": streams}


def check(script: str, *arguments) -> dict:
    """What a checker says."""
    command = [sys.executable, "-B", TOP / "tests/check" / script, *map(str, arguments)]
    checked = subprocess.run(command, capture_output=True, text=True, errors="replace")
    complaint = checked.stderr.strip().splitlines()[-1:] if checked.returncode else []
    return {"right": checked.returncode == 0, "said": (complaint or [checked.stdout.strip()])[0]}


def some_of(file: Path, truth_csv: Path) -> dict:
    """A stream whose source was killed: whatever is there was sent, in this order; how much is missing."""
    truth = Truth(truth_csv)
    raw, _ = pyxdf.load_xdf(str(file), synchronize_clocks=False, dejitter_timestamps=False)
    mine = [stream for stream in raw if stream["info"]["name"][0].startswith(truth.name) and stream["info"]["channel_count"][0] == "8"]
    stamps = np.concatenate([stream["time_stamps"] for stream in mine])
    values = np.concatenate([stream["time_series"] for stream in mine])
    places = np.searchsorted(truth.stamps, stamps)
    places[places == len(truth.stamps)] = 0
    right = np.array_equal(truth.stamps[places], stamps) and values.tobytes() == truth.values[places].tobytes()
    right = right and bool(np.all(np.diff(places) > 0))
    return {"right": right, "said": f"{len(stamps)} of {len(truth.stamps)} samples, in {len(mine)} streams"}


def hour(arguments, lockstep: Path, tell) -> dict:
    """All of it."""
    seconds = 60 * arguments.minutes
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lockstep-hour-", dir=arguments.folder) as folder:
        return record(Path(folder), seconds, lockstep, arguments.output, tell)


def record(folder: Path, seconds: float, lockstep: Path, output: Path, tell) -> dict:
    file, config, log = folder / "hour.xdf", folder / "hour.toml", folder / "lockstep.log"
    net = Net(folder / "net", FIRST_PORTS["night"])
    aways = [flag for at in range(AWAY_EVERY_S // 2, int(seconds) - AWAY_S, AWAY_EVERY_S) for flag in ("--outage", f"{at}:{AWAY_S}")]
    flags = "--no-mdns --port 0 --eyes-hz 0 --scene-hz 0 --gaze-hz 50 --imu-hz 25 --clock-offset-s 1234.567 --skew-ppm 40"
    phone = Device(lockstep, folder, "neon", "phone", [*flags.split(), *aways])
    where = phone.wait_for(ADDRESSES)
    outlets = net.outlets("lsl.json", lsl_spec(seconds))
    isolated = isolates(lockstep)
    text = HEAD + LSL + NEON.format(address=f"{where[1]}:{where[2]}") + TEXTS + source_of(lockstep, udp_flags("imu", seconds))
    names = ["imu"]
    if isolated:
        text += source_of(lockstep, udp_flags("crashing", seconds), 'isolation = "process"\n')
        names.append("crashing")
    config.write_text(text, encoding="utf-8")
    command = [lockstep, "record", config, "-o", file]
    with open(log, "wb") as said:
        recorder = subprocess.Popen(command, env=net.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
    watch = Watch(recorder, 5.0, output / "night-hour.samples", tell)
    killer = Killer(recorder, min(KILLED_EVERY_S, seconds / 4), tell) if isolated else None
    devices = {name: Device(lockstep, folder, "udp", name, udp_flags(name, seconds)) for name in names}
    texts = f"--name texts --payload marker --mean-rate-hz 1 --to 127.0.0.1:{TEXTS_PORT} --start-delay-s {DELAY_S}"
    devices["texts"] = Device(lockstep, folder, "udp", "texts", [*texts.split(), "--duration-s", str(seconds)])
    tell(f"recording for {seconds / 60:g} min" + (", a source in a process of its own" if isolated else ""))
    until_s = time.monotonic() + seconds + DELAY_S + 2
    while time.monotonic() < until_s and recorder.poll() is None:
        time.sleep(1)
    if killer:
        killer.over.set()
    if recorder.poll() is None:
        recorder.send_signal(signal.SIGINT)
    code = recorder.wait(PATIENCE_S)
    watch.join()
    outlets.wait_for("done")
    outlets.end()
    for device in (phone, *devices.values()):
        device.stop()
    tell(f"ended with {code}: {last_line(log)}")
    result = {"minutes": seconds / 60, "code": code, "isolated": isolated, "kills": killer.kills if killer else 0}
    result["growth"] = growth(watch.samples, min(300, seconds / 4), min(AWAY_EVERY_S, seconds / 4))
    result["rss_mb"] = {f"{minute} min": rss_at(watch.samples, minute) for minute in (1, 5, 30)} | {"end": watch.samples[-1].rss_bytes / 1e6}
    result["bytes"] = file.stat().st_size
    result["log"] = log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
    if code not in (0, 3):
        tell("\n".join(result["log"]))
        return result
    tell("    RSS MB at " + ", ".join(f"{at}: {rss:.1f}" for at, rss in result["rss_mb"].items() if rss))
    told(result["growth"], tell)
    result["checks"] = checks(file, folder, net, devices, phone, lockstep)
    for name, found in result["checks"].items():
        tell(f"    {name}: {'right' if found['right'] else 'WRONG'}: {found['said'][:300]}")
    return result


def rss_at(samples: list, minute: float):
    """RSS in MB then, if it went on for so long."""
    return next((sample.rss_bytes / 1e6 for sample in samples if sample.at_s >= 60 * minute), None)


def checks(file: Path, folder: Path, net: Net, devices: dict, phone: Device, lockstep: Path) -> dict:
    """The file beside the truths."""
    known = {stream["name"] for stream in lsl_spec(120)["streams"]}
    others = [tree.findtext("name") for tree in headers(file).values()]
    lsl_arguments = [file, net.folder / "lsl.json", "--partial", "--offset", 0, "--also", *(n for n in others if n not in known)]
    found = {
        "lsl": check("lsl.py", *lsl_arguments),
        "imu": check("bit_exact.py", file, devices["imu"].truth / "imu.csv"),
        "texts": check("arrival.py", file, devices["texts"].truth / "texts.csv"),
        "neon": check("neon.py", file, phone.truth),
    }
    if "crashing" in devices:
        found["crashing"] = some_of(file, devices["crashing"].truth / "crashing.csv")
    checked = subprocess.run([lockstep, "check", "--json", file], capture_output=True, text=True, errors="replace")
    findings = json.loads(checked.stdout)[0]["findings"]
    found["check"] = {"right": checked.returncode in (0, 3), "said": json.dumps(findings)}
    return found
