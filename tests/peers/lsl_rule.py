"""What lsl_outlets.py sends: every value and stamp follows from a stream's spec and the number of the sample.

So a truth file need not hold them: whoever compares computes them once more.
"""

from dataclasses import asdict, dataclass, field

import numpy as np

TYPES = {
    "float32": np.float32,
    "double64": np.float64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
}
# Rows of values after which they repeat; a prime, so that no chunk size divides it.
PERIOD = 8191
# Float32 counts exactly up to here.
FLOAT32_COUNTS = 1 << 24


@dataclass
class Spec:
    """One stream, as the command line of lsl_outlets.py describes it."""

    name: str
    type: str = "Test"
    channels: int = 1
    # Samples per second. Of an irregular stream the mean rate; its header says 0.
    rate: float = 100.0
    format: str = "float32"
    source_id: str = ""
    # Samples per push.
    chunk: int = 1
    # "explicit": each sample is pushed with its stamp; "deduced": each chunk with that of its last sample.
    stamps: str = "explicit"
    irregular: bool = False
    # Never sends a sample.
    silent: bool = False
    # Nobody is waited for to read it.
    unread: bool = False
    # Strings: short and different ones, or (wild) empty, long, and full of special characters.
    wild: bool = False
    seed: int = 0
    # Sizes of the header's desc; see `describe` in lsl_outlets.py.
    desc: dict = field(default_factory=dict)
    # How much the outlet keeps for a reader that is slow.
    max_buffered_s: int = 360
    # From when to when the outlet exists, in seconds after the first push of all; null: to the end.
    lives: list = field(default_factory=lambda: [[0, None]])

    def __post_init__(self):
        if self.stamps not in ("explicit", "deduced") or (self.irregular and self.stamps == "deduced"):
            raise ValueError(f"{self.name}: stamps {self.stamps!r} are not possible")
        if self.format != "string" and self.format not in TYPES:
            raise ValueError(f"{self.name}: there is no format {self.format!r}")

    @property
    def nominal_rate(self):
        return 0.0 if self.irregular else float(self.rate)

    def as_dict(self):
        return asdict(self)


class Rule:
    """The samples of one life of a stream."""

    def __init__(self, spec: Spec, base_s: float):
        self.spec = spec
        # Stamp of sample 0, but for jitter.
        self.base_s = base_s
        rng = np.random.default_rng([spec.seed, spec.channels])
        self._jitter_s = rng.random(PERIOD) * 0.9 / spec.rate if spec.irregular else None
        if spec.format == "string":
            return
        kind = np.dtype(TYPES[spec.format])
        # Any bits: not-a-numbers, infinities and subnormal numbers among them, and all that integers can be.
        bits = rng.integers(0, 256, (PERIOD, spec.channels * kind.itemsize), np.uint8)
        table = bits.view(kind)
        low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind.kind == "i" else (-np.inf, np.finfo(kind).max)
        table[1], table[2] = low, high
        # Longer by a chunk, so that each chunk that is pushed is one piece.
        self._table = np.concatenate([table] * (2 + spec.chunk // PERIOD))[: PERIOD + spec.chunk]

    def values(self, first: int, count: int):
        """Samples `first` and following: a new array, or a list of lists of texts."""
        if self.spec.format == "string":
            channels = range(self.spec.channels)
            return [[self._text(first + k, channel) for channel in channels] for k in range(count)]
        at = first % PERIOD
        numbers = np.arange(first, first + count)
        in_one = at + count <= len(self._table)
        rows = self._table[at : at + count].copy() if in_one else self._table[numbers % PERIOD]
        # The first channel counts, so that what is lost is seen.
        rows[:, 0] = numbers % FLOAT32_COUNTS if self.spec.format == "float32" else numbers.astype(rows.dtype)
        return rows

    def _text(self, number: int, channel: int) -> str:
        if not self.spec.wild:
            return f"{self.spec.name}/{number}" if channel == 0 else f"channel {channel} of {number}"
        return (
            "",
            f"a NUL \0 in {number}",
            f"ünï→漢字 🧠 {number}",
            f'<a b="&amp;">{number}</a>\n\t]]>',
            f"{number:0255}",
            f"{number:0256}",
            f"{number}" + "µ" * 150,
            f"{number}" + "x" * 70_000 if number % 64 == 7 else f"{number}",
        )[(number + channel) % 8]

    def stamps(self, first: int, count: int):
        """Stamps of samples `first` and following; of whole chunks where they are deduced."""
        numbers = np.arange(first, first + count)
        rate = float(self.spec.rate)
        if self.spec.stamps == "deduced":
            # As liblsl does it: the first of a chunk is reckoned back from the last, each other one from
            # the one before it. A cumulative sum adds in the same order.
            chunk = self.spec.chunk
            steps = np.full((count // chunk, chunk), 1.0 / rate)
            steps[:, 0] = self.pushed_stamps(first, count) - (chunk - 1) / rate
            return np.cumsum(steps, axis=1).ravel()
        stamps = self.base_s + numbers / rate
        return stamps if self._jitter_s is None else stamps + self._jitter_s[numbers % PERIOD]

    def pushed_stamps(self, first: int, count: int):
        """The stamps with which chunks of deduced stamps are pushed: that of each last sample."""
        last = np.arange(first + self.spec.chunk - 1, first + count, self.spec.chunk)
        return self.base_s + last / float(self.spec.rate)

    def due_s(self, first: int) -> float:
        """When the chunk that begins with this sample is pushed."""
        return self.base_s + (first + self.spec.chunk) / self.spec.rate
