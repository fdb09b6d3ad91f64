"""tests/bench/neon --long: a long recording of an undisturbed phone, each sample compared with the truth."""

import json
import subprocess
import sys
import time

from neon_phone import CHECK, Phone, Recording, give_up, table

FLAGS = "--scene-hz 30 --gaze-hz 200 --imu-hz 110 --eye-events-hz 3 --clock-offset-s 1234.567 --skew-ppm 40"
COLUMNS = (
    ("samples", "samples", "{}"),
    ("sent", "sent", "{}"),
    ("missing", "missing", "{}"),
    ("twice", "twice", "{}"),
    ("worst stamp us", "worst_stamp_us", "{:.1f}"),
)


def long(arguments, folder):
    """Record, compare; what tests/check/neon.py found, by stream."""
    folder = folder / "long"
    phone = Phone(arguments.lockstep, folder, FLAGS)
    recording = Recording(arguments.lockstep, folder, phone, more=", scene = true")
    time.sleep(60 * arguments.long)
    recording.stop()
    phone.stop()
    command = [sys.executable, "-B", CHECK / "neon.py", recording.file, phone.truth]
    checked = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if checked.returncode:
        give_up(f"the recording is not what was sent: {checked.stderr.strip().splitlines()[-1]}")
    found = json.loads(checked.stdout)
    rows = [[name, *(how.format(of[key]) for _, key, how in COLUMNS)] for name, of in found.items()]
    print(f"{arguments.long:g} min")
    table(["stream", *(heading for heading, _, _ in COLUMNS)], rows)
    return found
