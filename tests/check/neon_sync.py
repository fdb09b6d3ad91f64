"""neon_sync.py FILE TRUTH: the events that relate the phone's own recording to ours.

They stand where the maker's tool for aligning recordings (`lsl_relay_time_alignment`) looks for them, with the times
that the phone gave them; the phone's own recording has the same, and was saved after the last of them.
"""

import json
import re
import sys
from pathlib import Path

import pyxdf
from neon_truth import Log
from recording import expect

streams, _ = pyxdf.load_xdf(sys.argv[1], synchronize_clocks=False, dejitter_timestamps=False)
log = Log(Path(sys.argv[2]), "events.csv").rows
recorded = {}
for stream in streams:
    # What the tool takes: the type, and the session in the header.
    if stream["info"]["type"] == ["Event"] and len(stream["time_stamps"]):
        session = stream["info"]["desc"][0]["acquisition"][0]["session_id"][0]
        for (name,), stamp_s in zip(stream["time_series"], stream["time_stamps"]):
            recorded[name] = stamp_s
        pattern = re.compile(rf"lsl\.time_sync\.{session}\.\d+")
sync = [name for name in recorded if pattern.fullmatch(name)]
expect(len(sync) >= 3, f"events for aligning: {sorted(recorded)}")
kept = {}
for row in log:
    if row["kind"] == "event":
        event = json.loads(row["details"])
        kept[event["name"]] = event
        expect(event["recording_id"], f"outside of a recording: {event}")
expect(set(kept) == set(recorded), f"the phone has {sorted(kept)}, we have {sorted(recorded)}")
for name, stamp_s in recorded.items():
    expect(abs(kept[name]["timestamp"] / 1e9 - stamp_s) < 1e-6, f"{name} at {stamp_s}: {kept[name]}")
kinds = [row["kind"] for row in log if row["kind"] == "event" or row["kind"].startswith("recording")]
expect(kinds[0] == "recording_start" and kinds[-1] == "recording_save" and "event" in kinds, f"{kinds}")
json.dump({"sync_events": len(sync), "others": sorted(set(recorded) - set(sync))}, sys.stdout)
