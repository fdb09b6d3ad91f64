"""tests/bench/neon: one fault at a time, recorded by lockstep and received by the maker's client at the same time."""

import json
import math
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import neon_client
import numpy as np
import pyxdf
from neon_phone import Phone, Recording, ended, give_up, last_line, start, table
from neon_truth import Log

# What happens once happens after this share of the time; by then both have to play.
ONCE = 0.4
SHORTEST_S = 10
# Samples of the last moments may be under way when recorders are stopped.
SETTLE_S = 0.5
WRONG_US = 1000
GAZE_HZ = 200
LAYOUTS = ("dual-monocular", "eye-state", "full", "binocular-monocular", "eye-state-lids")


@dataclass
class Scenario:
    """What is wrong. In flags, `{at}` is when it happens, in seconds after the start."""

    name: str
    about: str
    flags: str = ""
    transport: str = "udp"

    def flags_of(self, seconds):
        at_s = ONCE * seconds
        switches = " ".join(f"--layout-at {at_s + k * seconds / 10:g}:{name}" for k, name in enumerate(LAYOUTS))
        return "--clock-offset-s 1234.567 " + self.flags.format(at=at_s, odd=round(at_s * GAZE_HZ), switches=switches)


SCENARIOS = (
    Scenario("none", "nothing"),
    Scenario("outage", "the phone is away for 1.5 s", "--outage {at}:1.5"),
    Scenario(
        "disorder",
        "3 % reordered, 2 % lost, 2 % twice",
        "--up-reorder 0.03 --up-loss 0.02 --up-duplicate 0.02",
    ),
    Scenario("late-report", "first sender report after 2.5 s", "--first-report-s 2.5"),
    Scenario("wrap", "RTP time wraps", "--rtp-wrap-s {at}"),
    Scenario("last-packet", "sender reports tell the RTP time of the last packet", "--report-style last-packet"),
    Scenario(
        "last-packet-2",
        "the same, at ever other times between two packets",
        "--report-style last-packet --report-interval-s 3.0013",
    ),
    Scenario("step", "the phone's clock is set forward by 100 ms", "--step {at}:0.1 --rtp-clock monotonic"),
    Scenario("layouts", "five changes of the layout", "{switches}"),
    Scenario("odd-length", "a datum of a length that nobody knows", "--odd-gaze-every {odd}"),
    Scenario("tcp", "TCP with answers inside of packets", "--garbage-every 25 --hide-channels", "tcp"),
)


@dataclass
class Got:
    """What a recorder got of gaze: stamps, the first two numbers of each datum, how it ended."""

    stamps_s: list
    points: np.ndarray
    end: str


def client_of_maker(phone, transport, folder):
    """The maker's client at work, where it writes to, and its log."""
    out, log = folder / "client.json", folder / "client.log"
    scheme = {"udp": "rtsp", "tcp": "rtspt"}[transport]
    command = [sys.executable, "-B", Path(neon_client.__file__), phone.host, str(phone.port), scheme, out]
    return start(command, log), out, log


def of_client(process, out, log):
    """What the maker's client got, once it is stopped."""
    process.terminate()
    if ended(process, log, "the maker's client"):
        give_up(f"the maker's client failed: {last_line(log)}")
    got = json.loads(out.read_text(encoding="utf-8"))
    return Got(got["stamps_s"], np.array(got["points"], np.float32).reshape(-1, 2), got["end"])


def of_file(file):
    """What lockstep recorded. What a layout does not say is NaN: x and y come first, else those of the left eye."""
    streams, _ = pyxdf.load_xdf(str(file), synchronize_clocks=False, dejitter_timestamps=False)
    gaze = [stream for stream in streams if stream["info"]["name"][0].endswith("Neon Gaze")]
    if not gaze or not len(gaze[0]["time_stamps"]):
        give_up("lockstep recorded no gaze")
    values = np.asarray(gaze[0]["time_series"], np.float32)
    points = np.where(np.isnan(values[:, :1]), values[:, 3:5], values[:, :2])
    return Got(gaze[0]["time_stamps"].tolist(), points, "stopped")


