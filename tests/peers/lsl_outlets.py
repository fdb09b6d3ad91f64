"""LSL outlets of liblsl, by pylsl, whose every value and stamp can be computed again.

    lsl_outlets.py TRUTH.json SPEC

SPEC is JSON: `streams`, a list of what `Spec` of lsl_rule.py has (and `copies`: so many of it, numbered), and
beside it what `Run` has. Prints `ready` when the outlets exist, `begins` at the first push, `done` when all is
pushed and the truth is written; then it keeps the outlets until it is told to end by SIGTERM.

The truth has, for each life of each stream, the spec, how many samples were pushed, the stamp of sample 0, when
the outlet was made and ended, its uid and its header. What rules apply is in lsl_rule.py.
"""

import heapq
import itertools
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pylsl
from lsl_rule import Rule, Spec


@dataclass
class Run:
    """What holds for all streams."""

    duration_s: float = 6.0
    # Wait so long for a reader of every outlet before the first push, and fail without.
    wait_for_consumers_s: float = 0.0
    # Then wait so long.
    delay_s: float = 0.0
    # Die so long after the first push, as by a crash: nothing is closed.
    die_after_s: float | None = None
    # How long the outlets are kept after the last push, at most.
    linger_s: float = 300.0


class Outlet:
    """One life of a stream."""

    def __init__(self, spec: Spec):
        self.spec = spec
        info = pylsl.StreamInfo(
            spec.name, spec.type, spec.channels, spec.nominal_rate, spec.format, source_id=spec.source_id
        )
        describe(info.desc(), spec)
        self.made_s = pylsl.local_clock()
        self.ended_s = None
        self.outlet = pylsl.StreamOutlet(info, max_buffered=spec.max_buffered_s)
        told = self.outlet.get_info()
        self.uid, self.xml = told.uid(), told.as_xml()
        self.pushed = 0
        self.rule = None

    def begin(self, base_s: float):
        self.rule = Rule(self.spec, base_s)

    def push(self):
        """The next chunk."""
        first, count = self.pushed, self.spec.chunk
        values = self.rule.values(first, count)
        if self.spec.stamps == "deduced":
            stamps = float(self.rule.pushed_stamps(first, count)[0])
        else:
            stamps = self.rule.stamps(first, count).tolist()
        self.outlet.push_chunk(values, stamps)
        self.pushed += count

    def end(self):
        """The last second of its life."""
        self.ended_s = pylsl.local_clock()
        self.outlet = None

    def truth(self):
        return {
            "spec": self.spec.as_dict(),
            "uid": self.uid,
            "xml": self.xml,
            "count": self.pushed,
            "base_s": self.rule.base_s if self.rule else None,
            "made_s": self.made_s,
            "ended_s": self.ended_s,
        }


