"""tobii.py FILE TRUTH: what a simulated eye tracker gave to the recorder is recorded, in order, bit for bit.

TRUTH is the folder of truth logs of the library that stands in for Tobii's. Each sample that the library delivered is
in the recording once, with the tracker's stamp to the microsecond, the library's own system time and all values; each
time sync is there with its three stamps, and is an exchange of the tracker's clock. What the recorder says is missing
between the first and the last sample is what the library did not deliver. What was found is printed as JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyxdf
from recording import expect
from tobii_truth import Log

EYES = ("left", "right")


def floats(row, *names):
    return [float(np.float32(row[name])) for name in names]


def flag(row, name):
    return float(row[name])


def expected(row):
    """The channels of a gaze sample: as TittaLSL orders them, then the library's time, then what that leaves out."""
    values = []
    for eye in EYES:
        values += floats(row, f"{eye}_display_x", f"{eye}_display_y")
        values += floats(row, *(f"{eye}_point_{axis}_mm" for axis in "xyz"))
        values += [flag(row, f"{eye}_point_valid"), 1, *floats(row, f"{eye}_pupil_mm"), flag(row, f"{eye}_pupil_valid"), 1]
        values += floats(row, *(f"{eye}_origin_{axis}_mm" for axis in "xyz"))
        values += [flag(row, f"{eye}_origin_valid"), 1, float("nan"), 0, 0]
    values += [int(row["device_us"]) / 1e6, int(row["system_us"]) / 1e6]
    for eye in EYES:
        values += floats(row, *(f"{eye}_position_{axis}" for axis in "xyz"))
        values.append(flag(row, f"{eye}_position_valid"))
        values += floats(row, *(f"{eye}_eyeball_{axis}_mm" for axis in "xyz"))
        values.append(flag(row, f"{eye}_eyeball_valid"))
    return values


# Whether the place of an eye in the track box is valid. Older layouts do not say it by itself: as the eye's place is.
TRACK_BOX_VALID = {41: 13, 49: 31}


def same(got, want, columns):
    """Whether these values are those, where it is known what stands there."""
    got, want = np.array(got), np.array(want)
    for flag, origin in TRACK_BOX_VALID.items():
        if got[flag] == got[origin]:
            want[flag] = got[flag]
    return np.array_equal(got[columns], want[columns], equal_nan=True)


def microseconds(stamps_s):
    return [round(stamp_s * 1e6) for stamp_s in stamps_s]


def compare_gaze(stream, log, gaps):
    """Every sample that was delivered, in order, and nothing else."""
    delivered = log.delivered()
    stamps_us = microseconds(stream["time_stamps"])
    expect(stamps_us == [int(row["device_us"]) for row in delivered], f"gaze: {len(stamps_us)} of {len(delivered)}")
    # The Pro SDK says nothing of the place in the track box, nor of the eyeball.
    series = np.asarray(stream["time_series"])
    columns = [c for c in range(series.shape[1]) if c < 38 or not np.all(np.isnan(series[:, c]) | (series[:, c] == 0))]
    for values, row in zip(series, delivered):
        expect(same(values, expected(row), columns), f"gaze: {list(values)} is not {row}")
    first, last = int(delivered[0]["index"]), int(delivered[-1]["index"])
    missing = sum(first < int(row["index"]) < last and row["delivered"] != "1" for row in log.rows)
    told = [gap["lost_samples"] for gap in gaps]
    if None not in told:
        expect(sum(told) == missing, f"{missing} samples were not delivered, and {told} are told")
    return {"samples": len(stamps_us), "not_delivered": missing, "told": told}


def compare_syncs(stream, clock, log):
    """Every time sync that the recorder was given, and the exchanges made of them."""
    want = [[int(row[name]) for name in ("st1_us", "et2_us", "st3_us")] for row in log.delivered()]
    got = [list(map(int, row)) for row in stream["time_series"]]
    expect(got == want, f"time syncs: {len(got)} of {len(want)}: {[row for row in got if row not in want][:3]}")
    exchanges = [[round(value * 1e6) for value in row] for row in clock["time_series"]]
    expect(sorted(exchanges) == sorted([st1, et2, et2, st3] for st1, et2, st3 in want), "exchanges are not the time syncs")
    return {"time_syncs": len(got)}


def main():
    streams, _ = pyxdf.load_xdf(sys.argv[1], synchronize_clocks=False, dejitter_timestamps=False)
    by_name = {stream["info"]["name"][0]: stream for stream in streams}
    truth = Path(sys.argv[2])
    events = [json.loads(text) for (text,) in by_name["Lockstep Events"]["time_series"]]
    gaps = [event for event in events if event["event"] == "gap" and event["stream"] == "Tobii_gaze"]
    found = compare_gaze(by_name["Tobii_gaze"], Log(truth, "gaze.csv"), gaps)
    found |= compare_syncs(by_name["Tobii_timeSync"], by_name["Tobii_clock"], Log(truth, "timesync.csv"))
    found["resets"] = sum(event["event"] == "clock_reset" for event in events)
    if "Tobii_externalSignal" in by_name:
        changes = Log(truth, "syncport.csv").delivered()
        found |= {"external_signal": len(by_name["Tobii_externalSignal"]["time_stamps"]), "changes": len(changes)}
    json.dump(found, sys.stdout)


main()
