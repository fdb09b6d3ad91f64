"""lsl.py FILE TRUTH.json...: every stream of lsl_outlets.py is recorded once, as it was sent.

Values and raw stamps bit for bit, the header with all its elements, clock offsets only while there was an outlet.
With `--partial`, samples may be missing where a life of an outlet begins and ends, never within. With `--offset`,
each stream has offsets, and they are true within `--bound`. `--foreign`: the file is another recorder's, whose
footers and offsets are not judged; false offsets are counted. What was found is printed as JSON.
"""

import argparse
import json
import struct
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyxdf
from recording import Stream, check_footer, expect

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from lsl_rule import Rule, Spec  # noqa: E402

# Filled in by whoever resolves a stream.
FILLED_IN = ("v4address", "v6address")
# An exchange on its way when an outlet ends may still be answered.
LATE_S = 0.05
# Streams that the recorder adds of its own.
OWN_TYPES = ("RecorderEvents", "ClockExchange")
# Samples compared at a time.
BLOCK = 1 << 16


# Stream and number of samples stand in the first bytes of a chunk of samples.
SAMPLES_HEAD = 13


def chunks(file):
    """Tag and content of each chunk; of samples only the head."""
    expect(file.read(4) == b"XDF:", "this is no XDF file")
    while size_of_length := file.read(1):
        left = int.from_bytes(file.read(size_of_length[0]), "little") - 2
        (tag,) = struct.unpack("<H", file.read(2))
        read = min(left, SAMPLES_HEAD) if tag == 3 else left
        yield tag, file.read(read)
        file.seek(left - read, 1)


def headers(path):
    """The header of each stream, as it stands in the file."""
    with open(path, "rb") as file:
        found = [content for tag, content in chunks(file) if tag == 2]
    return {int.from_bytes(content[:4], "little"): ElementTree.fromstring(content[4:]) for content in found}


def same_tree(recorded, true, where=""):
    """Where two elements differ; None: nowhere. White space between elements means nothing."""
    where = f"{where}/{true.tag}"
    if recorded.tag != true.tag or recorded.attrib != true.attrib:
        return f"{where}: {recorded.tag} {recorded.attrib} where {true.tag} {true.attrib} was sent"
    texts = [(e.text or "") if len(e) == 0 else (e.text or "").strip() for e in (recorded, true)]
    if texts[0] != texts[1]:
        return f"{where}: {texts[0][:80]!r} where {texts[1][:80]!r} was sent"
    if len(recorded) != len(true):
        return f"{where}: {[e.tag for e in recorded][:40]} where {[e.tag for e in true][:40]} was sent"
    return next(filter(None, (same_tree(r, t, where) for r, t in zip(recorded, true))), None)


def check_header(name, recorded, life):
    """All that the outlet said is in the header, in its order; a <lockstep> in desc is the recorder's own."""
    true = ElementTree.fromstring(life["xml"])
    for tree in (recorded, true):
        for tag in FILLED_IN:
            for element in tree.findall(tag):
                tree.remove(element)
    desc = recorded.find("desc")
    for element in [] if desc is None else desc.findall("lockstep"):
        desc.remove(element)
    differs = same_tree(recorded, true)
    expect(differs is None, f"{name}: header: {differs}")


class Life:
    """One life of an outlet, and what of it is in the file."""

    def __init__(self, truth):
        self.truth = truth
        self.spec = Spec(**truth["spec"])
        self.count = truth["count"]
        self.rule = Rule(self.spec, truth["base_s"]) if self.count else None
        self.stamps = self.rule.stamps(0, self.count) if self.count else np.empty(0)
        self.first = self.last = None

    def find(self, stream, at):
        """Compare what of it stands from sample `at` of the stream on; gives where it ends."""
        stamps = stream.stamps[at:]
        if not len(stamps) or not self.count:
            return at
        first = int(np.searchsorted(self.stamps, stamps[0]))
        if first == self.count or self.stamps[first] != stamps[0]:
            return at
        most = min(self.count - first, len(stamps))
        wrong = np.flatnonzero(stamps[:most] != self.stamps[first : first + most])
        count = int(wrong[0]) if len(wrong) else most
        self.first, self.last = first, first + count - 1
        for done in range(0, count, BLOCK):
            self._compare(stream, at + done, first + done, min(BLOCK, count - done))
        return at + count

    def _compare(self, stream, at, first, count):
        true, recorded = self.rule.values(first, count), stream.values[at : at + count]
        if self.spec.format == "string":
            expect(recorded == true, f"{stream.name}: texts differ at sample {at}")
            return
        same = recorded.dtype == true.dtype and np.ascontiguousarray(recorded).tobytes() == true.tobytes()
        expect(same, f"{stream.name}: values differ in the {count} samples from {at} on (number {first})")

    def missing(self):
        """Samples that are not in the file, before the first that is and after the last; and those that are."""
        if self.first is None:
            return self.count, 0, 0
        return self.first, self.count - 1 - self.last, self.last + 1 - self.first


