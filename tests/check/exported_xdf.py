"""What `lockstep export --format xdf --sync robust` wrote shows the times of pyxdf without correction.

exported_xdf.py RECORDING SYNCHRONIZED
"""

import sys

import numpy as np
import pyxdf

before, _ = pyxdf.load_xdf(sys.argv[1], synchronize_clocks=True, dejitter_timestamps=False)
after, _ = pyxdf.load_xdf(sys.argv[2], synchronize_clocks=False, dejitter_timestamps=False)
assert [s["info"]["stream_id"] for s in before] == [s["info"]["stream_id"] for s in after]
for a, b in zip(before, after):
    assert not b["clock_times"], "there is nothing left to correct"
    assert np.allclose(a["time_stamps"], b["time_stamps"], rtol=0, atol=1e-9)
    if isinstance(a["time_series"], list):
        assert a["time_series"] == b["time_series"]
    else:
        assert a["time_series"].tobytes() == b["time_series"].tobytes()
    assert int(b["footer"]["info"]["sample_count"][0]) == len(b["time_stamps"])
print(f"{len(after)} streams are right as they are")
