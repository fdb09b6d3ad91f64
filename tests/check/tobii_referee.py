"""tobii_referee.py LIBRARIES: clients of Tobii's libraries that others wrote run unchanged on the libraries
that stand in for them, and all that they get is what the truth logs say. Simulated device only.

LIBRARIES is the folder with libtobii_stream_engine.so and libtobii_research.so (cargo's target/debug/deps).
The last line printed is JSON: what was compared. A client that is not installed is skipped, and that is said.

* tobii-gaze-server (PyPI, MIT) is told on its command line which Stream Engine to load. It sends the middle of
  both eyes' points on the display, in pixels of the client's window, by WebSocket. A window of one pixel makes
  that the point itself, cut to 0..1. It sends the newest each 16 ms, and no time stamps.
* TittaPy (PyPI) is a module compiled with the genuine headers of the Pro SDK, one for each version of it. Its
  wheel has the module find Tobii's library in the folder tittapy.libs beside it. So the module is copied into
  a folder whose tittapy.libs has only the stand-in, under the name that the module looks for; Tobii's own
  library is neither loaded nor copied.

tobii_referee.py --titta MAJOR FOLDER: one of TittaPy's modules, in the process that loads it.
"""

import asyncio
import importlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from recording import expect
from tobii_truth import Log, floats, integers, same

VARIABLE = "LOCKSTEP_TOBII_STANDIN"
ADDRESS = "tobii-prp://SIM-0001"
# The device's clock is ahead, runs fast, jumps and begins again; the cable is out for a while.
DEVICE = """
truth = "truth"
url = "{address}"
frequency_hz = {frequency_hz}
sample_loss = 0.01
seed = 7
sdk_version = "{sdk_version}"
clock_restarts_s = [2.5]
[clock]
offset_s = -123456.789
skew_ppm = 40
steps = [{{ at_s = 1.0, delta_s = 0.02 }}]
[usb.request]
spike_probability = 0.2
[sync_port]
interval_s = 0.2
[auto_sync]
first_interval_s = 0.25
often = 100
[[disconnects]]
at_s = 2.4
for_s = 0.3
[[away]]
at_s = 1.5
for_s = 0.3
"""
# The logs are written out ten times a second.
FLUSHED_AFTER_S = 0.5
PATIENCE_S = 40


def device(folder, frequency_hz, sdk_version="2.1.0.1"):
    """Writes what the device is like; the environment that makes a library read it."""
    path = Path(folder) / "device.toml"
    text = DEVICE.format(address=ADDRESS, frequency_hz=frequency_hz, sdk_version=sdk_version)
    path.write_text(text, encoding="utf-8")
    return {**os.environ, VARIABLE: str(path)}


def is_there(module):
    """Whether a module is installed."""
    return importlib.util.find_spec(module) is not None


async def listen(port, for_s):
    """What the gaze server sends: the status, and points as sent.

    After that it goes on for a while, so that the logs are there, and the server is never held up.
    """
    import websockets

    url, until_s = f"ws://127.0.0.1:{port}", time.monotonic() + PATIENCE_S
    while True:
        try:
            client = await websockets.connect(url)
            break
        except OSError:
            expect(time.monotonic() < until_s, "the gaze server does not answer")
            await asyncio.sleep(0.05)
    async with client:
        status = json.loads(await client.recv())
        await client.send(json.dumps({"action": "set_screen_size", "width": 1, "height": 1}))
        points, end_s = [], time.monotonic() + for_s
        while (left_s := end_s + FLUSHED_AFTER_S - time.monotonic()) > 0:
            try:
                message = json.loads(await asyncio.wait_for(client.recv(), left_s))
            except asyncio.TimeoutError:
                break
            if time.monotonic() < end_s:
                points.append((message["x"], message["y"]))
    return status, points


