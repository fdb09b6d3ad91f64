"""What tests/bench/lsl sends, and what is in a file of it."""

import json
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests/check"), str(TOP / "tests/peers")]
from lsl import chunks, headers  # noqa: E402
from lsl_rule import TYPES, Rule, Spec  # noqa: E402

# Outlets push so often.
PUSH_EVERY_S = 0.02
# Compared value by value up to this size; pyxdf needs a multiple of it.
VERIFY_BYTES = 400 << 20


@dataclass
class Workload:
    """Streams for some seconds."""

    name: str
    about: str
    streams: list
    duration_s: float = 30.0
    # Stopped in the middle of the streams, not after them.
    cut: bool = False

    def spec(self, scale: float) -> dict:
        """For lsl_outlets.py."""
        duration_s = self.duration_s * scale
        lasts_s = duration_s + 10 if self.cut else duration_s
        return {"duration_s": lasts_s, "wait_for_consumers_s": 30, "delay_s": 0.5, "streams": self.streams}


def regular(name, channels, rate, copies=None, buffered_s=360):
    stream = {
        "name": name,
        "type": "EEG",
        "channels": channels,
        "rate": rate,
        "source_id": name,
        "stamps": "deduced",
        "chunk": max(1, round(rate * PUSH_EVERY_S)),
        "max_buffered_s": buffered_s,
    }
    return stream if copies is None else {**stream, "copies": copies}


def irregular(name, channels, rate, **more):
    return {"name": name, "channels": channels, "rate": rate, "source_id": name, "irregular": True, **more}


# Every format, text of every kind, a large header, a stream that says nothing.
FORMATS = [
    {**regular("f32", 8, 1000), "desc": {"special": True, "depth": 30}},
    {**regular("f64", 3, 500), "format": "double64"},
    {**regular("i8", 5, 100), "format": "int8"},
    {**regular("i16", 2, 44_100), "format": "int16"},
    {**regular("i32", 4, 250), "format": "int32"},
    {**regular("i64", 4, 250), "format": "int64", "desc": {"bytes": 1_000_000}},
    irregular("texts", 3, 50, format="string", chunk=5, wild=True),
    irregular("markers", 1, 10, type="Markers", format="string"),
    irregular("gaze", 20, 200, type="Gaze"),
    irregular("mute", 1, 10, format="string", silent=True),
]
W1 = [regular("eeg", 32, 1000, copies=8)]
WORKLOADS = [
    Workload("W1", "8 x 32 ch x 1 kHz", W1),
    Workload("W2", "1 x 64 ch x 20 kHz", [regular("fast", 64, 20_000)]),
    Workload("W3", "50 x 8 ch x 250 Hz", [regular("many", 8, 250, copies=50)]),
    Workload(
        "W4",
        "4 x 20 ch x 200 Hz irregular, markers",
        [
            irregular("gaze", 20, 200, type="Gaze", copies=4),
            irregular("markers", 1, 10, type="Markers", format="string"),
        ],
    ),
    Workload("T123", "64 ch x 480 kHz: 123 MB/s", [regular("t123", 64, 480_000, buffered_s=30)], 12),
    Workload("T164", "64 ch x 640 kHz: 164 MB/s", [regular("t164", 64, 640_000, buffered_s=30)], 12),
    Workload("M1", "1 ch x 1 MHz", [regular("m1", 1, 1_000_000, buffered_s=30)], 12),
    Workload("formats", "every format, 60 s", FORMATS, 60),
    Workload("one", "1 ch x 1 kHz: size of the file", [regular("one", 1, 1000)]),
    Workload("cut", "8 x 32 ch x 1 kHz, stopped within", W1, 10, cut=True),
    Workload("offsets", "8 x 32 ch x 1 kHz for 2 min: offsets", W1, 121),
]


@dataclass
class Contents:
    """What is in a file."""

    bytes: int
    # By the uid of the outlet.
    samples: dict = field(default_factory=dict)
    offsets_s: list = field(default_factory=list)


def survey(path: Path) -> Contents:
    """Count what is in a file, without its samples."""
    if not path.exists():
        return Contents(0)
    uids = {sid: tree.findtext("uid") for sid, tree in headers(path).items()}
    contents = Contents(path.stat().st_size, {uid: 0 for uid in uids.values() if uid})
    with open(path, "rb") as file:
        for tag, content in chunks(file):
            if tag not in (3, 4):
                continue
            uid = uids[int.from_bytes(content[:4], "little")]
            if uid and tag == 3:
                contents.samples[uid] += int.from_bytes(content[5 : 5 + content[4]], "little")
            elif uid:
                contents.offsets_s.append(struct.unpack_from("<d", content, 12)[0])
    return contents


def payload_bytes(spec: Spec, count: int) -> int:
    """Of so many samples, the values alone."""
    if spec.format == "string":
        return sum(len(text.encode()) for row in Rule(spec, 0.0).values(0, count) for text in row)
    return count * spec.channels * np.dtype(TYPES[spec.format]).itemsize


def sent(life: dict, stopped_at_s: float, cut: bool) -> int:
    """Samples that were sent; where the recorder was stopped within, before it was asked to stop."""
    if not cut or not life["count"]:
        return life["count"]
    spec = Spec(**life["spec"])
    chunks_due = int((stopped_at_s - life["base_s"]) * spec.rate / spec.chunk)
    return min(chunks_due * spec.chunk, life["count"])


def figures(workload: Workload, file: Path, truth: Path, usage) -> dict:
    """One row of the table."""
    known = json.loads(truth.read_text(encoding="utf-8"))
    contents = survey(file)
    all_sent = all_kept = payload = lost = 0
    tail_s = 0.0
    for life in known["lives"]:
        spec = Spec(**life["spec"])
        count, kept = sent(life, usage.stopped_at_s, workload.cut), contents.samples.get(life["uid"], 0)
        all_sent, all_kept = all_sent + count, all_kept + kept
        # Stopped within, the recorder may have gone on a little.
        lost += max(0, count - kept)
        tail_s = max(tail_s, (count - kept) / spec.rate)
        payload += payload_bytes(spec, kept)
    offsets_us = 1e6 * np.array(contents.offsets_s)
    return {
        "user_s": usage.user_s,
        "system_s": usage.system_s,
        "cpu_s": usage.user_s + usage.system_s,
        "peak_mb": usage.peak_bytes / 1e6,
        "sent": all_sent,
        "in_file": all_kept,
        "lost": lost,
        "lost_s": tail_s,
        "file_bytes": contents.bytes,
        "file_over_payload": contents.bytes / payload if payload else None,
        "stop_s": usage.stop_s,
        "code": usage.code,
        "offsets": len(offsets_us),
        "offset_mean_us": float(offsets_us.mean()) if len(offsets_us) else None,
        "offset_std_us": float(offsets_us.std()) if len(offsets_us) else None,
        "latest_push_s": known["latest_push_s"],
    }
