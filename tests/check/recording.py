"""Reading recordings with pyxdf, raw: every stamp and value as it stands in the file."""

import sys

import pyxdf


class Stream:
    """One stream of a recording."""

    def __init__(self, raw):
        info = raw["info"]
        self.info = info
        self.name = info["name"][0]
        self.type = info["type"][0]
        self.format = info["channel_format"][0]
        self.desc = info["desc"][0] or {}
        self.values = raw["time_series"]
        self.stamps = raw["time_stamps"]
        self.footer = raw["footer"]["info"] if "footer" in raw else None
        self.offset_times = raw["clock_times"]
        self.offset_values = raw["clock_values"]

    def offsets_in_footer(self):
        """(time, value) of each clock offset that the footer lists."""
        listed = self.footer["clock_offsets"][0]
        if not listed:
            return []
        return [(float(o["time"][0]), float(o["value"][0])) for o in listed["offset"]]

    def losses(self):
        """What the recorder counted as missing, as its footer says."""
        return {name: int(count[0]) for name, count in self.footer["lockstep"][0].items()}


def load(path):
    """The streams of a recording by name, each footer compared with what precedes it."""
    # Once as a user does: it must not fail on anything.
    pyxdf.load_xdf(path)
    raw, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    streams = {}
    for stream in map(Stream, raw):
        expect(stream.name not in streams, f"two streams are named {stream.name}")
        streams[stream.name] = stream
        check_footer(stream)
    return streams


def check_footer(stream):
    """The footer agrees with the samples and offsets."""
    name = stream.name
    expect(stream.footer is not None, f"{name} has no footer")
    count = int(stream.footer["sample_count"][0])
    expect(count == len(stream.stamps), f"{name}: {count} in the footer, {len(stream.stamps)} samples")
    if count:
        first, last = (float(stream.footer[key][0]) for key in ("first_timestamp", "last_timestamp"))
        ends = (stream.stamps[0], stream.stamps[-1])
        expect((first, last) == ends, f"{name}: {first}..{last} in the footer, {ends} in the file")
    offsets = list(zip(stream.offset_times, stream.offset_values))
    expect(stream.offsets_in_footer() == offsets, f"{name}: clock offsets of the footer differ")


def expect(condition, message):
    """End with the message unless the condition holds."""
    if not condition:
        sys.exit(f"{sys.argv[0]}: {message}")