def gaze_server(library):
    """Runs the gaze server on the Stream Engine that stands in."""
    with tempfile.TemporaryDirectory() as folder:
        environment = device(folder, 120)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = [sys.executable, "-B", "-m", "tobii_gaze_server", "--no-smoothing"]
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--dll", str(library)]
        with (Path(folder) / "said").open("w+", encoding="utf-8") as said:
            running = subprocess.Popen([*server, *arguments], env=environment, stdout=said, stderr=said)
            try:
                # Its connection is lost at 2.4 s; it tries again after a second.
                status, points = asyncio.run(listen(port, 6.0))
            finally:
                running.terminate()
                running.wait()
            said.seek(0)
            expect(status["connected"] is True, f"the status is {status}")
        rows = Log(Path(folder) / "truth", "gaze.csv").delivered()
    # What the server computes with: 32-bit floats from the library, in Python's own numbers.
    valid = [row for row in rows if "1" in (row["left_point_valid"], row["right_point_valid"])]
    want = [tuple(middle(row, axis) for axis in "xy") for row in valid]
    # The first ones were sent before the window had its size.
    while points and points[0] != tuple(max(0, min(1, number)) for number in points[0]):
        points.pop(0)
    place = -1
    for number, point in enumerate(points):
        try:
            place = want.index(point, place + 1)
        except ValueError:
            sys.exit(f"point {number}, {point}, was never given to the gaze server after {place}")
    expect(len(points) > 150, f"only {len(points)} points came")
    again = sum(int(row["device_us"]) < 10_000_000 for row in rows)
    expect(again > 100, "too little came after the cable was out and the device began again")
    return {"points": len(points), "callbacks": len(rows), "callbacks_after_reconnect": again}


def middle(row, axis):
    """The middle of what the eyes look at, cut to the window of one pixel."""
    eyes = [eye for eye in ("left", "right") if row[f"{eye}_point_valid"] == "1"]
    numbers = [np.float32(row[f"{eye}_display_{axis}"]) for eye in eyes]
    point = (numbers[0] + numbers[1]) / np.float32(2) if len(numbers) == 2 else numbers[0]
    return max(0, min(1, float(point)))


