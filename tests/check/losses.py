"""losses.py FILE TRUTH.csv...: all that was delivered is there once, in order; all that was lost is counted."""

import sys

from recording import expect, load
from same_as_truth import compare, lost_before
from truth import Truth

streams = load(sys.argv[1])
for path in sys.argv[2:]:
    truth = Truth(path)
    stream = streams[truth.name]
    last = compare(stream, truth)
    true_loss, losses = lost_before(truth, last), stream.losses()
    expect(true_loss > 0, f"{truth.name}: the simulated network lost nothing")
    expected = dict.fromkeys(losses, 0) | {"lost": true_loss}
    expect(losses == expected, f"{truth.name}: {true_loss} lost in truth, footer says {losses}")
    print(f"{truth.name}: {len(stream.stamps)} recorded, {true_loss} lost, as in truth")
