"""prefix.py FILE NAME COUNT: the stream counts 0, 1 ... COUNT-1 at first, and from 0 again after each restart."""

import sys

import numpy as np
from recording import expect, load

counts = load(sys.argv[1])[sys.argv[2]].values[:, 0]
count = int(sys.argv[3])
expect(np.array_equal(counts[:count], np.arange(count)), f"not all {count} are there: {counts[:count + 5]}")
begins = np.flatnonzero(counts == 0)
for begin, end in zip(begins, [*begins[1:], len(counts)], strict=True):
    expect(np.array_equal(counts[begin:end], np.arange(end - begin)), f"a hole after sample {begin}")
print(f"{len(counts)} samples of {len(begins)} processes, none missing")
