"""tail.py FILE STOPPED_S TRUTH.csv...: nothing that was sent before the stop is missing.

STOPPED_S is recorder time. A sample counts as sent before it when its device had begun to send it
SENDING_S earlier.
"""

import sys

import numpy as np
from recording import expect, load
from same_as_truth import compare
from truth import Truth

SENDING_S = 0.005

streams = load(sys.argv[1])
stopped_s = float(sys.argv[2])
for path in sys.argv[3:]:
    truth = Truth(path)
    last = compare(streams[truth.name], truth, whole=False)
    before = np.flatnonzero(truth.sent_s <= stopped_s - SENDING_S)
    expect(len(before) > 0, f"{truth.name}: nothing was sent before the stop")
    expect(truth.sent_s[-1] > stopped_s, f"{truth.name}: the device had ended before the stop")
    missing = before[before > last]
    expect(
        len(missing) == 0,
        f"{truth.name}: {len(missing)} samples sent before the stop are missing, the last "
        f"{stopped_s - truth.sent_s[missing[-1:]]} s before it",
    )
    print(f"{truth.name}: recorded up to {1e3 * (truth.sent_s[last] - stopped_s):+.1f} ms of the stop")
