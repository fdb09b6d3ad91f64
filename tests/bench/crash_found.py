"""What is in a file whose recorder ended without warning, beside what was pushed."""

import logging
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyxdf

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / part) for part in ("check", "peers")]
from logged_outlets import LOADS, log_of  # noqa: E402
from lsl_rule import Rule  # noqa: E402

# It warns of each torn end, which is what there is here.
logging.getLogger("pyxdf").setLevel(logging.CRITICAL)
# Promised: samples older than this are with the operating system; and on the disk.
HELD_S = 0.25
DISK_S = 1.0


@dataclass
class Found:
    """Of one file."""

    # What pyxdf said when it did not load.
    error: str | None = None
    # How old the oldest lost sample was, over all streams.
    lost_s: float = 0.0
    lost: int = 0
    kept: int = 0
    # Where something is missing in the middle, or is not what was sent.
    wrong: list = field(default_factory=list)
    # Number of the first and the last sample of each stream.
    spans: dict = field(default_factory=dict)
    footers: int = 0
    streams: int = 0

    def as_dict(self):
        return asdict(self)


def load(path: Path):
    """As a user does, then raw."""
    pyxdf.load_xdf(str(path))
    return pyxdf.load_xdf(str(path), synchronize_clocks=False, dejitter_timestamps=False)[0]


def span_of(spec, stream) -> tuple:
    """Numbers of the first and the last sample, and what is wrong between them."""
    values, rule = stream["time_series"], Rule(spec, 0.0)
    if spec.format == "string":
        first = int(values[0][0].rsplit("/", 1)[1])
    else:
        first = int(values[0][0])
    true = rule.values(first, len(values))
    if spec.format == "string":
        same = values == true
    else:
        same = np.ascontiguousarray(values).tobytes() == np.ascontiguousarray(true, values.dtype).tobytes()
    wrong = None
    if not same and spec.format != "string":
        counts = values[:, 0].astype(np.int64)
        holes = np.flatnonzero(np.diff(counts) != 1)
        wrong = f"{spec.name}: {len(holes)} holes, first after {counts[holes[:1]]}; of {len(values)} samples"
    elif not same:
        wrong = f"{spec.name}: texts differ"
    return first, first + len(values) - 1, wrong


def judge(path: Path, pushes: Path, load_name: str, begun_s: float, end_s: float) -> Found:
    """A file of a recorder that had begun at `begun_s`, and ended at `end_s`."""
    found = Found()
    try:
        raw = load(path)
    # Whatever it is: a user would not have the data.
    except Exception as error:
        found.error, raw = f"{type(error).__name__}: {error}", []
    found.streams = len(raw)
    found.footers = sum(stream.get("footer") is not None for stream in raw)
    names = [stream["info"]["name"][0] for stream in raw]
    found.wrong += [f"{name} is there more than once" for name in sorted(set(names)) if names.count(name) > 1]
    by_name = {stream["info"]["name"][0]: stream for stream in raw}
    for spec in LOADS[load_name]:
        pushed_s = np.fromfile(log_of(pushes, spec.name), "<f8")
        stream = by_name.get(spec.name)
        # Nothing of it: all is lost that was pushed since it had begun.
        first_lost = int(np.searchsorted(pushed_s, begun_s)) * spec.chunk
        if stream is not None and len(stream["time_stamps"]):
            first, last, wrong = span_of(spec, stream)
            found.spans[spec.name] = [first, last]
            found.wrong += [wrong] if wrong else []
            found.kept += last + 1 - first
            first_lost = last + 1
        before = int(np.searchsorted(pushed_s, end_s))
        if first_lost // spec.chunk < before:
            found.lost_s = max(found.lost_s, end_s - float(pushed_s[first_lost // spec.chunk]))
            found.lost += before * spec.chunk - first_lost
    return found
