"""Comparing a recorded stream with the truth: what was delivered, once each, in order, bit for bit."""

import numpy as np
from recording import expect


def same_bits(recorded, true):
    """Whether two arrays have one type, one shape, and the same bits."""
    return recorded.dtype == true.dtype and recorded.shape == true.shape and recorded.tobytes() == true.tobytes()


def compare(stream, truth, whole=True):
    """Panic unless `stream` is what was delivered: all of it, or (not `whole`) all up to some sample.

    Gives the true index of the last recorded sample.
    """
    name = truth.name
    delivered = np.flatnonzero(truth.delivered > 0)
    count = len(stream.stamps)
    expect(count > 0, f"{name} is empty")
    if whole:
        expect(count == len(delivered), f"{name}: {count} samples recorded, {len(delivered)} delivered")
    expect(count <= len(delivered), f"{name}: {count} samples recorded, only {len(delivered)} delivered")
    kept = delivered[:count]
    wrong = np.flatnonzero(stream.stamps != truth.stamps[kept])
    expect(
        same_bits(stream.stamps, truth.stamps[kept]),
        f"{name}: {len(wrong)} stamps differ, first sample {wrong[:1]}: "
        f"{stream.stamps[wrong[:1]]} recorded, {truth.stamps[kept][wrong[:1]]} true",
    )
    expect(stream.format == truth.facts["format"], f"{name}: recorded as {stream.format}")
    if stream.format == "string":
        expect(stream.values == [truth.values[i] for i in kept], f"{name}: texts differ")
    else:
        expect(same_bits(np.ascontiguousarray(stream.values), truth.values[kept]), f"{name}: values differ")
    return kept[-1]


def lost_before(truth, last):
    """Samples that were lost between the first and the last that were delivered up to `last`."""
    delivered = np.flatnonzero(truth.delivered > 0)
    return int(np.sum(truth.delivered[delivered[0] : last + 1] == 0))