class Truth:
    """What the phone took and what became of it."""

    def __init__(self, folder, until_s):
        log, events = Log(folder, "gaze.csv"), Log(folder, "events.csv").rows
        self.rows, self.device_ns = log.rows, log.integers("device_ns").tolist()
        self.host_s = [float(row["host_s"]) for row in self.rows]
        # Which copies reached which client.
        self.copies = [
            {int(client): int(copies) for client, copies in (each.split(":") for each in row["delivered"].split())}
            for row in self.rows
        ]
        self.places = {}
        for place, row in enumerate(self.rows):
            point = "gaze_mono_left_x", "gaze_mono_left_y"
            point = point if row["layout"] == "dual-monocular" else ("x", "y")
            key = np.array([row[name] for name in point], np.float32).tobytes()
            self.places.setdefault(key, []).append(place)
        plays = [json.loads(row["details"]) for row in events if row["kind"] == "play"]
        plays = [play for play in plays if play["sensor"] == "gaze"]
        self.transports = {play["client"]: play["transport"] for play in plays}
        official = {play["client"] for play in plays if play["peer"] == neon_client.HOST}
        self.clients = {"lockstep": self.transports.keys() - official, "official": official}
        times = {kind: [float(e["host_s"]) for e in events if e["kind"] == kind] for kind in ("outage", "outage_over")}
        self.outages = list(zip(times["outage"], times["outage_over"]))
        both = (k for k, to in enumerate(self.copies) if all(to.keys() & mine for mine in self.clients.values()))
        first = next(both, len(self.rows))
        last = sum(host_s < until_s - SETTLE_S for host_s in self.host_s)
        self.due = range(first, last)

    def unavoidable(self, place, recorder):
        """Whether no recorder could have had it: the phone was away, or the network lost it."""
        host_s = self.host_s[place]
        if any(begin_s <= host_s < end_s for begin_s, end_s in self.outages):
            return True
        to = self.copies[place].keys() & self.clients[recorder]
        # Over TCP nothing is lost; what has something else inside does not count as delivered.
        return bool(to) and all(self.transports[c] == "udp" and self.copies[place][c] == 0 for c in to)


def nanoseconds(stamp_s):
    """Whole nanoseconds, without what the product of a large number would lose."""
    fraction, whole = math.modf(stamp_s)
    return int(whole) * 10**9 + round(fraction * 1e9)


def figures(got, truth, recorder):
    """What is missing and wrong of the samples that were due."""
    found, stamps_ns, errors_us, false = [], [], [], 0
    for stamp_s, point in zip(got.stamps_s, got.points):
        places, stamp_ns = truth.places.get(point.tobytes(), []), nanoseconds(stamp_s)
        false += not places
        # The same values may have been sent twice: the nearest in time.
        place = min(places, key=lambda p: abs(truth.device_ns[p] - stamp_ns), default=None)
        if place in truth.due:
            found.append(place)
            stamps_ns.append(stamp_ns)
            errors_us.append(abs(stamp_ns - truth.device_ns[place]) / 1e3)
    missing = set(truth.due).difference(found)
    return {
        "missing": len(missing),
        "avoidable": sum(not truth.unavoidable(place, recorder) for place in missing),
        "false": false,
        "twice": len(found) - len(set(found)),
        "backwards": sum(after < before for before, after in zip(stamps_ns, stamps_ns[1:])),
        "median_us": statistics.median(errors_us) if errors_us else None,
        "worst_us": max(errors_us, default=None),
        "wrong": sum(error_us > WRONG_US for error_us in errors_us),
        "end": got.end,
    }


def measure(scenario, seconds, lockstep, folder):
    """One scenario: a phone, both recorders, what each of them got."""
    phone = Phone(lockstep, folder, scenario.flags_of(seconds))
    began_s = time.monotonic()
    client = client_of_maker(phone, scenario.transport, folder)
    recording = Recording(lockstep, folder, phone, scenario.transport)
    time.sleep(began_s + seconds - time.monotonic())
    until_s = time.monotonic()
    official = of_client(*client)
    recording.stop()
    phone.stop()
    truth = Truth(phone.truth, until_s)
    if truth.due.start > ONCE * seconds * GAZE_HZ:
        give_up(f"{scenario.name}: recorders began too late, or not at all; give more --seconds")
    got = {"lockstep": of_file(recording.file), "official": official}
    row = {"scenario": scenario.name, "about": scenario.about, "seconds": seconds, "due": len(truth.due)}
    return row | {recorder: figures(each, truth, recorder) for recorder, each in got.items()}


COLUMNS = (
    ("missing", "missing", "{}"),
    ("avoidable", "avoidable", "{}"),
    ("false", "false", "{}"),
    ("twice", "twice", "{}"),
    ("backwards", "backwards", "{}"),
    ("median us", "median_us", "{:.1f}"),
    ("worst us", "worst_us", "{:.1f}"),
    ("> 1 ms", "wrong", "{}"),
)


def show(rows):
    """The table: in each cell lockstep / the maker's client."""

    def text(row, recorder, key, how):
        return "-" if row[recorder][key] is None else how.format(row[recorder][key])

    columns = []
    for _, key, how in COLUMNS:
        pairs = [[text(row, recorder, key, how) for recorder in ("lockstep", "official")] for row in rows]
        widest = max(len(official) for _, official in pairs)
        columns.append([f"{ours} / {official:>{widest}}" for ours, official in pairs])
    heads = ["scenario", "due", *(heading for heading, _, _ in COLUMNS), "official"]
    table(heads, [[r["scenario"], str(r["due"]), *cells, r["official"]["end"]] for r, *cells in zip(rows, *columns)])


def faults(arguments, folder):
    """All scenarios, or some; the rows of the table."""
    rows = []
    for scenario in SCENARIOS:
        if not arguments.only or scenario.name in arguments.only:
            print(f"{scenario.name}: {scenario.about}, {arguments.seconds:g} s", file=sys.stderr)
            rows.append(measure(scenario, arguments.seconds, arguments.lockstep, folder / scenario.name))
    print("gaze, in each cell: lockstep / the maker's client")
    show(rows)
    return rows
