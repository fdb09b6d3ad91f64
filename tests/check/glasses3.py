"""glasses3.py FILE TRUTH: what simulated Glasses 3 sent is recorded, each message once, bit for bit.

TRUTH is the folder of truth logs of `lockstep simulate tobii`, which nobody but the recorder talked to. Between the
first and the last message of a stream that is recorded each one that was sent is there, with its stamp and values. Each
event that was sent to measure the clock is a time sync, with the glasses' time. What was found is printed as JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyxdf
from recording import expect
from truth_log import Log

EYE = ["origin_x_mm", "origin_y_mm", "origin_z_mm", "direction_x", "direction_y", "direction_z", "pupil_mm"]
GAZE = ["gaze2d_x", "gaze2d_y", "gaze3d_x_mm", "gaze3d_y_mm", "gaze3d_z_mm"]
GAZE += [f"{eye}_{name}" for eye in ("left", "right") for name in EYE]
STREAMS = {
    "Tobii_gaze": ("gaze.csv", GAZE),
    "Tobii_accelerometer": ("imu.csv", [f"accelerometer_{axis}_m_s2" for axis in "xyz"]),
    "Tobii_gyroscope": ("imu.csv", [f"gyroscope_{axis}_deg_s" for axis in "xyz"]),
    "Tobii_magnetometer": ("imu.csv", [f"magnetometer_{axis}_ut" for axis in "xyz"]),
    "Tobii_syncPort": ("sync_port.csv", ["direction", "value"]),
}
TAG = "LockstepTimeSync"


def number(text):
    """A number of the log; what was not in the message is no number."""
    return {"": float("nan"), "in": 0.0, "out": 1.0}[text] if text in ("", "in", "out") else float(text)


def compare(name, stream, log, columns):
    """Every message that was sent between the first and the last one recorded."""
    is_gaze = name == "Tobii_gaze"
    sent = [(float(row["stamp_s"]), [number(row[column]) for column in columns]) for row in log.rows if row["delivered"]]
    # A message of the IMU has a part of its values; one of gaze may have none, and is a sample all the same.
    sent = [(stamp_s, values) for stamp_s, values in sent if is_gaze or not all(map(np.isnan, values))]
    got = list(zip(map(float, stream["time_stamps"]), np.asarray(stream["time_series"], float).tolist()))
    if not got:
        expect(not sent, f"{name}: nothing of {len(sent)} messages")
        return {"samples": 0, "sent": 0}

    def at(row):
        return next((k for k, other in enumerate(sent) if same(row, other)), None)

    first = at(got[0])
    expect(first is not None, f"{name}: {got[0]} was not sent")
    due = sent[first : first + len(got)]
    wrong = next(((a, b) for a, b in zip(got, due) if not same(a, b)), None)
    expect(wrong is None and len(due) == len(got), f"{name}: {wrong}, {len(got)} of {len(sent)}")
    # The last moments may have been on their way.
    expect(len(sent) - len(due) - first < 30, f"{name}: {len(got)} from {first} on, of {len(sent)}")
    return {"samples": len(got), "sent": len(due), "before": first, "after": len(sent) - len(due) - first}


def same(a, b):
    return a[0] == b[0] and np.array_equal(a[1], b[1], equal_nan=True)


def main():
    streams, _ = pyxdf.load_xdf(sys.argv[1], synchronize_clocks=False, dejitter_timestamps=False)
    by_name = {stream["info"]["name"][0]: stream for stream in streams}
    truth = Path(sys.argv[2])
    found = {name: compare(name, by_name[name], Log(truth, file), columns) for name, (file, columns) in STREAMS.items()}
    exchanges = Log(truth, "exchanges.csv").rows
    ours = [round(float(row["stamp_s"]) * 1e6) for row in exchanges if row["tag"] == TAG and row["delivered"]]
    syncs = [int(device_us) for _, device_us, _ in by_name["Tobii_timeSync"]["time_series"]]
    expect(syncs and set(syncs) <= set(ours), f"time syncs: {syncs[:5]} of {ours[:5]}")
    found["time_syncs"] = {"recorded": len(syncs), "sent": len(ours)}
    others = [json.loads(row["object"]) for row in exchanges if row["tag"] != TAG and row["delivered"]]
    events = [json.loads(text)["object"] for (text,) in by_name["Tobii_events"]["time_series"]]
    expect(events == others, f"events: {events} of {others}")
    found["events"] = len(events)
    json.dump(found, sys.stdout)


main()
