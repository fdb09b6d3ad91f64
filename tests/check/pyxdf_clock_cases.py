#!/usr/bin/env python3
"""Write what pyxdf's own functions make of generated clock offsets and stamps.

    python pyxdf_clock_cases.py FOLDER

writes load.txt and huber.txt into FOLDER (recorder/clock/tests/data, where a README says what is in
them). Run by hand when pyxdf changes; the tests of lockstep-clock read the files.
"""

import contextlib
import io
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
from pyxdf import pyxdf

warnings.simplefilter("ignore")


class Mock:
    """What pyxdf keeps of a stream while it loads."""

    def __init__(self, stamps, times, values, srate):
        self.time_stamps = np.array(stamps, dtype=float)
        self.time_series = np.zeros((len(stamps), 1))
        self.clock_times = [float(t) for t in times]
        self.clock_values = [float(v) for v in values]
        self.srate = srate
        self.tdiff = 1.0 / srate if srate > 0 else 0.0
        self.effective_srate = 0.0
        self.segments = []
        self.clock_segments = []


def numbers(values):
    return " ".join(repr(float(v)) for v in values)


def pairs(segments):
    return " ".join(f"{a}-{b}" for a, b in segments)


def write(out, name, stamps, times, values, srate=100.0, drop=False, footer=None, resets=True):
    header = {"info": {}}
    if drop:
        header["info"]["desc"] = [{"synchronization": [{"can_drop_samples": ["true"]}]}]
    if footer is not None:
        header["footer"] = {"info": {"sample_count": [str(footer)]}}
    streams = {1: Mock(stamps, times, values, srate)}
    print("case", name, file=out)
    print("stream", repr(float(srate)), int(drop), "-" if footer is None else footer, int(resets), file=out)
    print("times", numbers(times), file=out)
    print("values", numbers(values), file=out)
    print("stamps", numbers(stamps), file=out)
    pyxdf._truncate_corrupted_offsets(streams, {1: header})
    stream = streams[1]
    print("kept", len(stream.clock_times), len(stream.time_stamps), file=out)
    pyxdf._clock_sync(streams, handle_clock_resets=resets)
    print("clock_segments", pairs(stream.clock_segments), file=out)
    print("synced", numbers(stream.time_stamps), file=out)
    synced = stream.time_stamps.copy()
    pyxdf._jitter_removal(streams, stream_headers={1: header})
    print("segments", pairs(stream.segments), file=out)
    print("rate", repr(float(stream.effective_srate)), file=out)
    if np.array_equal(stream.time_stamps, synced):
        print("dejittered same", file=out)
    else:
        print("dejittered", numbers(stream.time_stamps), file=out)