def check_samples(stream, lives, partial):
    """The stream is its lives, one after the other, and nothing else."""
    at = 0
    for life in lives:
        at = life.find(stream, at)
        before, after, _ = life.missing()
        expect(partial or before + after == 0, f"{stream.name}: {before} missing at the begin, {after} at the end")
    stamps = stream.stamps[at : at + 2]
    expect(at == len(stream.stamps), f"{stream.name}: sample {at} of {len(stream.stamps)} was not sent then: {stamps}")


def false_offsets(stream, lives, bound_s):
    """Clock offsets that cannot have been measured: of a time without an outlet, or far from the truth."""

    def measured(life, time, value):
        there = life["made_s"] <= time and (life["ended_s"] is None or time <= life["ended_s"] + LATE_S)
        return there and (life["offset_s"] is None or abs(value - life["offset_s"]) <= bound_s)

    offsets = zip(stream.offset_times, stream.offset_values)
    return [(time, value) for time, value in offsets if not any(measured(life, time, value) for life in lives)]


def check_stream(stream, header, lives, on_clock, arguments):
    """One stream, whose clock could be asked while one of `on_clock` lived; gives what is to be told of it."""
    false = false_offsets(stream, on_clock, arguments.bound)
    if not arguments.foreign:
        check_footer(stream)
        expect(not false, f"{stream.name}: clock offsets that nobody measured: {false[:5]}")
        expect(arguments.offset is None or len(stream.offset_times), f"{stream.name}: no clock offset")
    check_header(stream.name, header, next(life.truth for life in lives if life.truth["uid"] == header.findtext("uid")))
    check_samples(stream, lives, arguments.partial)
    return {
        "name": stream.name,
        "uid": header.findtext("uid"),
        "samples": len(stream.stamps),
        "missing": [life.missing() for life in lives],
        "offsets": len(stream.offset_times),
        "false_offsets": len(false),
    }


def grouped(truths):
    """The lives of each stream, in the order of the truths and of their time: those of one source_id, if any."""
    groups = {}
    for life in (life for truth in truths for life in sorted(truth["lives"], key=lambda life: life["made_s"])):
        groups.setdefault(life["spec"]["source_id"] or life["uid"], []).append(life)
    return list(groups.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("truths", type=Path, nargs="+")
    parser.add_argument("--partial", action="store_true")
    parser.add_argument("--foreign", action="store_true")
    parser.add_argument("--shared-clock", action="store_true", help="of a recorder that measures one clock a machine")
    parser.add_argument("--offset", type=float, action="append", help="seconds to add to true stamps; of all truths, or of each")
    parser.add_argument("--bound", type=float, default=0.002, help="seconds")
    parser.add_argument("--unselected", nargs="*", default=[], help="names of streams that must not be there")
    parser.add_argument("--absent", action="store_true", help="streams may be missing altogether")
    parser.add_argument("--also", nargs="*", default=[], help="names of streams that may be there without a truth")
    arguments = parser.parse_args()
    raw, _ = pyxdf.load_xdf(arguments.file, synchronize_clocks=False, dejitter_timestamps=False)
    trees = headers(arguments.file)
    streams = {stream["info"]["stream_id"]: Stream(stream) for stream in raw}
    of_lsl = {sid: tree.findtext("uid") for sid, tree in trees.items() if tree.findtext("type") not in OWN_TYPES}
    told = []
    truths = [json.loads(path.read_text(encoding="utf-8")) for path in arguments.truths]
    offsets = arguments.offset or [None]
    for truth, offset_s in zip(truths, offsets * len(truths) if len(offsets) == 1 else offsets, strict=True):
        for life in truth["lives"]:
            life["offset_s"] = offset_s
    groups = grouped(truths)
    for lives in groups:
        name, uids = lives[0]["spec"]["name"], {life["uid"] for life in lives}
        mine = [sid for sid, uid in of_lsl.items() if uid in uids]
        if name in arguments.unselected:
            expect(not mine, f"{name} is in the file {len(mine)} times, and was not selected")
            continue
        if not mine and arguments.absent:
            continue
        expect(len(mine) == 1, f"{name} is in the file {len(mine)} times")
        # Outlets of one machine have one clock, so what one of them answers is true of all. Others ask each.
        on_clock = lives if arguments.foreign and not arguments.shared_clock else [life for group in groups for life in group]
        told.append(check_stream(streams[mine[0]], trees[mine[0]], [Life(life) for life in lives], on_clock, arguments))
        del of_lsl[mine[0]]
    left = {trees[sid].findtext("name") for sid in of_lsl}.difference(arguments.also)
    expect(not left, f"streams that nobody sent: {left}")
    print(json.dumps({"streams": told, "samples": sum(stream["samples"] for stream in told)}))


if __name__ == "__main__":
    main()