def describe(desc, spec: Spec):
    """Fill the header's desc: labels, and what spec.desc asks for.

    `special`: characters that XML has its own way with. `depth`: elements in elements. `bytes`: so much text.
    """
    channels = desc.append_child("channels")
    for k in range(spec.channels):
        channel = channels.append_child("channel")
        channel.append_child_value("label", f"ch{k}")
        channel.append_child_value("unit", "microvolts")
    if spec.desc.get("special"):
        special = desc.append_child("special")
        special.append_child_value("markup", "a < b && c > \"d\" 'e' ]]> &amp; <!-- -->")
        special.append_child_value("unicode", "Größe 漢字 🧠 \u00a0")
        special.append_child_value("lines", "one\n\ttwo")
        special.append_child_value("empty", "")
    deep = desc.append_child("deep")
    for k in range(spec.desc.get("depth", 0)):
        deep = deep.append_child(f"level{k}")
    deep.append_child_value("bottom", "reached")
    large, piece = desc.append_child("large"), "0123456789abcde " * 62
    for k in range(spec.desc.get("bytes", 0) // 1024):
        large.append_child_value("piece", f"{k:08} {piece}")


def streams_of(given) -> list[Spec]:
    """All streams that the JSON describes."""
    specs = []
    for stream in given:
        copies = stream.pop("copies", None)
        if copies is None:
            specs.append(Spec(**stream))
            continue
        for k in range(copies):
            named = {key: f"{stream[key]}{k}" for key in ("name", "source_id") if stream.get(key)}
            specs.append(Spec(**{**stream, **named, "seed": stream.get("seed", 0) + k}))
    return specs


class Program:
    """Outlets at work."""

    def __init__(self, truth_path: Path, specs: list[Spec], run: Run):
        self.truth_path = truth_path
        self.specs = specs
        self.run = run
        self.all: list[Outlet] = []
        self.stopped = threading.Event()
        # How late a push was at worst: whether this program kept up.
        self.latest_s = 0.0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopped.set())

    def create(self, spec: Spec) -> Outlet:
        outlet = Outlet(spec)
        self.all.append(outlet)
        return outlet

    def work(self):
        """From the first outlet to the end."""
        early = {id(spec): self.create(spec) for spec in self.specs if spec.lives[0][0] == 0}
        say("ready")
        if self.run.wait_for_consumers_s > 0:
            self.wait_for_consumers(early.values())
        self.stopped.wait(self.run.delay_s)
        begin_s = pylsl.local_clock()
        say("begins")
        self.push_all(begin_s, early)
        self.write(begin_s)
        if self.run.die_after_s is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        self.stopped.wait(self.run.linger_s)

    def wait_for_consumers(self, outlets):
        deadline_s = pylsl.local_clock() + self.run.wait_for_consumers_s
        for outlet in outlets:
            left_s = max(0.0, deadline_s - pylsl.local_clock())
            if not outlet.spec.unread and not outlet.outlet.wait_for_consumers(left_s):
                sys.exit(f"lsl_outlets.py: nobody reads {outlet.spec.name}")

    def push_all(self, begin_s: float, early: dict[int, Outlet]):
        """Push what is due until the time is over; make and end outlets as their lives say."""
        run = self.run
        end_s = begin_s + min(run.duration_s, run.die_after_s or run.duration_s)
        order = itertools.count()
        due = []

        def at(when_s, action):
            if when_s <= end_s:
                heapq.heappush(due, (when_s, next(order), action))

        def push(outlet):
            if outlet.outlet is None:
                return
            outlet.push()
            at(outlet.rule.due_s(outlet.pushed), lambda: push(outlet))

        def live(spec, number):
            start_s, stop_s = spec.lives[number]
            outlet = early.get(id(spec)) if number == 0 else None
            outlet = outlet or self.create(spec)
            if not spec.silent:
                outlet.begin(max(begin_s + start_s, outlet.made_s))
                at(outlet.rule.due_s(0), lambda: push(outlet))
            if stop_s is not None:
                at(begin_s + stop_s, outlet.end)
            if number + 1 < len(spec.lives):
                at(begin_s + spec.lives[number + 1][0], lambda: live(spec, number + 1))

        for spec in self.specs:
            at(begin_s + spec.lives[0][0], lambda spec=spec: live(spec, 0))
        while not self.stopped.is_set():
            when_s = due[0][0] if due else end_s
            wait_s = when_s - pylsl.local_clock()
            if wait_s > 0:
                self.stopped.wait(wait_s)
                continue
            if not due:
                break
            self.latest_s = max(self.latest_s, -wait_s)
            heapq.heappop(due)[-1]()

    def write(self, begin_s: float):
        """The truth, whole or not at all."""
        died_s = pylsl.local_clock() if self.run.die_after_s is not None else None
        for outlet in self.all:
            outlet.ended_s = outlet.ended_s or died_s
        truth = {
            "begin_s": begin_s,
            "latest_push_s": self.latest_s,
            "lives": [outlet.truth() for outlet in self.all],
        }
        aside = self.truth_path.with_suffix(".part")
        aside.write_text(json.dumps(truth), encoding="utf-8")
        aside.rename(self.truth_path)
        say(f"done {sum(outlet.pushed for outlet in self.all)}")


def say(line: str):
    print(line, flush=True)


def main():
    given = json.loads(sys.argv[2])
    specs = streams_of(given.pop("streams"))
    Program(Path(sys.argv[1]), specs, Run(**given)).work()


main()
