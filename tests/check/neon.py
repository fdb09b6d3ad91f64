"""neon.py FILE TRUTH: what simulated glasses sent is recorded, each sample once, as it was sent.

TRUTH is the folder of truth logs of `lockstep simulate neon`. Values bit for bit; stamps within a tick of 90 kHz of
the phone's clock, or `--stamps SECONDS`; those of eye events, which are rare, `--event-stamps`. Every sample that reached the recorder between its first and its last is
there: those that the simulated network lost are not expected. Pictures of the cameras are decoded from the file beside
the recording. What was found is printed as JSON.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pyxdf
from neon_frames import compare_frames
from neon_truth import Log
from recording import expect

# A tick of RTP time, and what a double holds of today's dates.
TICK_S = 1 / 90_000 + 5e-7
# Which columns of the truth are in which channels, by the bytes of a layout.
POINT = ["x", "y"]
SINGLE = ["gaze_mono_left_x", "gaze_mono_left_y", "gaze_mono_right_x", "gaze_mono_right_y"]
EYES = [
    f"{part.format(side)}"
    for side in ("left", "right")
    for part in (
        "pupil_diameter_{}",
        "eyeball_center_{}_x",
        "eyeball_center_{}_y",
        "eyeball_center_{}_z",
        "optical_axis_{}_x",
        "optical_axis_{}_y",
        "optical_axis_{}_z",
    )
]
LIDS = [
    part.format(side)
    for side in ("left", "right")
    for part in ("eyelid_angle_top_{}", "eyelid_angle_bottom_{}", "eyelid_aperture_{}")
]
CHANNELS = [*POINT, "worn", *SINGLE, *EYES, *LIDS]
LAYOUTS = {
    9: POINT,
    17: SINGLE,
    25: POINT + SINGLE,
    65: POINT + EYES,
    89: POINT + EYES + LIDS,
    105: POINT + EYES + LIDS + SINGLE,
}
IMU = [
    *(f"acceleration_{axis}" for axis in "xyz"),
    *(f"rotation_{axis}" for axis in "xyz"),
    *(f"quaternion_{axis}" for axis in "wxyz"),
]
EYE_EVENT = ["start_x", "start_y", "end_x", "end_y", "mean_x", "mean_y", "amplitude_pixels", "amplitude_angle_deg"]
EYE_EVENT += ["mean_velocity", "max_velocity"]


def delivered(row):
    """Copies that reached a client."""
    return sum(int(copies.split(":")[1]) for copies in row["delivered"].split())


def gaze(row):
    """The sample that should be recorded: of a layout that nobody knows, what most begin with."""
    known = LAYOUTS.get(int(row["bytes"]), POINT)
    sample = {channel: np.float32("nan") for channel in CHANNELS}
    sample["worn"] = np.float32(255 * int(row["worn"]))
    sample.update({channel: np.float32(row[channel]) for channel in known})
    return np.array([sample[channel] for channel in CHANNELS], np.float32)


def imu(row):
    return np.array([np.float32(row[channel]) for channel in IMU], np.float32)


def eye_event(row):
    def number(text):
        return float(np.float32(text)) if text else float("nan")

    def seconds(text):
        return int(text) // 10**9 + int(text) % 10**9 / 1e9 if text else float("nan")

    kind = int(row["type"])
    if kind == 5:
        return None
    return np.array([kind, seconds(row["start_ns"]), seconds(row["end_ns"]), *(number(row[c]) for c in EYE_EVENT)])


def compare(name, stream, truth, expected, tolerance_s):
    """One stream beside what was sent; whether a phone sent it, tells the truth alone."""
    values, stamps_s = np.asarray(stream["time_series"]), np.asarray(stream["time_stamps"])
    sent = [(row, sample) for row in truth if (sample := expected(row)) is not None]
    # What was sent, by its bytes: NaN are alike where they stand for nothing.
    places = {}
    for place, (_, sample) in enumerate(sent):
        places.setdefault(sample.tobytes(), []).append(place)
    found, unknown, again, errors_s = [], 0, 0, []
    for value, stamp_s in zip(values, stamps_s):
        candidates = places.get(np.ascontiguousarray(value, sent[0][1].dtype).tobytes(), [])
        if not candidates:
            unknown += 1
            continue
        # Constant values may be sent more than once: the nearest in time.
        place = min(candidates, key=lambda p: abs(int(sent[p][0]["device_ns"]) / 1e9 - stamp_s))
        again += place in found[-50:]
        found.append(place)
        errors_s.append(stamp_s - int(sent[place][0]["device_ns"]) / 1e9)
    expect(found, f"{name}: none of its {len(values)} samples was sent")
    between = range(min(found), max(found) + 1)
    due = {place for place in between if delivered(sent[place][0])}
    result = {
        "samples": len(values),
        "sent": len(between),
        "lost_by_network": len(between) - len(due),
        "missing": len(due - set(found)),
        "twice": again,
        "unknown": unknown,
        "backwards": int(np.sum(np.diff(stamps_s) < 0)),
        "worst_stamp_us": 1e6 * float(max(map(abs, errors_s))),
        "median_stamp_us": 1e6 * float(np.median(errors_s)),
    }
    expect(not unknown, f"{name}: {unknown} samples were never sent: {result}")
    expect(not again, f"{name}: {again} samples are there twice: {result}")
    expect(not result["missing"], f"{name}: {result['missing']} samples reached the recorder and are missing: {result}")
    expect(result["worst_stamp_us"] <= 1e6 * tolerance_s, f"{name}: stamps: {result}")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--stamps", type=float, default=TICK_S, metavar="S", help="how wrong stamps may be")
    parser.add_argument("--event-stamps", type=float, metavar="S", help="the same, of eye events; by default as others")
    parser.add_argument("--frame-stamps", type=float, metavar="S", help="the same, of pictures")
    arguments = parser.parse_args()
    streams, _ = pyxdf.load_xdf(str(arguments.file), synchronize_clocks=False, dejitter_timestamps=False)
    by_name = {stream["info"]["name"][0].split("_Neon ")[-1]: stream for stream in streams}
    kinds = {"Gaze": ("gaze", gaze), "IMU": ("imu", imu), "Eye Events": ("eye_events", eye_event)}
    found = {}
    for title, (name, expected) in kinds.items():
        if title in by_name and len(by_name[title]["time_stamps"]):
            truth = Log(arguments.truth, f"{name}.csv").rows
            # The IMU says its time itself, to the nanosecond.
            tolerances = {"imu": 1e-6, "eye_events": arguments.event_stamps or arguments.stamps}
            tolerance_s = tolerances.get(name, arguments.stamps)
            found[name] = compare(name, by_name[title], truth, expected, tolerance_s)
    frame_tolerance_s = arguments.frame_stamps or arguments.stamps
    for title, name in {"Scene Frames": "scene", "Eye Frames": "eyes"}.items():
        if title in by_name and len(by_name[title]["time_stamps"]):
            found[name] = compare_frames(name, by_name[title], arguments.file, arguments.truth, frame_tolerance_s)
    expect("gaze" in found, f"no gaze is in {arguments.file}: {sorted(by_name)}")
    json.dump(found, sys.stdout)


main()
