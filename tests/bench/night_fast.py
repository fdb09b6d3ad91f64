"""tests/bench/night: hours of recorded time in minutes, by the plugin of tests/plugins/night."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lsl_recorders import TOP
from night_watch import Watch, growth, told

CONFIG = """[experiment]
name = "night"
[[source]]
name = "night"
plugin = "night"
[source.options]
hours = {hours}
speed = {speed}
"""
# Of the real time: what comes before is the start.
WARM_UP_S = 5.0
PART_S = 60.0


def fast(arguments, lockstep: Path, tell) -> dict:
    """One night; the figures."""
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lockstep-night-", dir=arguments.folder) as folder:
        folder = Path(folder)
        config, file, log = folder / "night.toml", folder / "night.xdf", folder / "lockstep.log"
        config.write_text(CONFIG.format(hours=arguments.hours, speed=arguments.speed), encoding="utf-8")
        command = [lockstep, "record", config, "-o", file, "--plugin-dir", lockstep.parent]
        began_s = time.monotonic()
        with open(log, "wb") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        watch = Watch(process, 1.0, arguments.output / "night-fast.samples")
        code = process.wait()
        watch.join()
        took_s = time.monotonic() - began_s
        said = log.read_text(encoding="utf-8", errors="replace")
        # 3: the gaps are losses that the file tells of.
        if code not in (0, 3):
            sys.exit(f"tests/bench/night: lockstep ended with {code}:\n{said[-2000:]}")
        part_s = min(PART_S, took_s / 3)
        result = {"hours": arguments.hours, "took_s": took_s, "code": code, "bytes": file.stat().st_size}
        result["growth"] = growth(watch.samples, WARM_UP_S, part_s, arguments.speed)
        tell(f"{arguments.hours:g} h in {took_s:.0f} s, {file.stat().st_size / 1e6:.0f} MB, exit code {code}")
        told(result["growth"], tell)
        checked = subprocess.run([lockstep, "check", "--json", file], capture_output=True, text=True, errors="replace")
        result["check"] = {"code": checked.returncode, "findings": json.loads(checked.stdout)[0]["findings"]}
        command = [sys.executable, "-B", TOP / "tests/check/night.py", file, str(arguments.hours)]
        judged = subprocess.run(command, capture_output=True, text=True, errors="replace")
        result["right"] = judged.returncode == 0
        if judged.returncode:
            result["wrong"] = judged.stderr.strip().splitlines()[-1]
            tell(f"    the file is WRONG: {result['wrong']}")
        else:
            result["found"] = json.loads(judged.stdout)
            streams = result["found"]["streams"]
            tell("    the file is right: " + ", ".join(f"{name} {of['samples']} samples, {of['lost']} lost" for name, of in streams.items()))
            offsets = streams["signal"]
            tell(f"    {offsets['offsets']} clock offsets on {offsets['time_lines']} time lines, off by {offsets['worst_offset_us']:.0f} us at worst")
    return result
