"""What `lockstep export --format npz --compat pyxdf` wrote is what pyxdf loads.

exported_npz.py RECORDING FOLDER SYNCHRONIZE DEJITTER (the last two 0 or 1)
"""

import json
import math
import pathlib
import sys

import numpy as np
import pyxdf


def texts(arrays, name):
    if name in arrays:
        return list(arrays[name])
    joined, ends = arrays[name + ".utf8"].tobytes(), arrays[name + ".ends"]
    return [joined[a:b].decode() for a, b in zip([0, *ends[:-1]], ends)]


recording, folder = sys.argv[1], pathlib.Path(sys.argv[2])
synchronize, dejitter = sys.argv[3] == "1", sys.argv[4] == "1"
streams, _ = pyxdf.load_xdf(recording, synchronize_clocks=synchronize, dejitter_timestamps=dejitter)
facts = {}
for path in folder.glob("*.json"):
    about = json.loads(path.read_text())
    facts[about["stream"]["id"]] = (about, np.load(path.with_suffix(".npz"), allow_pickle=False))
assert len(facts) == len(streams), f"{len(facts)} tables of {len(streams)} streams"

for stream in streams:
    info, stamps = stream["info"], stream["time_stamps"]
    about, arrays = facts[info["stream_id"]]
    name = info["name"][0]
    assert len(arrays["time_s"]) == len(stamps), name
    if len(stamps):
        worst = np.max(np.abs(arrays["time_s"] - stamps))
        assert worst <= 1e-9, f"{name}: times differ by {worst} s"
    for index, channel in enumerate(about["channels"]):
        if isinstance(stream["time_series"], list):
            wanted = [row[index] for row in stream["time_series"]]
            assert texts(arrays, channel["name"]) == wanted, name
        else:
            wanted = np.ascontiguousarray(stream["time_series"][:, index])
            got = arrays[channel["name"]]
            assert len(stamps) == 0 or got.dtype == wanted.dtype, f"{name}: {got.dtype}"
            assert len(stamps) == 0 or got.tobytes() == wanted.tobytes(), name
    for key in ("segments", "clock_segments"):
        assert [tuple(s) for s in about[key]] == [tuple(s) for s in info[key]], f"{name}: {key}"
    rate, wanted = about["effective_srate"], info["effective_srate"]
    assert rate is None if not math.isfinite(wanted) else math.isclose(rate, wanted, rel_tol=2e-8), name
print(f"{len(streams)} streams are what pyxdf loads")
