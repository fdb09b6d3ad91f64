"""recovered.py ORIGINAL RECOVERED: pyxdf reads the same from both, as a user does and raw.

recovered.py --closed RECOVERED: it has samples, and footers that agree.
"""

import sys

import numpy as np
import pyxdf
from recording import expect, load


def same(a, b):
    """Whether two series are the same, bit for bit."""
    if isinstance(a, list) or isinstance(b, list):
        return list(a) == list(b)
    return np.asarray(a).shape == np.asarray(b).shape and np.array_equal(a, b, equal_nan=True)


def streams(path, **options):
    """Streams by id."""
    return {stream["info"]["stream_id"]: stream for stream in pyxdf.load_xdf(path, **options)[0]}


if sys.argv[1] == "--closed":
    found = load(sys.argv[2])
    expect(any(len(stream.stamps) for stream in found.values()), "nothing is in it")
    print(", ".join(f"{stream.name}: {len(stream.stamps)}" for stream in found.values()))
    sys.exit()
for options in ({}, dict(synchronize_clocks=False, dejitter_timestamps=False)):
    before, after = streams(sys.argv[1], **options), streams(sys.argv[2], **options)
    expect(list(before) == list(after), f"streams {list(before)} became {list(after)}")
    for sid, stream in before.items():
        for key in ("time_series", "time_stamps", "clock_times", "clock_values"):
            expect(same(stream[key], after[sid][key]), f"{key} of stream {sid} differs with {options}")
        expect(stream["info"] == after[sid]["info"], f"the header of stream {sid} differs with {options}")
        expect("footer" in after[sid], f"stream {sid} has no footer")
print(f"the same {len(before)} streams")