def load_cases(out):
    rng = np.random.default_rng(20261123)

    def offsets(start, count, slope=2e-5, level=0.5, sigma=1e-5, every=5.0):
        times = start + every * np.arange(count) + rng.uniform(0, 0.3, count)
        return times, level + slope * (times - start) + rng.normal(0, sigma, count)

    def stamps(start, count, srate=100.0, sigma=1e-3):
        return start + np.arange(count) / srate + rng.normal(0, sigma, count)

    for base in (0.0, 1234.5, 98765.4, 1.7e9):
        times, values = offsets(base, 24)
        write(out, f"plain_{base:.0f}", stamps(base, 60, 0.5), times, values, srate=0.5)
        times, values = offsets(base, 40, level=-base)
        hit = rng.random(40) < 0.3
        values = values + np.where(hit, 0.1, 0.0)
        write(out, f"outliers_{base:.0f}", stamps(base, 60, 0.3), times, values, srate=0.3)
    for n in range(4):
        times, values = offsets(50.0, n)
        write(out, f"offsets_{n}", stamps(49.0, 40), times, values)
        write(out, f"offsets_{n}_no_resets", stamps(49.0, 40), times, values, resets=False)
    times, values = offsets(10.0, 5)
    write(out, "empty", [], times, values)
    write(out, "empty_no_offsets", [], [], [])
    write(out, "single", [12.0], times, values)
    write(out, "two", [12.0, 12.01], times, values)
    write(out, "duplicates", np.repeat(stamps(10.0, 20), 2), times, values)
    write(out, "all_equal", np.full(20, 15.0), times, values)
    write(out, "equal_offset_times", stamps(10.0, 20), np.full(4, 11.0), np.arange(4) * 1e-3)
    write(out, "irregular", 10.0 + np.sort(rng.uniform(0, 25, 30)), times, values, srate=0.0)
    for name, srate in (("drops", 30.0), ("drops_equal", 30.0)):
        times_of = stamps(10.0, 40, srate, 2e-3) if name == "drops" else np.full(5, 3.0)
        write(out, name, times_of, times, values, srate=srate, drop=True)

    # The clock set back, on, and back over earlier time; with one or two offsets in a range.
    for name, shift, first, second in (
        ("reset_back", -900.0, 20, 20),
        ("reset_on", 4000.0, 20, 20),
        ("reset_far_back", -5000.0, 12, 25),
        ("reset_one_before", -900.0, 1, 20),
        ("reset_one_after", -900.0, 20, 1),
        ("reset_two", -900.0, 2, 2),
    ):
        t1, v1 = offsets(1000.0, first)
        t2, v2 = offsets(1000.0 + 5.0 * first + shift, second, level=0.5 - shift)
        s1, s2 = stamps(998.0, 50, 0.5, 1e-2), stamps(1000.0 + 5.0 * first + shift, 50, 0.5, 1e-2)
        data = np.concatenate((s1[s1 < 1000 + 5 * first], s2))
        write(out, name, data, np.concatenate((t1, t2)), np.concatenate((v1, v2)), srate=0.5)
        write(
            out, name + "_off", data, np.concatenate((t1, t2)), np.concatenate((v1, v2)), srate=0.5, resets=False
        )
    parts = [offsets(start, 8, level=level) for start, level in ((100, 0), (9000, -8800), (50, 400), (7000, 0))]
    times, values = (np.concatenate(x) for x in zip(*parts))
    data = np.concatenate([stamps(start, 30, 1.0) for start in (100, 9000, 50, 7000)])
    write(out, "resets_many", data, times, values, srate=1.0)
    write(out, "resets_no_samples_between", data[:30], times, values, srate=1.0)
    write(out, "resets_samples_late", data[90:], times, values, srate=1.0)
    # A gap without a jump, a jump without a gap: no resets.
    times, values = offsets(100.0, 30)
    write(out, "gap_only", stamps(100, 40, 0.2), np.where(np.arange(30) > 15, times + 60, times), values, srate=0.2)
    write(out, "jump_only", stamps(100, 40, 0.2), times, np.where(np.arange(30) > 15, values + 60, values), srate=0.2)
    both = np.where(np.arange(30) > 15, 60.0, 0.0)
    write(out, "gap_and_jump", stamps(100, 50, 0.2), times + both, values + both, srate=0.2)

    # Breaks.
    data = np.concatenate((stamps(10, 30), stamps(20, 1), stamps(30, 40), stamps(5, 20)))
    write(out, "breaks", data, times, values)
    write(out, "breaks_unix", data + 1.7e9, times + 1.7e9, values)
    for srate, gap in ((1000.0, 0.99), (1000.0, 1.01), (100.0, 4.99), (100.0, 5.02), (1.0, 499.0), (1.0, 502.0)):
        data = np.concatenate((10 + np.arange(20) / srate, 10 + 19 / srate + gap + np.arange(20) / srate))
        write(out, f"threshold_{srate:.0f}_{gap}", data, [], [], srate=srate)
    write(out, "rate_far_off", stamps(10, 60, 37.0), [], [], srate=100.0)
    write(out, "backwards", stamps(10, 60)[::-1], [], [])

    # Corrupted last offsets.
    times, values = offsets(100.0, 12)
    late, high = times.copy(), values.copy()
    late[-1] += 100.0
    high[-1] += 5.0
    back = times.copy()
    back[-1] -= 1000.0
    for name, t, v in (("fine", times, values), ("late", late, values), ("high", times, high), ("back", back, values)):
        for footer in (49, 50, None):
            write(out, f"truncate_{name}_{footer}", stamps(100, 50, 1.0), t, v, srate=1.0, footer=footer)
    write(out, "truncate_equal", stamps(100, 50, 1.0), times, np.append(np.full(11, 2.0), 3.0), srate=1.0, footer=49)
    write(out, "truncate_two", stamps(100, 50, 1.0), times[:2], values[:2], srate=1.0, footer=49)
    write(out, "truncate_three", stamps(100, 50, 1.0), late[9:], values[9:], srate=1.0, footer=49)
    write(out, "truncate_times_equal", stamps(100, 50, 1.0), np.append(np.full(4, 100.0), 100.1), values[:5], srate=1.0, footer=49)
    write(out, "truncate_all", stamps(100, 50, 1.0), late, values, srate=1.0, footer=0)


def pseudo(state):
    """The numbers of a linear congruential generator, in [0, 1), exact in binary."""
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield (state >> 40) / 2**24


def huber_cases(out):
    """Offsets that are made by exact arithmetic, so that a test can make the same ones."""
    for base, level in ((0, 0), (100, -100), (98765, 5), (98765, -90000), (2**30, 1), (2**30, -(2**30) + 12345), (98765, 2**30)):
        for n in (2, 3, 5, 121, 384, 385, 720, 769, 2160):
            for spread in (2.0**-16, 2.0**-10, 2.0**-3):
                random = pseudo(n)
                times = [base + 5 * i + 0.25 * next(random) for i in range(n)]
                values = [level + 2.0**-15 * (5 * i) + spread * (next(random) if i % 3 else 2.0**-6 * next(random)) for i in range(n)]
                x = np.column_stack([np.ones(n), np.array(times) / 1e-4])
                coefficients = pyxdf._robust_fit(x, np.array(values) / 1e-4)
                coefficients[0] *= 1e-4
                bits = " ".join(struct.pack(">d", c).hex() for c in coefficients)
                print(base, level, n, repr(spread), bits, file=out)


def main():
    folder = Path(sys.argv[1])
    with contextlib.redirect_stderr(io.StringIO()):
        for name, cases in (("load.txt", load_cases), ("huber.txt", huber_cases)):
            with open(folder / name, "w") as out:
                cases(out)


main()
