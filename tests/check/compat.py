#!/usr/bin/env python3
"""Compare what `lockstep export --format npz --compat pyxdf` wrote with what pyxdf itself gives.

    python compat.py OUT FILE...

OUT/NAME/COMBINATION holds the export of FILE, NAME being its file name, for the combinations
`sync-dejitter`, `sync-raw`, `raw-dejitter` and `raw-raw`. Values must be equal bit by bit; times within
1e-9 s, or within 4 units in the last place of the stamp where that is more: of times as large as unix
time's, 1e-9 s is not there in a double. NumPy's least squares is sometimes farther off: there, ours must
be within 2 units (and 1e-9 s) of the line that long doubles give, from the stamps that pyxdf had. How many
streams needed either is printed. pyxdf's robust line amplifies the rounding of single operations where many offsets are
outliers, so that its digits depend on the processor; ours are those of OpenBLAS with AVX-512. On a processor
without it, synchronized streams that differ cannot be judged: they are counted and told, and may be one in ten. Segments and clock segments must be equal, and effective rates but for
what the times are off.
"""

import functools
import json
import logging
import multiprocessing
import sys
import warnings
from pathlib import Path

import numpy as np
import pyxdf
from pyxdf import pyxdf as own

# Those without dejittering first: they have what is dejittered.
COMBINATIONS = {
    "sync-raw": (True, False),
    "sync-dejitter": (True, True),
    "raw-raw": (False, False),
    "raw-dejitter": (False, True),
}
TIME_S = 1e-9
ULPS = 4
# Share of streams that may have other digits where the processor is not the one whose digits ours are.
UNLIKE = 0.1


def has_our_digits():
    """Whether OpenBLAS adds up on this processor in the order that ours follows."""
    cpus = Path("/proc/cpuinfo")
    return not cpus.exists() or "avx512f" in cpus.read_text(encoding="utf-8")




OURS = has_our_digits()
# The wider limits.
WIDE = ("digits", "numpy", "processor")


def remember_fits():
    """pyxdf's fit of 1000 steps is a function of its arguments alone, and is asked the same twice."""
    fit = own._robust_fit
    known = {}

    @functools.wraps(fit)
    def robust_fit(design, values, *rest):
        key = (design.tobytes(), values.tobytes(), rest)
        if key not in known:
            known[key] = fit(design, values, *rest)
        # The caller scales it in place.
        return known[key].copy()

    own._robust_fit = robust_fit


def exported(folder):
    """The exported streams by their id."""
    streams = {}
    for path in folder.glob("*.json"):
        meta = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz")) as arrays:
            streams[meta["stream"]["id"]] = meta, {name: arrays[name] for name in arrays.files}
    return streams


def texts(arrays, name):
    """A column of text as a list."""
    if name in arrays:
        return arrays[name].tolist()
    data, ends = arrays[name + ".utf8"].tobytes(), arrays[name + ".ends"].tolist()
    return [data[a:b].decode() for a, b in zip([0] + ends, ends)]


def compare_values(stream, meta, arrays):
    names = [channel["name"] for channel in meta["channels"]]
    series = stream["time_series"]
    if stream["info"]["channel_format"][0] == "string":
        columns = [texts(arrays, name) for name in names]
        return [list(row) for row in zip(*columns)] == series
    if len(series) == 0:
        return all(len(arrays[name]) == 0 for name in names)
    series = np.asarray(series)
    same_type = all(arrays[name].dtype == series.dtype.newbyteorder("=") for name in names)
    return same_type and all(arrays[name].tobytes() == series[:, i].tobytes() for i, name in enumerate(names))


def exact_lines(stamps, segments):
    """Least squares lines through the stamps of each segment."""
    lines = np.array(stamps, np.longdouble)
    for first, last in segments:
        part = lines[first : last + 1]
        off = part - part[0]
        index = np.arange(len(part), dtype=np.longdouble) - (len(part) - 1) / np.longdouble(2)
        squares = np.sum(index * index)
        slope = np.sum(index * off) / squares if squares else 0
        lines[first : last + 1] = part[0] + (np.mean(off) + slope * index)
    return lines


def compare_times(stream, ours, raw):
    """What differs, the largest difference, and which of the wider limits it needed, if any."""
    stamps = np.asarray(stream["time_stamps"], float)
    if stamps.shape != ours.shape:
        return [f"{len(ours)} times, pyxdf has {len(stamps)}"], 0.0, None
    if not len(stamps):
        return [], 0.0, None
    equal = (stamps == ours) | (np.isnan(stamps) & np.isnan(ours))
    differences = np.where(equal, 0.0, np.abs(stamps - ours))
    off = float(np.max(differences))
    if off <= TIME_S:
        return [], off, None
    digits = np.spacing(np.abs(stamps))
    if np.all(differences <= np.maximum(TIME_S, ULPS * digits)):
        return [], off, "digits"
    if raw is not None:
        lines = exact_lines(raw, stream["info"]["segments"])
        if np.all(np.abs(lines - ours) <= TIME_S + 2 * digits):
            return [], off, "numpy"
    return [f"times are {off:.3g} s off, {np.max(differences / digits):.3g} units in the last place"], off, None


