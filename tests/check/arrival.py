"""arrival.py FILE TRUTH.csv: texts as sent, each stamped when it arrived, in the recorder's time."""

import sys

import numpy as np
from recording import expect, load
from truth import Truth

# Loopback takes microseconds; the rest is for a sender that is held up between its clock and its send.
LATEST_S = 0.25
# Two clocks of the kernel are compared, each to well below this.
EARLIEST_S = -0.0005

truth = Truth(sys.argv[2])
stream = load(sys.argv[1])[truth.name]
expect(stream.values == truth.values, "texts differ")
expect("clock" not in stream.desc, "arrival stamps are the recorder's own")
delays = stream.stamps - truth.sent_s
expect(len(delays) > 0, "nothing was sent")
expect(EARLIEST_S < delays.min() and delays.max() < LATEST_S, f"stamped {delays.min()} to {delays.max()} s late")
expect(np.median(delays) < 0.002, f"half of the stamps are more than {np.median(delays)} s late")
print(f"{len(delays)} texts, stamped {1e6 * np.median(delays):.0f} us after sending (median)")
