"""Reading the truth logs of a simulated eye tracker (recorder/sim/src/tobii/truth.rs has their columns)."""

import numpy as np
from truth_log import Log as TruthLog


class Log(TruthLog):
    """One file of a truth folder."""

    def delivered(self):
        """The rows that a client was given."""
        return [row for row in self.rows if row["delivered"] == "1"]


def integers(rows, column):
    """A column as exact whole numbers."""
    return np.array([int(row[column]) for row in rows], dtype=np.int64)


def floats(rows, column):
    """A column as the 32-bit floats that the library gave."""
    return np.array([row[column] for row in rows], dtype=np.float32)


def same(got, want):
    """Whether these are the same 32-bit floats; all that are no number are the same."""
    got, want = np.asarray(got, dtype=np.float32), np.asarray(want, dtype=np.float32)
    return got.shape == want.shape and bool(np.all((got == want) | (np.isnan(got) & np.isnan(want))))
