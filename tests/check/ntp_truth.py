"""ntp_truth.py FILE TRUTH.csv: the exchanges with a simulated master clock are in the recording as
the server's log has them, bit by bit, each once; and each clock offset is true."""

import csv
import json
import sys

import numpy as np
import pyxdf
from recording import expect

UNIX_EPOCH_S = 2208988800
# A time of 1.8e9 s has steps of 0.24 us as a double.
ROUNDING_S = 1e-6


def unix_s(stamp):
    """The 64 bits of a stamp as seconds since 1970. Python divides integers exactly and rounds once."""
    return (stamp - (UNIX_EPOCH_S << 32)) / 2**32


recording, _ = pyxdf.load_xdf(sys.argv[1], synchronize_clocks=False, dejitter_timestamps=False)
exchanges = next(s for s in recording if s["info"]["name"][0] == "ntp")
desc = exchanges["info"]["desc"][0]
clock, server = desc["clock"][0], desc["ntp"][0]
with open(sys.argv[2], encoding="utf-8", newline="") as file:
    facts = json.loads(file.readline().removeprefix("# "))
    rows = list(csv.DictReader(file))

expect(exchanges["info"]["type"][0] == "ClockExchange", "it is a stream of exchanges")
expect((clock["domain"][0], clock["stamp"][0]) == ("unix", "exact"), f"clock: {clock}")
expect(float(clock["resolution_s"][0]) == 2.0**-32, f"clock: {clock}")
expect(server["server"][0].startswith("127.0.0.1:"), f"server: {server}")

# What came back, by its stamps.
true = {}
for row in rows:
    if int(row["reply_delivered"]):
        true[unix_s(int(row["t1_ntp"])), unix_s(int(row["t2_ntp"]))] = row
events = next(s for s in recording if s["info"]["type"][0] == "RecorderEvents")
events = [json.loads(text) for (text,) in events["time_series"]]
summary = next(e["details"] for e in events if e.get("name") == "ntp_summary")
t0, t1, t2, t3 = np.array(exchanges["time_series"]).T
expect(np.array_equal(exchanges["time_stamps"], t3), "exchanges are stamped by t3")
expect(len(t0) == summary["answered"] and len(t0) > 2, f"{len(t0)} recorded: {summary}")
expect(len(set(zip(t1, t2))) == len(t1), "each once")
for a, b, c, d in zip(t0, t1, t2, t3):
    expect((b, c) in true, f"{(a, b, c, d)} is not in the log")
    row = true[b, c]
    ordered = a < float(row["t1_host_s"]) <= float(row["t2_host_s"]) < d
    expect(ordered, f"recorder times {a}..{d} are not around {row}")
# Those that are not in the file came when nobody waited any more, which was counted.
missing = len(true) - len(t0)
expect(0 <= missing <= summary["unanswered"], f"{missing} missing: {summary}")
if "stratum" in server:
    expect(int(server["stratum"][0]) == facts["stratum"], f"server: {server}")

# What the stamps say of the clocks is true within half the round trip.
model, epoch_s = facts["clock"], facts["host_epoch_s"]
server_minus_host_s = -model["offset_s"] + ((t0 + t3) / 2 - epoch_s) * model["skew_ppm"] * 1e-6
offset_s = ((t0 - t1) + (t3 - t2)) / 2
round_trip_s = (t3 - t0) - (t2 - t1)
error_s = np.abs(offset_s + server_minus_host_s)
expect(np.all(error_s <= round_trip_s / 2 + ROUNDING_S), f"off by {error_s.max()} s")
print(
    f"{len(t0)} exchanges of {len(rows)} questions, {missing} came too late; round trips "
    f"{1e3 * round_trip_s.min():.3f} to {1e3 * round_trip_s.max():.3f} ms, worst error "
    f"{1e6 * error_s.max():.1f} us, in the quickest exchange {1e6 * error_s[round_trip_s.argmin()]:.1f} us"
)