def compare_rate(info, got, off):
    """Rates are compared as durations, which can differ by what both ends of each segment differ."""
    theirs = float(info["effective_srate"])
    steps = sum(last - first for first, last in info["segments"])
    # JSON has no number for what a duration of 0 gives.
    if theirs == got or (got is None and not np.isfinite(theirs)):
        return []
    durations = [0.0 if rate is None or not np.isfinite(rate) else steps / rate if rate else np.inf for rate in (theirs, got)]
    if abs(durations[0] - durations[1]) <= 2.001 * len(info["segments"]) * off + 1e-12 * abs(durations[0]):
        return []
    return [f"effective_srate is {got!r}, pyxdf has {theirs!r}"]


def compare_stream(stream, meta, arrays, raw, judged):
    """What differs, the largest difference of times, and which of the wider limits that needed. With `judged`, times
    that differ need the limit "processor"."""
    faults = [] if compare_values(stream, meta, arrays) else ["values differ"]
    found, off, wide = compare_times(stream, arrays["time_s"], raw)
    unlike = bool(found) and off > 0 and judged
    faults += [] if unlike else found
    info = stream["info"]
    for key in ("segments", "clock_segments"):
        theirs, got = [list(s) for s in info[key]], [list(s) for s in meta[key]]
        if theirs != got:
            faults.append(f"{key} are {got[:5]}, pyxdf has {theirs[:5]}")
    return faults + compare_rate(info, meta["effective_srate"], off), off, "processor" if unlike else wide


def compare(task):
    """All four combinations of one file."""
    path, out = task
    faults, streams, worst = [], 0, 0.0
    wide = dict.fromkeys(WIDE, 0)
    for name, (sync, dejitter) in COMBINATIONS.items():
        theirs, _ = pyxdf.load_xdf(path, synchronize_clocks=sync, dejitter_timestamps=dejitter)
        ours = exported(out / path.name / name)
        ids = [stream["info"]["stream_id"] for stream in theirs]
        if sorted(ids) != sorted(ours):
            faults.append(f"{path.name} {name}: streams {sorted(ours)}, pyxdf has {sorted(ids)}")
            continue
        if not dejitter:
            raw = {stream["info"]["stream_id"]: np.array(stream["time_stamps"], float) for stream in theirs}
        for stream in theirs:
            sid = stream["info"]["stream_id"]
            streams += 1
            found, off, needed = compare_stream(stream, *ours[sid], raw.get(sid) if dejitter else None, sync and not OURS)
            if needed:
                wide[needed] += 1
            else:
                worst = max(worst, off)
            faults += [f"{path.name} {name}, stream {sid}: {fault}" for fault in found]
    return faults, streams, wide, worst


def start():
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    remember_fits()


def main():
    out, files = Path(sys.argv[1]), [Path(path) for path in sys.argv[2:]]
    if len(files) == 1 and files[0].is_dir():
        files = sorted(files[0].iterdir())
    with multiprocessing.Pool(initializer=start) as pool:
        results = pool.map(compare, [(path, out) for path in files], chunksize=4)
    faults = [fault for result in results for fault in result[0]]
    wide = {kind: [sum(r[2][kind] for r in results), sum(r[2][kind] > 0 for r in results)] for kind in WIDE}
    print(
        f"{len(files)} files, {sum(r[1] for r in results)} streams (each combination counted), pyxdf "
        f"{pyxdf.__version__}: times at most {max(r[3] for r in results):.2g} s off, but for "
        f"{wide['digits'][0]} streams of {wide['digits'][1]} files within {ULPS} units in the last place, and "
        f"{wide['numpy'][0]} of {wide['numpy'][1]} in which NumPy's least squares is off by more"
    )
    streams, unlike = sum(r[1] for r in results), wide["processor"][0]
    if unlike:
        print(f"NOT JUDGED on this processor, which has no AVX-512: {unlike} synchronized streams of {wide['processor'][1]} files")
    if unlike > UNLIKE * streams + 2:
        faults.append(f"{unlike} of {streams} streams differ: that is no matter of digits")
    if faults:
        sys.exit(f"{len(faults)} differences, in {sum(bool(r[0]) for r in results)} files\n" + "\n".join(faults[:60]))


main()
