"""night.py FILE HOURS: what tests/plugins/night sent in so many hours of its life is in the file, exactly.

Every value, every stamp, every gap as the plugin counted it, every exchange, each clock offset within its bound. All of
it follows from the number of the sample, as in tests/plugins/night/src/device.rs. What was found is printed as JSON.
"""

import json
import math
import sys

import numpy as np
import pyxdf
from recording import Stream, check_footer, expect

RESET_EVERY_US, EPOCH_US, JITTER_US = 3 * 3_600_000_000, 5_000_000, 200
EXCHANGE_EVERY_S, PROBES = 5, 8
SKEW, WANDER_S, WANDER_PERIOD_S = 30e-6, 1e-3, 3600.0
# The longest way of an exchange, less the shortest, halved; and the drift within one.
BOUND_S = 0.5 * 800e-6 + 1e-6
# Samples looked at together.
BLOCK = 1 << 20


def mixed(number):
    x = number + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def stamps_s(numbers, rate_hz):
    jitter_us = (mixed(numbers.astype(np.uint64)) % np.uint64(2 * JITTER_US + 1)).astype(np.int64)
    reading_us = numbers * 1_000_000 // rate_hz % RESET_EVERY_US + EPOCH_US
    return (reading_us + jitter_us - JITTER_US).astype(np.float64) / 1e6


def signal(numbers):
    raw = numbers[:, None] * 31 + np.arange(8)[None, :] * 1009
    return raw.astype(np.uint16).view(np.int16)


def gaze(numbers):
    return (numbers & 0xFFFFF)[:, None].astype(np.float32) + np.arange(4, dtype=np.float32) * np.float32(0.25)


def check_samples(stream, rate_hz, hours, every, lasts, values):
    """All samples but those of gaps; returns how many there are."""
    due = math.ceil(round(hours * 36_000) * rate_hz / 10)
    at = lost = 0
    for first in range(0, due, BLOCK):
        numbers = np.arange(first, min(first + BLOCK, due), dtype=np.int64)
        numbers = numbers[numbers % every < every - lasts]
        here = slice(at, at + len(numbers))
        at += len(numbers)
        recorded = np.asarray(stream.stamps[here])
        expect(len(recorded) == len(numbers), f"{stream.name}: ends after {len(stream.stamps)} samples")
        wrong = np.flatnonzero(recorded != stamps_s(numbers, rate_hz))
        expect(not len(wrong), f"{stream.name}: stamp of sample {numbers[wrong[:1]]}: {recorded[wrong[:1]]}")
        if values is not None:
            expect(np.array_equal(stream.values[here], values(numbers)), f"{stream.name}: values near {first}")
    expect(at == len(stream.stamps), f"{stream.name}: {len(stream.stamps)} samples, {at} sent")
    # A gap that has not ended is not told of.
    lost = lasts * ((due - 1) // every)
    losses = stream.losses()
    expect(losses == dict.fromkeys(losses, 0) | {"lost": lost}, f"{stream.name}: {lost} lost in truth, {losses}")
    return {"samples": at, "lost": lost}


def check_offsets(stream, begin_s):
    """Each offset was measured, and is as near to the truth as its exchanges allow."""
    times, offsets = np.asarray(stream.offset_times), np.asarray(stream.offset_values)
    # Which time line: they come in order, and begin anew.
    lines = np.concatenate([[0], np.cumsum(np.diff(times) < 0)])
    crystal_s = times - EPOCH_US / 1e6 + lines * (RESET_EVERY_US / 1e6)
    true_s = begin_s + crystal_s * (1 + SKEW) + WANDER_S * np.sin(crystal_s * 2 * np.pi / WANDER_PERIOD_S) - times
    worst_s = float(np.abs(offsets - true_s).max())
    expect(worst_s <= BOUND_S, f"{stream.name}: an offset is off by {worst_s} s")
    return {"offsets": len(times), "time_lines": int(lines[-1]) + 1, "worst_offset_us": 1e6 * worst_s}


def main():
    hours = float(sys.argv[2])
    raw, _ = pyxdf.load_xdf(sys.argv[1], synchronize_clocks=False, dejitter_timestamps=False)
    streams = {stream.name: stream for stream in map(Stream, raw)}
    for stream in streams.values():
        check_footer(stream)
    begin_s = float(streams["signal"].desc["night"][0]["begin_s"][0])
    found = {
        "signal": check_samples(streams["signal"], 500, hours, 421 * 500, 2 * 500, signal),
        "gaze": check_samples(streams["gaze"], 120, hours, 601 * 120, 3 * 120, gaze),
        "markers": check_samples(streams["markers"], 1, hours, 1 << 60, 0, None),
    }
    texts = [[f"night/{number}"] for number in range(len(streams["markers"].stamps))]
    expect(streams["markers"].values == texts, "markers: texts differ")
    seconds = round(hours * 36_000) / 10
    bursts = math.ceil(seconds / EXCHANGE_EVERY_S)
    for name, of in found.items():
        of |= check_offsets(streams[name], begin_s)
        expect(of["offsets"] == bursts, f"{name}: {of['offsets']} clock offsets, {bursts} bursts")
        expect(of["time_lines"] == math.ceil(seconds * 1e6 / RESET_EVERY_US), f"{name}: {of['time_lines']} time lines")
    exchanges = len(streams["night-clock"].stamps)
    expect(exchanges == bursts * PROBES, f"{exchanges} exchanges of {bursts * PROBES}")
    print(json.dumps({"hours": hours, "exchanges": exchanges, "streams": found}))


main()
