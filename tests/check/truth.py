"""Reading the truth logs of `lockstep simulate udp`."""

import csv
import json
from pathlib import Path

import numpy as np

TYPES = {
    "float32": np.float32,
    "double64": np.float64,
    "int8": np.int8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
}
COLUMNS = ["index", "sent_host_s", "device_ticks", "device_time_s", "delivered"]


class Truth:
    """What one simulated device really sent."""

    def __init__(self, path):
        path = Path(path)
        with open(path, encoding="utf-8", newline="") as file:
            self.facts = json.loads(file.readline().removeprefix("# "))
            assert file.readline().split(",")[: len(COLUMNS)] == COLUMNS
            if self.facts["format"] == "string":
                rows = list(csv.reader(file))
                columns = list(zip(*[row[: len(COLUMNS)] for row in rows])) or [()] * len(COLUMNS)
                values = [row[len(COLUMNS) :] for row in rows]
            else:
                columns, values = self._numbers(file)
        self.name = self.facts["name"]
        self.sent_s = np.array(columns[1], dtype=np.float64)
        self.ticks = [int(ticks) for ticks in columns[2]]
        self.delivered = np.array(columns[4], dtype=np.int64)
        self.values = values
        # Python divides integers exactly and rounds once.
        self.stamps = np.array([ticks / self.facts["ticks_per_s"] for ticks in self.ticks])

    def _numbers(self, file):
        """Columns as text, values as an array of the stream's own type."""
        lines = file.readlines()
        fixed = list(zip(*[line.split(",", len(COLUMNS))[: len(COLUMNS)] for line in lines]))
        kind = TYPES[self.facts["format"]]
        # A float64 in between only for float32, whose shortest decimals survive it.
        reading = np.float64 if kind == np.float32 else kind
        last = len(COLUMNS) + self.facts["channels"]
        values = np.loadtxt(lines, delimiter=",", usecols=range(len(COLUMNS), last), dtype=reading, ndmin=2)
        return fixed or [()] * len(COLUMNS), values.astype(kind)

    def device_time(self, host_s):
        """True device time at a host time: the clock model of the simulator, without wander or steps."""
        clock, epoch_s = self.facts["clock"], self.facts["host_epoch_s"]
        return epoch_s - clock["offset_s"] + (host_s - epoch_s) * (1 + clock["skew_ppm"] * 1e-6)

    def host_time(self, device_s):
        """The inverse: the host time at which the device's clock shows a time."""
        clock, epoch_s = self.facts["clock"], self.facts["host_epoch_s"]
        return epoch_s + (device_s - (epoch_s - clock["offset_s"])) / (1 + clock["skew_ppm"] * 1e-6)


def exchanges(path):
    """The facts and the rows of a log of exchanges."""
    with open(path, encoding="utf-8", newline="") as file:
        facts = json.loads(file.readline().removeprefix("# "))
        return facts, list(csv.DictReader(file))
