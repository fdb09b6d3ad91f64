"""Reading the truth logs of simulated devices: CSV with a JSON object in front, also while they are still written."""

import csv
import json
from pathlib import Path


class Log:
    """One file of a truth folder."""

    def __init__(self, folder, name):
        text = (Path(folder) / name).read_text(encoding="utf-8")
        # The last line may be cut.
        lines = text[: text.rindex("\n") + 1].splitlines()
        self.facts = json.loads(lines[0].removeprefix("# "))
        self.rows = list(csv.DictReader(lines[1:]))
