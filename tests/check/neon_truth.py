"""Reading the truth logs of `lockstep simulate neon`, also while it is still there."""

import numpy as np
from truth_log import Log as TruthLog

# The logs are written out twice a second.
FLUSHED_AFTER_S = 1.5


class Log(TruthLog):
    """One file of a truth folder."""

    def integers(self, column):
        """A column as exact whole numbers."""
        return np.array([int(row[column]) for row in self.rows], dtype=np.int64)


class Samples(Log):
    """The log of a sensor: rows are found by the time that a client gives to a sample."""

    def __init__(self, folder, name):
        super().__init__(folder, name)
        self.device_ns = self.integers("device_ns")

    def nearest(self, unix_s):
        """The row of the sample whose time is nearest, and how far it is off in nanoseconds."""
        # A time of 1.8e9 s has steps of 0.24 us as a double.
        wanted_ns = round(unix_s * 1e9)
        after = int(np.searchsorted(self.device_ns, wanted_ns))
        places = [place for place in (after - 1, after) if 0 <= place < len(self.rows)]
        place = min(places, key=lambda place: abs(int(self.device_ns[place]) - wanted_ns))
        return self.rows[place], wanted_ns - int(self.device_ns[place])


class Phone:
    """The clock of the phone, for clocks without drift and steps."""

    def __init__(self, facts):
        clock, self.epoch_s = facts["clock"], facts["host_epoch_s"]
        self.offset_s = clock["offset_s"]
        self.rate = 1 + clock["skew_ppm"] * 1e-6
        # This machine's UTC minus its monotonic clock.
        self.utc_s = facts["host_utc_epoch_s"] - self.epoch_s

    def utc_minus_device_s(self, host_s):
        """What a client's estimate should be at a host time."""
        return self.offset_s + self.utc_s - (host_s - self.epoch_s) * (self.rate - 1)


def same_floats(got, row, names):
    """Whether these numbers are those of the row, bit for bit, as 32-bit floats."""
    got = np.array(got, dtype=np.float32)
    want = np.array([row[name] for name in names], dtype=np.float32)
    return got.tobytes() == want.tobytes()


def bar_code(grey):
    """The number in a simulated picture: 18 blocks at the end of the last row, white, black, 16 bits."""
    height, width = grey.shape
    blocks = [int(grey[height - 8, width - 16 * (18 - place) + 8]) for place in range(18)]
    white, black, *bits = [level > 128 for level in blocks]
    assert white and not black, f"no bar code: {blocks}"
    assert all(abs(level - 128) > 90 for level in blocks), f"a faint bar code: {blocks}"
    return int("".join("01"[bit] for bit in bits), 2)
