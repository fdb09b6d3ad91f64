#!/usr/bin/env python3
"""Write recordings of every kind that pyxdf reads without an error.

    python compat_files.py FOLDER COUNT

Seeded: file 17 is always the same. Features are dealt out by the file's number, so that each is there
many times, and combined at random.
"""

import gzip
import sys
from pathlib import Path

import numpy as np

from xdf_writer import (
    DTYPES, FORMATS, boundary, chunk, clock_offset, file_header, samples, stream_footer, stream_header,
)

RATES = (0.0, 100.0, 1.0, 0.5, 60.0, 128.0, 500.0, 1000.0, 44100.0, 29.97)
STAMPS = ("all", "first_of_chunk", "some", "none", "duplicates", "backwards", "breaks", "thresholds", "wild")
OFFSETS = ("usual", "none", "one", "two", "three", "outliers", "equal_times", "equal_values", "dense")
CLOCKS = ("steady", "reset_back", "reset_on", "resets", "back_slightly", "gap_only", "jump_only")
FOOTERS = ("right", "none", "garbage_late", "garbage_high", "garbage_back", "fewer", "more", "zero")
BASES = (0.0, 1234.5, 98765.4321, 1.7e9, -50.0, 4.0e6)
TEXTS = (b"", b"a", b"stimulus/17", "Grüße, 測試 \U0001f600".encode(), b"bad \xff\xfe utf-8 \xe2\x82", b"nul\0", b"x" * 300)


class Dealer:
    """Deals out features: evenly by the number of the stream, then at random."""

    def __init__(self, number, rng):
        self.number = number
        self.rng = rng

    def pick(self, list_, prime):
        """Every second time at random, so that features meet in all combinations."""
        if (self.number // prime) % 2:
            return list_[self.rng.integers(len(list_))]
        return list_[(self.number * prime) % len(list_)]


def rows(rng, fmt, count, channels):
    """Values over the whole range of the format."""
    if fmt == "string":
        return [[TEXTS[rng.integers(len(TEXTS))] for _ in range(channels)] for _ in range(count)]
    dtype = np.dtype(DTYPES[fmt])
    if dtype.kind == "i":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, (count, channels), dtype, endpoint=True)
    # Any bits: infinities, NaNs with a payload and subnormal numbers are among them.
    return rng.integers(0, 256, (count, channels * dtype.itemsize), "u1").view(dtype)


