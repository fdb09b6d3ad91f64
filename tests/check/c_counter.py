"""c_counter.py FILE: what tests/plugins/c_counter/counter.c sends is in the file, exactly."""

import sys

import numpy as np
from recording import expect, load

AHEAD_S = 100.0
INT64_MIN = -(2**63)

streams = load(sys.argv[1])
numbers, words, clock = streams["c-numbers"], streams["c-words"], streams["c-clock"]

# int64, from the very lowest value up: nothing may pass through a float on its way.
expect(numbers.format == "int64" and numbers.values.dtype == np.int64, numbers.format)
count = len(numbers.stamps)
expect(count > 50, f"{count} samples in c-numbers")
expected = [[n, INT64_MIN + n] for n in range(count)]
expect(numbers.values.tolist() == expected, "int64 values differ")
expect(np.all(np.diff(numbers.stamps) > 0), "stamps of c-numbers do not rise")

expect(words.format == "string", words.format)
expect(abs(len(words.stamps) - count / 10) <= 1, f"{len(words.stamps)} words for {count} numbers")
expect(all(value == ["tick é"] for value in words.values), "words differ")
expect(words.stamps.tolist() == numbers.stamps[::10].tolist()[: len(words.stamps)], "stamps of words differ")

# The header: what the plugin stated, and what the recorder adds.
info, desc = numbers.info, numbers.desc
expect(info["type"] == ["Counts"] and float(info["nominal_srate"][0]) == 200.0, f"{info}")
expect(desc["made_in"] == ["99"], f"{desc}")
channels = desc["channels"][0]["channel"]
expect(channels[0] == {"label": ["up"], "unit": ["counts"]} or channels[0]["unit"] == ["counts"], f"{channels}")
expect([c["label"] for c in channels] == [["up"], ["low"]], f"{channels}")
expect(desc["clock"][0]["name"] == ["c-clock"], f"{desc['clock']}")
acquisition = desc["acquisition"][0]
expect(acquisition["plugin"] == ["counter 0.1.0"], f"{acquisition}")
expect(acquisition["serial_number"] == ["SN-7 <&>"], f"{acquisition}")
synchronization = desc["synchronization"][0]
expect(float(synchronization["offset_mean"][0]) == 0.0125, f"{synchronization}")
expect(synchronization["can_drop_samples"] == ["false"], f"{synchronization}")

# Every exchange, with the stamps as they were taken.
expect(clock.type == "ClockExchange" and clock.format == "double64", f"{clock.info}")
labels = [c["label"][0] for c in clock.desc["channels"][0]["channel"]]
expect(labels == ["t0", "t1", "t2", "t3"], f"{labels}")
facts = {key: value[0] for key, value in clock.desc["clock"][0].items()}
expect(facts["name"] == "c-clock" and facts["domain"] == "device", f"{facts}")
expect(float(facts["resolution_s"]) == 0.0 and facts["stamp"] == "exact", f"{facts}")
expect(len(clock.stamps) == len(words.stamps), f"{len(clock.stamps)} exchanges")
t0, t1, t2, t3 = clock.values.T
expect(np.array_equal(clock.stamps, t3), "exchanges are not stamped by t3")
expect(np.array_equal(t1, t2) and np.all(t0 <= t3), "stamps of exchanges differ")

# An offset for each, for both streams of the clock: host minus device, at the exchange.
for stream in (numbers, words):
    expect(len(stream.offset_times) == len(t0), f"{len(stream.offset_times)} offsets of {stream.name}")
    expect(np.array_equal(stream.offset_times, 0.5 * (t1 + t2)), "collection times differ")
    expect(np.allclose(stream.offset_values, -AHEAD_S, rtol=0, atol=0.01), f"{stream.offset_values}")
    round_trips = (t3 - t0) - (t2 - t1)
    off = np.abs(np.array(stream.offset_values) + AHEAD_S)
    expect(np.all(off <= round_trips / 2 + 1e-9), f"off by {off.max()} s")
expect(len(clock.offset_times) == 0, "the exchanges are in recorder time and need no offsets")
print(f"{count} numbers, {len(words.stamps)} words, {len(t0)} exchanges")
