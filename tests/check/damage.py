#!/usr/bin/env python3
"""What pyxdf and `lockstep export` make of damaged files, as a table.

    python damage.py FILES OUT

FILES is what damage_files.py wrote, OUT/NAME the export of each. Fails where ours has less than it
should, has samples that were never recorded, or says nothing of damage.
"""

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import pyxdf

from damage_files import ALL, PER_CHUNK, stamp

# File, what is wrong with it, samples that ours should have at least, and whether it must say so.
ROWS = (
    ("cut_inside_samples.xdf", "cut inside samples", 1500 + 45, True),
    ("cut_after_length.xdf", "cut right after a chunk's length", 1500, True),
    ("bad_varlen.xdf", "bad varlen (zeroed)", ALL - PER_CHUNK, True),
    ("payload_zeroed.xdf", "payload zeroed", ALL - PER_CHUNK, True),
    ("tag_99.xdf", "tag 99", ALL - PER_CHUNK, True),
    ("unknown_stream.xdf", "samples of an unknown stream", ALL - PER_CHUNK, True),
    ("count_2_31.xdf", "nsamples = 2^31-1", ALL - PER_CHUNK, True),
    ("length_too_big.xdf", "wrong chunk length, too big", ALL, True),
    ("length_too_small.xdf", "wrong chunk length, too small", ALL, True),
    ("no_footer.xdf", "no footer", ALL, False),
    ("no_offsets.xdf", "no offsets", ALL, False),
    ("empty_stream.xdf", "a stream without samples", ALL, False),
    ("boundary_across_blocks.xdf", "bad varlen, Boundary across two blocks", ALL - PER_CHUNK, True),
    ("offset_of_unknown_stream.xdf", "clock offset of an unknown stream", ALL, True),
    ("offset_cut_short.xdf", "clock offset of 8 bytes less", ALL, True),
    ("header_not_xml.xdf", "a stream's header is no XML", ALL, True),
    ("zlib.xdfz", "packed with zlib", ALL, False),
)


def judge(stamps, values):
    """How many samples are as recorded, and how many were never recorded."""
    truth = {(stamp(i), float(i), float(-i)) for i in range(ALL)}
    found = [(float(t), float(a), float(b)) for t, (a, b) in zip(stamps, np.asarray(values).reshape(-1, 2))]
    right = len(truth & set(found))
    return right, len(found) - right


def by_pyxdf(path):
    """Text of the table, right samples; 0 where it fails."""
    try:
        streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
        main = next(s for s in streams if s["info"]["stream_id"] == 3)
        right, wrong = judge(main["time_stamps"], main["time_series"])
        segments = next(s for s in pyxdf.load_xdf(path)[0] if s["info"]["stream_id"] == 3)["info"]["segments"]
    except Exception as error:  # noqa: BLE001 - whatever it fails with is the result
        return f"fails: {type(error).__name__}: {error}"[:46], 0
    wrong = f", {wrong} wrong" if wrong else ""
    many = f", {len(segments)} segments" if len(segments) > 1 else ""
    return f"{right}{wrong}{many}", right


def by_ours(folder):
    """Right and wrong samples, damage told, and the number of streams."""
    metas = {}
    for path in folder.glob("*.json"):
        meta = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz")) as arrays:
            metas[meta["stream"]["id"]] = meta, {name: arrays[name] for name in arrays.files}
    meta, arrays = metas[3]
    right, wrong = judge(arrays["device_time_s"], np.column_stack([arrays["ch1"], arrays["ch2"]]))
    told = meta["damage"] + meta["recording"]["damage"]
    return right, wrong, told, metas


def main():
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    files, out = Path(sys.argv[1]), Path(sys.argv[2])
    faults = []
    print(f"{ALL} samples in 40 chunks; pyxdf {pyxdf.__version__} and Lockstep on the same files\n")
    print(f"{'damage':40} {'pyxdf':48} {'should':>6} {'ours':>5}  what Lockstep says")
    for name, damage, should, must_tell in ROWS:
        theirs, theirs_right = by_pyxdf(files / name)
        right, wrong, told, streams = by_ours(out / name)
        says = "; ".join(f"byte {t['offset']}: {t['reason']}" for t in told)
        print(f"{damage:40} {theirs:48} {should:6} {right:5}  {says}")
        if right < should or right < theirs_right:
            faults.append(f"{damage}: {right} samples, should be {should}")
        if wrong:
            faults.append(f"{damage}: {wrong} samples that were never recorded")
        if must_tell != bool(told):
            faults.append(f"{damage}: said: {says or 'nothing'}")
        if streams[9][1]["ch1"].tolist() != [7]:
            faults.append(f"{damage}: the other stream is not whole")
        if name == "empty_stream.xdf":
            empty, arrays = streams[11]
            if len(arrays["time_s"]) or empty["segments"] or empty["clock_segments"]:
                faults.append(f"{damage}: it has something")
    seen = {path.name for path in files.iterdir()}
    if seen != {row[0] for row in ROWS}:
        faults.append(f"rows and files differ: {seen ^ {row[0] for row in ROWS}}")
    if faults:
        sys.exit("\n".join(faults))


main()
