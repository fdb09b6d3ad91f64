"""clock_truth.py FILE TRUTH.csv...: clock offsets are true within half their round-trip time, and
every exchange that came back is in the companion stream, with its numbers as they were."""

import sys
from pathlib import Path

import numpy as np
from recording import expect, load
from truth import Truth, exchanges

# Readings are floored to 1 ns, and a stamp of 1e4 s is good to 2e-12 s.
READING_S = 2e-9

# A question is on its way for milliseconds here; for longer than this only on a machine that stood still.
STALLED_S = 0.05


def ntp_seconds(ticks, ticks_per_s):
    """A reading as the NTP packet carries it, as seconds since 1970, rounded once."""
    whole, rest = divmod(ticks, ticks_per_s)
    fraction = ((rest << 32) + ticks_per_s // 2) // ticks_per_s
    return ((whole << 32) + fraction) / 2**32


def true_questions(path):
    """Of each question that got an answer: (row of the log, t1, t2) of each of its answers.

    There are several when the simulated network brought the question twice.
    """
    facts, rows = exchanges(path)
    ticks_per_s = facts["ticks_per_s"]
    convert = ntp_seconds if facts["exchange"] == "ntp" else lambda ticks, per_s: ticks / per_s
    questions = {}
    for row in rows:
        if int(row["request_delivered"]) and int(row["reply_delivered"]):
            t1, t2 = (convert(int(row[key]), ticks_per_s) for key in ("t1_ticks", "t2_ticks"))
            questions.setdefault(row["t0"], []).append((row, t1, t2))
    return list(questions.values())


def check(streams, path):
    truth = Truth(path)
    stream, companion = streams[truth.name], streams[stream_clock(streams, truth.name)]
    t0, t1, t2, t3 = companion.values.T
    expect(np.array_equal(companion.stamps, t3), f"{truth.name}: exchanges are not stamped by t3")

    # Every exchange, once, and none that was not.
    questions = true_questions(Path(path).with_suffix(".exchanges.csv"))
    expect(len(questions) > 20, f"{truth.name}: only {len(questions)} exchanges")
    recorded = {(a, b): i for i, (a, b) in enumerate(zip(t1.tolist(), t2.tolist()))}
    late = 0
    for answers in questions:
        found = [(row, recorded[(a, b)]) for row, a, b in answers if (a, b) in recorded]
        if not found and all(float(row["t1_host_s"]) - float(row["t0"]) > STALLED_S for row, _, _ in answers):
            # The machine stood still: the plugin had given the question up when the answer came.
            late += 1
            continue
        expect(len(found) == 1, f"{truth.name}: recorded {len(found)} times: {answers}")
        row, i = found[0]
        if truth.facts["exchange"] == "echo":
            expect(float(row["t0"]) == t0[i], f"{truth.name}: t0 {t0[i]} recorded, {row['t0']} sent")
        ordered = t0[i] < float(row["t1_host_s"]) <= float(row["t2_host_s"]) < t3[i]
        expect(ordered, f"{truth.name}: recorder times {t0[i]}..{t3[i]} are not around {row}")
    expect(late <= 2, f"{truth.name}: {late} exchanges given up")
    expect(len(questions) - late == len(t0), f"{truth.name}: {len(t0)} recorded, {len(questions)} true")

    # Each offset: of an exchange that happened, at the time of that exchange, and true.
    expect(len(stream.offset_times) >= 3, f"{truth.name}: {len(stream.offset_times)} offsets")
    round_trips, times = (t3 - t0) - (t2 - t1), 0.5 * (t1 + t2)
    worst = 0.0
    for time, value in zip(stream.offset_times, stream.offset_values):
        i = int(np.argmin(np.abs(times - time)))
        expect(abs(times[i] - time) <= READING_S, f"{truth.name}: no exchange at {time}")
        measured = 0.5 * ((t0[i] - t1[i]) + (t3[i] - t2[i]))
        expect(abs(measured - value) <= READING_S, f"{truth.name}: {value} is not that exchange's {measured}")
        error = value - (truth.host_time(time) - time)
        bound = 0.5 * round_trips[i] + READING_S
        expect(abs(error) <= bound, f"{truth.name}: at {time} off by {error} s, bound {bound} s")
        worst = max(worst, abs(error) / bound)
    print(
        f"{truth.name}: {len(questions)} exchanges, {len(stream.offset_times)} offsets, worst error "
        f"{100 * worst:.0f} % of half the round-trip time, round trips "
        f"{1e3 * round_trips.min():.2f} to {1e3 * round_trips.max():.2f} ms"
    )


def stream_clock(streams, name):
    """Name of the clock that stamps a stream, which is that of its companion stream."""
    clock = streams[name].desc["clock"][0]["name"][0]
    expect(streams[clock].type == "ClockExchange", f"{clock} is a {streams[clock].type}")
    return clock


recording = load(sys.argv[1])
for truth_path in sys.argv[2:]:
    check(recording, truth_path)