def device_times(rng, deal, rate, count, base):
    """Stamps by the device's clock before anything happens to it, and which are written."""
    kind = deal.pick(STAMPS, 5)
    period = 1 / rate if rate else float(rng.choice([0.01, 0.3, 2.0]))
    if rate:
        times = base + np.arange(count) * period * (1 + rng.normal(0, 1e-3)) + rng.normal(0, 0.1 * period, count)
    else:
        times = base + np.cumsum(rng.exponential(period, count))
    written = np.ones(count, bool)
    if kind == "some":
        written = rng.random(count) < 0.4
    elif kind == "none":
        written[:] = False
    elif kind == "duplicates":
        times = times[np.sort(rng.integers(0, max(count, 1), count))] if count else times
    elif kind == "backwards" and count > 3:
        times[count // 2 :] -= rng.choice([0.5, 3.0, 20.0]) + 600 * period * rng.integers(2)
    elif kind == "breaks":
        for at in rng.integers(0, max(count, 1), 3):
            times[at:] += rng.choice([1.5, 40.0, 600 * period])
    elif kind == "thresholds" and count > 3:
        limit = max(1.0, 500 * period)
        times[count // 3 :] += limit * rng.choice([0.999, 1.001]) - period
    elif kind == "wild":
        times = base + rng.normal(0, 1e3, count)
    return times, written, kind


def clock_happens(rng, deal, times, offset_times, level):
    """What happens to the device's clock on the way; stamps, offset times and values."""
    kind = deal.pick(CLOCKS, 7)
    values = level + rng.normal(0, 2e-5) * offset_times + np.abs(rng.normal(0, 2e-4, len(offset_times)))
    if len(times) == 0 or len(offset_times) < 2 or kind == "steady":
        return times, offset_times, values
    low, high = offset_times[0], offset_times[-1]
    cuts = {"resets": 3}.get(kind, 1)
    for at in np.sort(rng.uniform(low, high, cuts)):
        later_samples, later_offsets = np.arange(len(times)) >= np.searchsorted(times, at), offset_times > at
        shift = {"reset_back": -900.0, "reset_on": 4000.0, "back_slightly": -12.0, "gap_only": 60.0}.get(
            kind, rng.choice([-700.0, 350.0, 2500.0])
        )
        if kind != "jump_only":
            times = np.where(later_samples, times + shift, times)
            offset_times = np.where(later_offsets, offset_times + shift, offset_times)
        if kind != "gap_only":
            values = np.where(later_offsets, values - shift, values)
    return times, offset_times, values


def offsets(rng, deal, times, base):
    """Times of clock offsets beside the stamps, before anything happens to the clock."""
    kind = deal.pick(OFFSETS, 11)
    end = float(np.max(times)) if len(times) else base + 10
    every = 5.0 if end - base < 150 else (end - base) / 25
    few = {"none": 0, "one": 1, "two": 2, "three": 3}.get(kind)
    count = few if few is not None else int(np.clip((end - base) / every, 6, 30))
    if kind == "dense":
        every = 0.25
    return base + every * np.arange(count) + rng.uniform(0, 0.3, count), kind


def stream_chunks(rng, deal, sid):
    """All chunks of one stream, in order."""
    fmt = FORMATS[deal.number % len(FORMATS)]
    channels = int(rng.choice([1, 1, 2, 3, 8]))
    rate = deal.pick(RATES, 3)
    count = int(rng.choice([0, 1, 2, 3, 30, 120, 250], p=[0.06, 0.06, 0.05, 0.05, 0.28, 0.3, 0.2]))
    base = deal.pick(BASES, 13)
    times, written, stamps_kind = device_times(rng, deal, rate, count, base)
    offset_times, offsets_kind = offsets(rng, deal, times, base)
    level = -base + rng.normal(0, 100) if rng.random() < 0.5 else rng.normal(0, 1)
    times, offset_times, values = clock_happens(rng, deal, times, offset_times, level)
    if offsets_kind == "outliers":
        values = values + np.where(rng.random(len(values)) < 0.3, 0.1, 0.0)
    elif offsets_kind == "equal_times":
        offset_times = np.full(len(offset_times), base + 1)
    elif offsets_kind == "equal_values":
        values = np.full(len(values), level)

    footer = deal.pick(FOOTERS, 17)
    if footer.startswith("garbage") and len(values):
        last = len(values) - 1
        offset_times[last] += {"garbage_late": 1e4, "garbage_back": -1e4}.get(footer, 0)
        values[last] += {"garbage_high": 1e3}.get(footer, 0)

    desc = rng.choice(["", "<channels><channel><label>A</label></channel></channels>", "<note>ü &amp; &lt;x&gt;</note>"])
    if deal.number % 6 == 0:
        drops = rng.choice(["true", "TRUE", "True", "false", "1"])
        desc += f"<synchronization><can_drop_samples>{drops}</can_drop_samples><offset_mean>0.02</offset_mean></synchronization>"
    extra = "<stream_id>7</stream_id>" if deal.number % 19 == 0 else ""
    yield stream_header(sid, f"stream {sid}", fmt, channels, rate, extra, desc)

    data = rows(rng, fmt, count, channels)
    cuts = np.sort(rng.integers(0, count + 1, rng.integers(1, 7))) if count else np.array([], int)
    parts = np.split(np.arange(count), cuts)
    body = []
    for part in parts:
        if len(part) == 0 and rng.random() < 0.7:
            continue
        stamps = [float(times[i]) if written[i] else None for i in part]
        if stamps_kind == "first_of_chunk":
            stamps[1:] = [None] * (len(stamps) - 1)
        size = int(rng.choice([1, 4, 8])) if len(part) < 256 else 4
        body.append(samples(sid, stamps, [data[i] for i in part], fmt, size, rng.choice([None, 4, 8])))
    # Offsets among the samples, in their own order.
    places = np.sort(rng.integers(0, len(body) + 1, len(values)))
    for index, part in enumerate(body + [None]):
        for offset in np.flatnonzero(places == index):
            yield clock_offset(sid, float(offset_times[offset]), float(values[offset]))
        if part is not None:
            yield part
    if footer != "none":
        said = {"right": count, "more": count + 10, "zero": 0}.get(footer, max(0, count - 3))
        yield stream_footer(sid, said)


def recording(number):
    """The bytes of one file."""
    rng = np.random.default_rng([20261123, number])
    sids = rng.choice([0, 1, 2, 3, 0x02C0FFEE, 2**32 - 1, 77, 2**31], rng.integers(1, 4), replace=False)
    streams = [list(stream_chunks(rng, Dealer(3 * number + i, rng), int(sid))) for i, sid in enumerate(sids)]
    out = [file_header()]
    if number % 23 == 0:
        streams.append([])
    # Interleaved: some headers come late.
    while any(streams):
        stream = streams[rng.integers(len(streams))]
        for _ in range(min(len(stream), rng.integers(1, 4))):
            out.append(stream.pop(0))
        if rng.random() < 0.15:
            out.append(boundary())
        if rng.random() < 0.1:
            out.append(chunk(int(rng.choice([0, 7, 99, 65535])), rng.bytes(rng.integers(0, 400)), rng.choice([None, 8])))
    return b"".join(out)


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    for number in range(count):
        data = recording(number)
        name, packed = f"g{number:03}.xdf", number % 10 == 9
        if packed:
            name = f"g{number:03}.xdfz" if number % 20 == 9 else f"g{number:03}.xdf.gz"
            data = gzip.compress(data, mtime=0)
        (folder / name).write_bytes(data)


main()