def titta(library, major):
    """Runs one of TittaPy's modules on the Pro SDK that stands in, in a process of its own."""
    found = importlib.util.find_spec(f"TittaPy_v{major}").origin
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(found, folder)
        libraries = Path(folder) / "tittapy.libs"
        libraries.mkdir()
        (genuine,) = (Path(found).parent / "tittapy.libs").glob(f"libtobii_research-*.so.{major}")
        shutil.copy(library, libraries / genuine.name)
        command = [sys.executable, "-B", "-s", __file__, "--titta", str(major), folder]
        environment = device(folder, 600, f"{major}.2.3.4")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
        expect(done.returncode == 0, f"TittaPy_v{major}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])


def use_titta(major, folder):
    """All that TittaPy can get, compared with the logs."""
    sys.path.insert(0, folder)
    module = importlib.import_module(f"TittaPy_v{major}")
    expect(module.__file__.startswith(folder), f"{module.__file__} is not the copy")
    expect(module.get_SDK_version() == f"{major}.2.3.4", "the version is another")
    before_us, said_us, after_us = time.monotonic_ns() // 1000, module.get_system_timestamp(), time.monotonic_ns() // 1000
    expect(before_us <= said_us <= after_us, "the system clock is not the monotonic one")
    (found,) = module.find_all_eye_trackers()
    expect((found["serial_number"], found["frequency"]) == ("SIM-0001", 600), f"found {found}")
    module.start_logging()
    tracker = module.EyeTracker(ADDRESS)
    tracker.set_include_eye_openness_in_gaze(True)
    # What has no stamps is compared within what gaze got, so gaze begins first and ends last.
    streams = ["gaze", "time_sync", "external_signal", "notification", "positioning"]
    for stream in streams:
        expect(tracker.start(stream), f"{stream} does not start")
    time.sleep(5)
    for stream in reversed(streams):
        expect(tracker.stop(stream), f"{stream} does not stop")
    got = {stream: tracker.consume_N(stream, 1 << 20) for stream in streams}
    time.sleep(FLUSHED_AFTER_S)
    truth = Path(folder) / "truth"
    counts = {"gaze": compare_gaze(got["gaze"], Log(truth, "gaze.csv"))}
    counts["positioning"] = compare_positioning(got["positioning"], Log(truth, "gaze.csv").delivered())
    counts["time_sync"] = compare_time_sync(got["time_sync"], Log(truth, "timesync.csv"))
    counts["external_signal"] = compare_signals(got["external_signal"], Log(truth, "syncport.csv"))
    told = [kind.name for kind in got["notification"]["notification_type"]]
    expect(told == ["connection_lost", "connection_restored"], f"told {told}")
    errors = [entry["error"].name for entry in module.get_log() if "error" in entry]
    expect(errors == ["connection_lost"], f"errors {errors}")
    print(json.dumps({"sdk": major, **counts}))


def compare_gaze(got, log):
    """Every sample, its stamps and its values."""
    rows = log.delivered()
    # It waits for the eye openness of a sample, which the first and the last may lack.
    first = int(np.flatnonzero(integers(rows, "device_us") == got["device_time_stamp"][0])[0])
    rows = rows[first : first + len(got["device_time_stamp"])]
    missing = len(log.delivered()) - len(rows)
    expect(missing <= 2, f"{missing} samples were given to TittaPy and are not there")
    for stamp in ("device", "system"):
        expect(np.array_equal(got[f"{stamp}_time_stamp"], integers(rows, f"{stamp}_us")), f"{stamp} stamps differ")
    fields = {
        "gaze_point_on_display_area_{}": ("display_{}", "xy", "gaze_point", "point"),
        "gaze_point_in_user_coordinates_{}": ("point_{}_mm", "xyz", "gaze_point", "point"),
        "gaze_origin_in_user_coordinates_{}": ("origin_{}_mm", "xyz", "gaze_origin", "origin"),
        "pupil_diameter": ("pupil_mm", "-", "pupil", "pupil"),
        "eye_openness_diameter": ("openness_mm", "-", "eye_openness", "openness"),
    }
    numbers = 0
    for eye in ("left", "right"):
        for name, (column, axes, group, valid) in fields.items():
            there = got[f"{eye}_{group}_available"].astype(bool)
            expect(np.count_nonzero(~there) <= 2, f"{eye} {group} is not there")
            want = floats(rows, f"{eye}_{valid}_valid").astype(bool)
            expect(np.array_equal(got[f"{eye}_{group}_valid"].astype(bool)[there], want[there]), f"{eye} {group} validity")
            for axis in axes:
                values = got[f"{eye}_{name.format(axis)}"][there]
                expect(same(values, floats(rows, f"{eye}_{column.format(axis)}")[there]), f"{eye} {name} {axis} differs")
                numbers += len(values)
    lost = sum(row["delivered"] == "0" for row in log.rows)
    expect(lost > 100, "none was lost, though the cable was out")
    expect(integers(rows, "device_us").min() < 10_000_000, "none is of the clock that began again")
    return {"samples": len(rows), "numbers": numbers, "lost_by_the_device": lost, "not_taken": missing}


def compare_positioning(got, rows):
    """Positions in the track box: they have no stamps, so they are found among the samples."""
    columns = [(f"{eye}_user_position_{axis}", f"{eye}_position_{axis}") for eye in ("left", "right") for axis in "xyz"]
    count = len(got["left_user_position_x"])
    want = {name: floats(rows, column) for name, column in columns}
    places = [first for first in range(len(rows) - count + 1)
              if all(same(got[name], want[name][first : first + count]) for name in want)]
    expect(len(places) == 1 and count > 1000, f"{count} positions are in the log {len(places)} times")
    for eye in ("left", "right"):
        valid = floats(rows, f"{eye}_position_valid").astype(bool)[places[0] : places[0] + count]
        expect(np.array_equal(got[f"{eye}_user_position_valid"].astype(bool), valid), f"{eye} position validity")
    return count


def compare_time_sync(got, log):
    """Every time sync that was used, and no other."""
    rows = log.delivered()
    names = {"system_request": "st1_us", "device": "et2_us", "system_response": "st3_us"}
    for name, column in names.items():
        expect(np.array_equal(got[f"{name}_time_stamp"], integers(rows, column)), f"{name} of the time syncs differs")
    expect(len(rows) > 10 and len(log.rows) > 3 * len(rows), "too few time syncs")
    return len(rows)


def compare_signals(got, log):
    """Every change of the digital input; how it was at first and after the cable was out is told as well."""
    rows = log.delivered()
    kinds = [kind.name for kind in got["change_type"]]
    expect(kinds[0] == "initial_value" and kinds.count("connection_restored") == 1, f"changes: {kinds}")
    changed = np.array([kind == "value_changed" for kind in kinds])
    for name, column in {"device_time_stamp": "device_us", "system_time_stamp": "system_us", "value": "value"}.items():
        expect(np.array_equal(np.asarray(got[name])[changed], integers(rows, column)), f"{name} of the signal differs")
    expect(len(rows) > 10, "too few changes")
    return len(rows)


def main(libraries):
    """Every client that is there."""
    result = {}
    if is_there("tobii_gaze_server"):
        result["gaze_server"] = gaze_server(Path(libraries) / "libtobii_stream_engine.so")
    for major in (2, 1):
        if is_there(f"TittaPy_v{major}"):
            result[f"titta_v{major}"] = titta(Path(libraries) / "libtobii_research.so", major)
    result["skipped"] = [name for name in ("gaze_server", "titta_v2", "titta_v1") if name not in result]
    print(json.dumps(result))


if __name__ == "__main__":
    if sys.argv[1] == "--titta":
        use_titta(int(sys.argv[2]), sys.argv[3])
    else:
        main(sys.argv[1])
