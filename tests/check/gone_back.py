"""gone_back.py FILE NAME: a stamp of 1.0 among rising ones is kept, counted, and nothing else is lost."""

import sys

import numpy as np
from recording import expect, load

stream = load(sys.argv[1])[sys.argv[2]]
back = np.flatnonzero(np.diff(stream.stamps) < 0)
expect(len(back) == 1 and stream.stamps[back[0] + 1] == 1.0, f"stamps go back after samples {back}")
counts = np.delete(stream.values[:, 0], back[0] + 1)
expect(np.array_equal(counts, np.arange(len(counts))), "a sample is missing")
losses = stream.losses()
expected = {"dropped": 0, "rejected": 1, "lost": 0, "gaps_of_unknown_size": 0, "timestamps_back": 1,
            "unwritten": 0}
expect(losses == expected, f"{losses}")
