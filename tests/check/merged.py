"""merged.py FILE LARGEST_S: in a merged file, the events that two machines recorded are at the same
times, by pyxdf's defaults as well as without any correction."""

import sys

import numpy as np
import pyxdf

path, largest_s = sys.argv[1], float(sys.argv[2])
for arguments in ({}, {"synchronize_clocks": False, "dejitter_timestamps": False}):
    streams, _ = pyxdf.load_xdf(path, **arguments)
    both = [s for s in streams if s["info"]["name"][0] == "trigger"]
    assert len(both) == 2, [s["info"]["name"][0] for s in streams]
    assert both[0]["time_series"] == both[1]["time_series"]
    files = [s["info"]["desc"][0]["lockstep"][0]["merge"][0]["file"][0] for s in both]
    assert files == ["a.xdf", "b.xdf"], files
    off_s = np.abs(both[0]["time_stamps"] - both[1]["time_stamps"])
    assert len(off_s) > 10 and off_s.max() <= largest_s, off_s.max()
    print(f"{arguments or 'defaults'}: {len(off_s)} events, at most {1e6 * off_s.max():.1f} us apart")
