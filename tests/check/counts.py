"""counts.py FILE NAME...: each stream counts 0, 1, 2 ... without a hole, with rising stamps."""

import sys

import numpy as np
from recording import expect, load

streams = load(sys.argv[1])
for name in sys.argv[2:]:
    stream = streams[name]
    counts = stream.values[:, 0]
    expect(len(counts) > 0, f"{name} is empty")
    wrong = np.flatnonzero(counts != np.arange(len(counts)))
    expect(len(wrong) == 0, f"{name}: sample {wrong[:1]} is {counts[wrong[:1]]}")
    expect(np.all(np.diff(stream.stamps) > 0), f"{name}: stamps do not rise")
    print(f"{name}: {len(counts)} samples, all of them")
