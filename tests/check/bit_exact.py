"""bit_exact.py FILE TRUTH.csv...: every stream is what its device sent, every value and stamp."""

import sys

from recording import expect, load
from same_as_truth import compare
from truth import Truth

streams = load(sys.argv[1])
samples = 0
for path in sys.argv[2:]:
    truth = Truth(path)
    stream = streams[truth.name]
    expect(all(truth.delivered == 1), f"{truth.name}: the simulated network was not perfect")
    compare(stream, truth)
    nominal = float(stream.info["nominal_srate"][0])
    expect(nominal == truth.facts["nominal_rate_hz"], f"{truth.name}: nominal rate {nominal}")
    losses = stream.losses()
    expect(not any(losses.values()), f"{truth.name}: losses in the footer: {losses}")
    samples += len(stream.stamps)
print(f"{len(sys.argv) - 2} streams, {samples} samples: bit for bit as sent")
