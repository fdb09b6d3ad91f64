"""neon_official.py HOST PORT TRUTH: the maker's own client runs unchanged against a simulated phone,
and all that it gets is what the truth logs say.

neon_official.py HOST PORT --refused REASON: the phone refuses to record, and why; and gaze is unplugged
for a while.

The phone changes its gaze layout each second and has a clock without drift and steps.
"""

import asyncio
import contextlib
import logging
import statistics
import sys
import time

from neon_truth import FLUSHED_AFTER_S, Log, Phone, Samples, bar_code, same_floats
from pupil_labs.realtime_api import (
    Device,
    receive_eye_events_data,
    receive_gaze_data,
    receive_imu_data,
    receive_video_frames,
)
from pupil_labs.realtime_api.device import DeviceError
from pupil_labs.realtime_api.simple import Device as SimpleDevice
from pupil_labs.realtime_api.time_echo import TimeOffsetEstimator
from recording import expect

# One tick of 90 kHz, and the steps of a time as a double.
TICK_NS = 11_112 + 500
PATIENCE_S = 40
LAYOUTS = {
    "GazeData": "binocular",
    "DualMonocularGazeData": "dual-monocular",
    "BinoAndDualMonoGazeData": "binocular-monocular",
    "EyestateGazeData": "eye-state",
    "EyestateEyelidGazeData": "eye-state-lids",
    "EyestateEyelidDualMonoGazeData": "full",
}


