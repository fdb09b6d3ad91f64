"""tests/bench/neon --offsets: the clock offset of a phone, by the maker's estimator and by lockstep, and the truth."""

import asyncio
import json
import logging
import statistics
import subprocess
import sys

import neon_phone
from neon_phone import give_up, table
from neon_truth import Log, Phone
from pupil_labs.realtime_api.time_echo import TimeOffsetEstimator

NETWORKS = {
    "no-delay": "",
    "delay": "--delay-ms 4",
    "jitter": "--delay-ms 4 --jitter-ms 3",
    "drift": "--skew-ppm 50",
    "one-sided": "--up-delay-ms 10",
}


def of_maker(phone):
    """Mean of the maker's estimator, in milliseconds."""
    estimate = asyncio.run(TimeOffsetEstimator(phone.host, phone.echo_port).estimate())
    if estimate is None:
        give_up("the maker's estimator has no estimate")
    return estimate.time_offset_ms.mean


def of_lockstep(lockstep, phone):
    """Offset and its bound, in milliseconds."""
    command = [lockstep, "neon", "offset", phone.address, "--json"]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if finished.returncode:
        give_up(f"lockstep neon offset: {finished.stderr.strip()}")
    told = json.loads(finished.stdout)
    return told["time_offset_ms"], told["bound_ms"]


def readings_s(truth, count):
    """Host times of each round of exchanges, in the order of the rounds."""
    rounds = {}
    for row in Log(truth, "exchanges.csv").rows:
        rounds.setdefault(int(row["connection"]), []).append(float(row["read_host_s"]))
    if len(rounds) != count:
        give_up(f"{len(rounds)} rounds of exchanges in the truth, {count} were made")
    return [rounds[connection] for connection in sorted(rounds)]


def measure(name, flags, runs, lockstep, folder):
    """Both in turn, several times; how far they are off, with signs."""
    phone = neon_phone.Phone(lockstep, folder, f"--clock-offset-s 1234.5678 {flags}")
    told = [(of_maker(phone), of_lockstep(lockstep, phone)) for _ in range(runs)]
    phone.stop()
    true = Phone(Log(phone.truth, "exchanges.csv").facts)
    readings = readings_s(phone.truth, 2 * runs)
    official_us, ours_us, bounds_us = [], [], []
    for (mean_ms, (offset_ms, bound_ms)), maker_s, lockstep_s in zip(told, readings[::2], readings[1::2]):
        # A mean holds for the middle of its round, ours for the end.
        official_us.append(1e3 * (mean_ms - 1e3 * true.utc_minus_device_s(statistics.mean(maker_s))))
        ours_us.append(1e3 * (offset_ms - 1e3 * true.utc_minus_device_s(lockstep_s[-1])))
        bounds_us.append(1e3 * bound_ms)
    return {
        "network": name,
        "flags": flags,
        "runs": runs,
        "official_us": official_us,
        "lockstep_us": ours_us,
        "bound_us": bounds_us,
        "within_bound": sum(abs(error) <= bound for error, bound in zip(ours_us, bounds_us)),
    }


def offsets(arguments, folder):
    """All networks, or some; the rows of the table."""
    # What it says of its connections.
    logging.disable(logging.ERROR)
    rows = []
    for name, flags in NETWORKS.items():
        if not arguments.only or name in arguments.only:
            print(f"{name}: {flags}", file=sys.stderr)
            rows.append(measure(name, flags, arguments.runs, arguments.lockstep, folder / name))
    heads = ["network", "official median us", "worst", "lockstep median us", "worst", "worst bound us", "within"]
    cells = []
    for row in rows:
        errors_us = [[abs(error_us) for error_us in row[who]] for who in ("official_us", "lockstep_us")]
        both = [f"{how(each):.1f}" for each in errors_us for how in (statistics.median, max)]
        cells.append([row["network"], *both, f"{max(row['bound_us']):.1f}", f"{row['within_bound']} of {row['runs']}"])
    table(heads, cells)
    return rows