async def collect(items, enough):
    """Items of a stream until there are enough."""
    got = []
    with contextlib.suppress(asyncio.TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            async with contextlib.aclosing(items) as items:
                async for item in items:
                    got.append(item)
                    if enough(got):
                        break
    return got


def all_layouts(got):
    """Whether each layout has been there, for a while."""
    if len(got) % 20:
        return False
    names = [type(datum).__name__ for datum in got]
    return len(got) > 400 and all(names.count(name) > 100 for name in set(names)) and len(set(names)) == 6


async def listen(device, updates):
    """What the status socket tells."""
    async for component in device.status_updates():
        updates.append(component)


async def run_async(host, port):
    """Everything the asynchronous client can do; what it got."""
    got = {}
    async with Device(host, port) as device:
        status = await device.get_status()
        got["status"] = status
        updates = got["updates"] = []
        listening = asyncio.create_task(listen(device, updates))
        estimator = TimeOffsetEstimator(status.phone.ip, status.phone.time_echo_port)
        got["offset"] = await estimator.estimate(number_of_measurements=200), time.monotonic()
        gaze, imu, eyes = (
            sensor.url
            for sensor in (
                status.direct_gaze_sensor(),
                status.direct_imu_sensor(),
                status.direct_eye_events_sensor(),
            )
        )
        streams = await asyncio.gather(
            collect(receive_gaze_data(gaze, run_loop=False), all_layouts),
            # A second client at the same time, over TCP.
            collect(receive_gaze_data(gaze.replace("rtsp:", "rtspt:"), run_loop=False), lambda got: len(got) >= 200),
            collect(receive_imu_data(imu, run_loop=False), lambda got: len(got) >= 600),
            collect(receive_eye_events_data(eyes, run_loop=False), lambda got: len(got) >= 30),
        )
        got["gaze"], got["tcp"], got["imu"], got["eye_events"] = streams
        for name, sensor in (("scene", status.direct_world_sensor()), ("eyes", status.direct_eyes_sensor())):
            frames = receive_video_frames(sensor.url, run_loop=False)
            got[name] = await collect(frames, lambda got: len(got) >= 60)
        await control(device, got)
        await asyncio.sleep(0.3)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
    return got


async def refused(action, *words):
    """The reason with which something is refused."""
    try:
        await action
    except DeviceError as error:
        text = str(error)
        expect(all(word in text for word in words), f"refused with {text}")
        return
    expect(False, f"not refused: {words}")


async def control(device, got):
    """Recordings, events, templates, calibration, camera."""
    await refused(device.recording_stop_and_save(), "500", "Not recording")
    loose = await device.send_event("before any recording")
    got["first"] = await device.recording_start()
    await refused(device.recording_start(), "500", "Already recording")
    before_ns = time.time_ns()
    stamped = await device.send_event("stamped by the phone")
    after_ns = time.time_ns()
    given = await device.send_event("stamped here, \"quoted\"", event_timestamp_unix_ns=1_234_567_890_123_456_789)
    await device.recording_stop_and_save()
    got["second"] = await device.recording_start()
    await device.recording_cancel()
    await refused(device.recording_cancel(), "500", "Not recording")
    got["events"] = {"loose": loose, "stamped": stamped, "given": given}
    got["events"].update(around_ns=(before_ns, after_ns), at_s=time.monotonic())
    template = await device.get_template()
    questions = [str(item.id) for item in template.items]
    await device.post_template_data({questions[0]: ["P 07"], questions[1]: ["42"]}, template_format="api")
    answers = await device.get_template_data(template_format="api")
    expect(answers == dict(zip(questions, (["P 07"], ["42"], [""]))), f"answers: {answers}")
    simple = await device.get_template_data(template_format="simple")
    expect(simple[questions[1]] == 42, f"answers: {simple}")
    calibration = await device.get_calibration()
    expect(float(calibration["scene_camera_matrix"].flat[0]) == 890.0, f"calibration: {calibration}")
    if hasattr(device, "get_camera_state"):
        await device.set_camera_state(gain=17, ae_mode="manual")
        state = await device.get_camera_state()
        expect((state.gain.current_value, state.ae_mode.current_value) == (17, "manual"), f"camera: {state}")
        await refused(device.set_camera_state(gain=10_000), "400", "0 to 100")


def run_simple(host, port):
    """The same with the simple client, as far as it goes."""
    got = {}
    device = SimpleDevice(host, port)
    try:
        got["name"], got["serial"] = device.phone_name, device.module_serial
        got["offset"] = device.estimate_time_offset(number_of_measurements=100), time.monotonic()
        got["gaze"] = [device.receive_gaze_datum(timeout_seconds=10) for _ in range(60)]
        got["imu"] = [device.receive_imu_datum(timeout_seconds=10) for _ in range(30)]
        got["eye_events"] = [device.receive_eye_events(timeout_seconds=10) for _ in range(3)]
        got["scene"] = [device.receive_scene_video_frame(timeout_seconds=10) for _ in range(10)]
        got["eyes"] = [device.receive_eyes_video_frame(timeout_seconds=10) for _ in range(10)]
        got["matched"] = [device.receive_matched_scene_video_frame_and_gaze(timeout_seconds=10) for _ in range(5)]
        got["recording"] = device.recording_start()
        got["event"] = device.send_event("simple")
        device.recording_stop_and_save()
        for name, items in got.items():
            if isinstance(items, list):
                expect(all(item is not None for item in items), f"{name}: waited in vain")
    finally:
        device.close()
    return got


class Errors:
    """How far the client's times are off."""

    def __init__(self):
        self.all_ns = []

    def add(self, what, error_ns):
        """Each must be within a tick."""
        expect(abs(error_ns) <= TICK_NS, f"{what}: off by {error_ns} ns")
        self.all_ns.append(abs(error_ns))


def check_gaze(data, truth, errors, contiguous):
    """Each datum is the one of its time, bit for bit; no datum is missing."""
    seen, indices = {}, []
    for datum in data:
        row, error_ns = truth.nearest(datum.timestamp_unix_seconds)
        errors.add("gaze", error_ns)
        name = LAYOUTS[type(datum).__name__]
        expect(row["layout"] == name, f"gaze {row['index']}: {name} where {row['layout']} was sent")
        fields = datum._asdict()
        expect(fields.pop("worn") == (row["worn"] == "1"), f"gaze {row['index']}: worn")
        fields.pop("timestamp_unix_seconds")
        values = {}
        for field, value in fields.items():
            if field in ("left", "right"):
                values[f"gaze_mono_{field}_x"], values[f"gaze_mono_{field}_y"] = value.x, value.y
            else:
                values[f"gaze_{field}" if field.startswith("mono_") else field] = value
        expect(same_floats(list(values.values()), row, values), f"gaze {row['index']}: {datum} is not {row}")
        seen[name] = seen.get(name, 0) + 1
        indices.append(int(row["index"]))
    if contiguous:
        whole = list(range(indices[0], indices[0] + len(indices)))
        expect(indices == whole, f"gaze: {indices[-1] - indices[0] + 1} sent, {len(indices)} came")
    return seen


def check_imu(data, truth):
    """Each is the sample of its time. It carries whole nanoseconds, of which the client makes a double."""
    rows = {int(row["device_ns"]) / 1e9: row for row in truth.rows}
    indices = []
    for datum in data:
        row = rows.get(datum.timestamp_unix_seconds)
        expect(row is not None, f"IMU: nothing was sent at {datum.timestamp_unix_seconds}")
        for part, name, axes in (
            (datum.accel_data, "acceleration", "xyz"),
            (datum.gyro_data, "rotation", "xyz"),
            (datum.quaternion, "quaternion", "wxyz"),
        ):
            got = [getattr(part, axis) for axis in axes]
            expect(same_floats(got, row, [f"{name}_{axis}" for axis in axes]), f"IMU: {datum} is not {row}")
        indices.append(int(row["index"]))
    return indices


def check_eye_events(data, truth, errors):
    """Each is one that was sent, and told after it had ended; how many of each type."""
    rows = {(row["type"], row["start_ns"]): row for row in truth.rows}
    kinds = {}
    for event in data:
        row = rows.get((str(event.event_type), str(event.start_time_ns)))
        expect(row is not None, f"eye events: {event} was not sent")
        # What has no end has none in the log either.
        end = str(getattr(event, "end_time_ns", ""))
        expect(end == row["end_ns"], f"eye events: {event} is not {row}")
        errors.add("eye events", round(event.rtp_ts_unix_seconds * 1e9) - int(row["device_ns"]))
        expect(int(row["device_ns"]) >= int(row["end_ns"] or row["start_ns"]), f"told before its end: {row}")
        if hasattr(event, "mean_gaze"):
            got = [*event.start_gaze, *event.end_gaze, *event.mean_gaze]
            got += [event.amplitude_pixels, event.amplitude_angle_deg, event.mean_velocity, event.max_velocity]
            names = list(row)[list(row).index("start_x") :]
            expect(same_floats(got, row, names), f"eye events: {event} is not {row}")
        kinds[event.event_type] = kinds.get(event.event_type, 0) + 1
    return kinds


def grey(frame):
    """The luma of a picture of either client."""
    picture = getattr(frame, "av_frame", None)
    return picture.to_ndarray(format="gray") if picture else frame.bgr_pixels.mean(axis=2)


def check_frames(name, frames, truth, errors):
    """The number in each picture is that of its time."""
    for frame in frames:
        row, error_ns = truth.nearest(frame.timestamp_unix_seconds)
        errors.add(name, error_ns)
        code = bar_code(grey(frame))
        expect(code == int(row["code"]), f"{name}: picture {code} where {row['code']} was sent")


def check_offset(what, estimate, at_s, phone):
    """What the client estimates is true within what whole milliseconds and the round trips allow."""
    expect(estimate is not None, f"{what}: no estimate")
    true_ms = 1e3 * phone.utc_minus_device_s(at_s)
    error_ms = estimate.time_offset_ms.mean - true_ms
    bound_ms = 0.5 + estimate.roundtrip_duration_ms.mean / 2
    expect(abs(error_ms) <= bound_ms, f"{what}: {estimate.time_offset_ms.mean} where {true_ms} is true")
    return f"{what} {estimate.time_offset_ms.mean:.3f} ms, off by {1e3 * error_ms:.0f} us"


def check_status(got, facts):
    """The status, and what the socket told."""
    status, updates = got["status"], got["updates"]
    expect(status.phone.device_name == facts["name"], f"{status.phone}")
    expect(status.hardware.version == "2.0", f"{status.hardware}")
    connected = {sensor.sensor for sensor in status.sensors if sensor.connected}
    # The client makes up a sensor "audio" beside the scene camera.
    expect(connected - {"audio"} == {"gaze", "imu", "eye_events", "world", "eyes"}, f"{status.sensors}")
    kinds = [type(update).__name__ for update in updates]
    expect(kinds[:7] == ["Phone", "Hardware"] + 5 * ["Sensor"], f"at first the whole state: {kinds}")
    expect(kinds[7:].count("Sensor") == 0, "sensors are told again only when they change")
    actions = [update.action for update in updates if type(update).__name__ == "Recording"]
    expect(actions == ["START", "STOP", "SAVE", "START", "DISCARD"], f"recordings: {actions}")


def check_events(got, simple, log, phone):
    """Events have the times they were given, or the phone's, and are told to all."""
    events, told = got["events"], [u for u in got["updates"] if type(u).__name__ == "Event"]
    names = ["before any recording", "stamped by the phone", 'stamped here, "quoted"']
    expect([event.name for event in told] == names, f"told: {told}")
    answered = [events[name] for name in ("loose", "stamped", "given")]
    expect([event.timestamp for event in told] == [event.timestamp for event in answered], f"told: {told}")
    recordings = [event.recording_id for event in answered]
    expect(recordings == [None, got["first"], got["first"]], f"recordings: {recordings}")
    expect(events["given"].timestamp == 1_234_567_890_123_456_789, "the stamp that was given")
    offset_ns = round(1e9 * phone.utc_minus_device_s(events["at_s"]))
    before_ns, after_ns = (stamp - offset_ns for stamp in events["around_ns"])
    slack_ns = 1_000_000
    expect(before_ns - slack_ns <= events["stamped"].timestamp <= after_ns + slack_ns, "the phone's time")
    logged = [row for row in log.rows if row["kind"] == "event"]
    expect(len(logged) == 4 and logged[1]["device_ns"] == str(events["stamped"].timestamp), f"log: {logged}")
    expect(logged[3]["device_ns"] == str(simple["event"].timestamp), f"log: {logged}")
    kinds = [row["kind"] for row in log.rows if row["kind"].startswith("recording")]
    saved, discarded = ["recording_start", "recording_save"], ["recording_start", "recording_discard"]
    expect(kinds == saved + discarded + saved, f"log: {kinds}")


def main(host, port, folder):
    """Run both clients, then compare."""
    got = asyncio.run(run_async(host, port))
    simple = run_simple(host, port)
    time.sleep(FLUSHED_AFTER_S)
    truth = {name: Samples(folder, f"{name}.csv") for name in ("gaze", "imu", "eye_events", "scene", "eyes")}
    phone = Phone(truth["gaze"].facts)
    said = [check_offset("offset", *got["offset"], phone), check_offset("simple", *simple["offset"], phone)]
    exchanges = Log(folder, "exchanges.csv")
    # One to warm up, then those that count, for each client.
    expect(len(exchanges.rows) == 201 + 101, f"{len(exchanges.rows)} exchanges in the log")
    check_status(got, truth["gaze"].facts)
    check_events(got, simple, Log(folder, "events.csv"), phone)
    errors = Errors()
    layouts = check_gaze(got["gaze"], truth["gaze"], errors, contiguous=True)
    expect(set(layouts) == set(LAYOUTS.values()), f"layouts: {layouts}")
    check_gaze(got["tcp"], truth["gaze"], errors, contiguous=True)
    expect(len(got["tcp"]) == 200, f"over TCP {len(got['tcp'])} gaze data")
    indices = check_imu(got["imu"], truth["imu"])
    expect(len(indices) == 600 and indices == list(range(indices[0], indices[0] + 600)), "IMU: some are missing")
    kinds = check_eye_events(got["eye_events"], truth["eye_events"], errors)
    expect({0, 1, 2, 3} <= set(kinds) and 5 not in kinds, f"eye events: {kinds}")
    for name in ("scene", "eyes"):
        expect(len(got[name]) == 60, f"{name}: {len(got[name])} pictures")
        check_frames(name, got[name], truth[name], errors)
        check_frames(name, simple[name], truth[name], errors)
    check_gaze(simple["gaze"], truth["gaze"], errors, contiguous=False)
    check_imu(simple["imu"], truth["imu"])
    check_eye_events(simple["eye_events"], truth["eye_events"], errors)
    for pair in simple["matched"]:
        check_frames("scene", [pair.frame], truth["scene"], errors)
        check_gaze([pair.gaze], truth["gaze"], errors, contiguous=False)
    worst_us, median_us = max(errors.all_ns) / 1e3, statistics.median(errors.all_ns) / 1e3
    said.append(f"gaze {layouts}, {len(got['tcp'])} over TCP, IMU {len(indices)}, eye events {kinds}")
    said.append(f"pictures {len(got['scene'])} + {len(got['eyes'])}, simple API {len(simple['gaze'])} gaze data")
    said.append(f"{len(errors.all_ns)} times off by at most {worst_us:.1f} us, {median_us:.1f} in the median")
    print("; ".join(said))


async def check_refusal(host, port, reason):
    """A recording is refused with the reason, and the socket tells of the sensor that comes and goes."""
    async with Device(host, port) as device:
        await refused(device.recording_start(), "500", reason)
        status = await device.get_status()
        expect(status.recording is None, f"{status.recording}")
        told = await collect(gaze_connected(device), lambda told: told[-2:] == [False, True])
        expect(told[-2:] == [False, True], f"gaze connected: {told}")
        print(f"refused for {reason}; gaze connected: {told}")


async def gaze_connected(device):
    """Whether the gaze sensor is there, each time that the socket tells."""
    async with contextlib.aclosing(device.status_updates()) as updates:
        async for update in updates:
            if getattr(update, "sensor", None) == "gaze":
                yield update.connected


# What it says of its own ends.
logging.disable(logging.ERROR)
if sys.argv[3] == "--refused":
    asyncio.run(check_refusal(sys.argv[1], int(sys.argv[2]), sys.argv[4]))
else:
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
