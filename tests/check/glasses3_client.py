"""glasses3_client.py HOST PORT TRUTH [SECONDS]: a client of plain WebSockets listens to all signals of
simulated glasses, and all that it gets is what the truth logs say, exactly; and nothing is missing.

It lets the signals lapse once, so that their time begins again, and sets another gaze rate. The glasses
have a clock without wander and steps, and a network without loss.
"""

import asyncio
import json
import sys
import time
import urllib.error
import urllib.request

import websockets
from recording import expect
from truth_log import Log

PATIENCE_S = 30
# The logs are written out twice a second.
FLUSHED_AFTER_S = 1.5
KEPT_ALIVE_S = 6.0
SIGNALS = {"gaze": "gaze", "imu": "imu", "sync-port": "sync_port", "event": "exchanges"}
AXES = "xyz"
IMU_FORMS = {
    "accelerometer gyroscope magnetometer",
    "accelerometer gyroscope",
    "accelerometer",
    "gyroscope",
    "magnetometer",
}


class Client:
    """A WebSocket, its answers, and what it is told."""

    def __init__(self, socket):
        self.socket, self.asked, self.waiting = socket, 0, {}
        # Of each signal number: when it came, and what.
        self.told = {}
        self.reading = asyncio.create_task(self.read())

    async def read(self):
        """Sort what comes."""
        async for text in self.socket:
            came_s, message = time.monotonic(), json.loads(text)
            expect(isinstance(text, str), "a frame of text")
            if "signal" in message:
                expect(set(message) == {"signal", "body"}, f"a signal: {text}")
                self.told.setdefault(message["signal"], []).append((came_s, message["body"]))
            else:
                self.waiting.pop(message["id"]).set_result((came_s, message))

    async def ask(self, path, method, body=None):
        """The whole answer to a request, and when it was asked and came."""
        self.asked += 1
        answer = self.waiting[self.asked] = asyncio.get_running_loop().create_future()
        asked_s = time.monotonic()
        await self.socket.send(json.dumps({"path": path, "method": method, "id": self.asked, "body": body}))
        came_s, message = await asyncio.wait_for(answer, PATIENCE_S)
        return asked_s, came_s, message

    async def get(self, path):
        """A property."""
        return (await self.ask(path, "GET"))[2]["body"]

    async def post(self, path, body=None):
        """What an action, a signal or the setting of a property is answered with."""
        return (await self.ask(path, "POST", body))[2]["body"]

    async def refused(self, path, method, body, word):
        """The glasses refuse, with a number and a reason."""
        message = (await self.ask(path, method, body))[2]
        expect(set(message) == {"id", "error", "message"}, f"refused: {message}")
        expect(isinstance(message["error"], int) and word in message["message"], f"refused with {message}")

    async def subscribe(self):
        """Listen to everything: the number of each signal."""
        numbers = {name: await self.post(f"/rudimentary:{name}") for name in SIGNALS}
        expect(len(set(numbers.values())) == len(SIGNALS), f"signals: {numbers}")
        return numbers

    async def keep_alive(self, seconds):
        """Keep the signals alive for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            expect(await self.post("/rudimentary!keepalive", []) is True, "kept alive")
            await asyncio.sleep(min(2.0, max(0.0, end_s - time.monotonic())))


async def burst(client, number, exchanges):
    """Four events at once; each is answered."""
    asked = [
        client.ask("/rudimentary!send-event", "POST", ["G3TimeSync", {"Id": f"{number}.{part}", "T1": part}])
        for part in range(4)
    ]
    for asked_s, came_s, message in await asyncio.gather(*asked):
        expect(message["body"] is True, f"an event: {message}")
        exchanges.append((asked_s, came_s))


async def run(host, port, seconds):
    """Two clients at work; what they were told, and when the events of the first were asked and answered."""
    url = f"ws://{host}:{port}/websocket"
    async with (
        websockets.connect(url, subprotocols=["g3api"]) as socket,
        websockets.connect(url, subprotocols=["g3api"]) as second,
    ):
        expect(socket.subprotocol == "g3api", f"subprotocol {socket.subprotocol}")
        client, other = Client(socket), Client(second)
        await properties(client, host, port)
        numbers, other_numbers = await client.subscribe(), await other.subscribe()
        await client.refused("/rudimentary!send-event", "POST", ["tag", {}], "keepalive")
        await asyncio.sleep(0.3)
        expect(not client.told and not other.told, "nothing is told before the keepalive")
        exchanges = []
        alive = asyncio.create_task(client.keep_alive(seconds))
        for number in range(int(seconds)):
            await asyncio.sleep(0.9)
            await burst(client, number, exchanges)
            if number == int(seconds) // 2:
                expect(await client.post("/settings.gaze-frequency", 100) is True, "100 Hz")
        await alive
        await client.post("/rudimentary!send-event", ['a "tag", quoted', [1, 2.5, None, {"é": "\n"}]])
        # The second leaves one signal, and hears the others.
        expect(await other.post("/rudimentary:imu", other_numbers["imu"]) is True, "unsubscribed")
        await asyncio.sleep(KEPT_ALIVE_S + 1.0)
        silent = {number: len(told) for number, told in client.told.items()}
        await asyncio.sleep(0.5)
        expect(silent == {number: len(told) for number, told in client.told.items()}, "silent after a lapse")
        expect(await client.get("/rudimentary.gaze-sample") == {}, "no sample after a lapse")
        await client.keep_alive(1.0)
        await burst(client, "again", exchanges)
        await asyncio.sleep(KEPT_ALIVE_S + 0.5)
    for each in (client, other):
        await asyncio.wait_for(each.reading, PATIENCE_S)
    return [(client, numbers), (other, other_numbers)], exchanges


def fetch(host, port, path):
    """A property by HTTP."""
    with urllib.request.urlopen(f"http://{host}:{port}/rest{path}", timeout=PATIENCE_S) as answer:
        expect(answer.headers["Content-Type"] == "application/json", f"{path}: {answer.headers}")
        return json.load(answer)


async def properties(client, host, port):
    """Properties, by both ways; what cannot be read, set or done."""
    paths = [
        "/system.recording-unit-serial",
        "/system.head-unit-serial",
        "/system.version",
        "/system.available-gaze-frequencies",
        "/system/battery.level",
        "/system/battery.charging",
        "/settings.gaze-frequency",
        "/recorder.uuid",
        "/recorder.duration",
        "/rudimentary.gaze-sample",
    ]
    for path in paths:
        by_http = await asyncio.to_thread(fetch, host, port, path)
        expect(await client.get(path) == by_http, f"{path}: {by_http} by HTTP")
    expect(await client.get("/system.available-gaze-frequencies") == [50, 100], "gaze frequencies")
    expect("T" in await client.get("/system.time"), "the time as ISO 8601 has it")
    try:
        await asyncio.to_thread(fetch, host, port, "/system.nothing")
        expect(False, "there is no /system.nothing")
    except urllib.error.HTTPError as error:
        expect(error.code == 404, f"/system.nothing: {error.code}")
    await client.refused("/system.nothing", "GET", None, "nothing")
    await client.refused("/rudimentary:smell", "POST", None, "no signal")
    await client.refused("/rudimentary:gaze", "POST", 77, "number")
    await client.refused("/settings.gaze-frequency", "POST", 60, "50 or 100")
    await client.refused("/system.version", "POST", "1", "only be read")
    await refuse_others(host, port)


async def refuse_others(host, port):
    """Nobody gets in who does not say what he speaks."""
    for protocols in (None, ["something-else"]):
        try:
            async with websockets.connect(f"ws://{host}:{port}/websocket", subprotocols=protocols):
                expect(False, f"with {protocols} nobody gets in")
        except websockets.InvalidStatus as error:
            expect(error.response.status_code == 400, f"{protocols}: {error}")


def rows(folder, name):
    """The facts and the rows of a truth log."""
    log = Log(folder, f"{name}.csv")
    return log.facts, log.rows


def numbers_of(row, columns):
    """The numbers of these columns; nothing where they are empty."""
    texts = [row[column] for column in columns]
    if not any(texts):
        return None
    return [float(text) for text in texts]


def axes(row, name, unit=""):
    """The three numbers of a vector."""
    return numbers_of(row, [f"{name}_{axis}{unit}" for axis in AXES])


def without_gaps(parts):
    """An object of those parts that are there."""
    return {key: value for key, value in parts.items() if value is not None}


def eye(row, side):
    """An eye as it should be said."""
    if row[side] != "found":
        return {} if row[side] == "empty" else None
    pupil = numbers_of(row, [f"{side}_pupil_mm"])
    return without_gaps(
        {
            "gazeorigin": axes(row, f"{side}_origin", "_mm"),
            "gazedirection": axes(row, f"{side}_direction"),
            "pupildiameter": pupil and pupil[0],
        }
    )


def wanted(signal, row):
    """What a row of a log says was sent: time stamp and object."""
    if signal == "gaze":
        data = without_gaps(
            {
                "gaze2d": numbers_of(row, ["gaze2d_x", "gaze2d_y"]),
                "gaze3d": axes(row, "gaze3d", "_mm"),
                "eyeleft": eye(row, "left"),
                "eyeright": eye(row, "right"),
            }
        )
    elif signal == "imu":
        units = {"accelerometer": "_m_s2", "gyroscope": "_deg_s", "magnetometer": "_ut"}
        data = without_gaps({name: axes(row, name, unit) for name, unit in units.items()})
    elif signal == "sync-port":
        data = {"direction": row["direction"], "value": int(row["value"])}
    else:
        data = {"tag": row["tag"], "object": json.loads(row["object"])}
    return [float(row["stamp_s"]), data]


def check_signal(signal, number, place, told, log):
    """All that a client was told is all that was delivered to it, in order."""
    mine = [row for row in log if f"{place}:{number}" in row["delivered"].split()]
    expect(len(told) == len(mine), f"{signal}: {len(mine)} delivered, {len(told)} came")
    for (_, body), row in zip(told, mine):
        expect(body == wanted(signal, row), f"{signal} {row['index']}: {body} is not {row}")
    return mine


def check_times(signal, log, facts, zeros):
    """Time stamps are the true times since the signals were opened, to the microsecond."""
    rate = 1 + facts["clock"]["skew_ppm"] * 1e-6
    worst_us = 0.0
    for row in log:
        if not row["stamp_s"]:
            continue
        zero = [zero for zero in zeros if float(zero["host_s"]) <= float(row["host_s"])][-1]
        true_s = (float(row["host_s"]) - float(zero["host_s"])) * rate
        worst_us = max(worst_us, abs(float(row["stamp_s"]) - true_s) * 1e6)
        whole_us = int(row["device_us"]) - int(zero["device_us"])
        expect(float(row["stamp_s"]) == whole_us / 1e6, f"{signal}: {row} since {zero}")
    expect(worst_us <= 1.01, f"{signal}: time stamps are off by {worst_us} us")
    return worst_us


def check_kinds(signal, log):
    """Which forms of a message there were."""
    kinds = {}
    for row in log:
        kind = " ".join(wanted(signal, row)[1]) or "{}"
        kinds[kind] = kinds.get(kind, 0) + 1
    return kinds


def check_exchanges(exchanges, log, facts):
    """Each event was stamped between its question and its answer, as the network has it."""
    own = [row for row in log if row["tag"] == "G3TimeSync"]
    expect(len(own) == len(exchanges), f"{len(exchanges)} events sent, {len(own)} logged")
    down_s, up_s = facts["downlink"]["delay_s"], facts["uplink"]["delay_s"]
    trips_ms = []
    for (asked_s, came_s), row in zip(exchanges, own):
        at_s = float(row["host_s"])
        expect(asked_s + down_s <= at_s <= came_s - up_s, f"asked {asked_s}, answered {came_s}: {row}")
        expect(float(row["came_host_s"]) + down_s <= at_s, f"the way there takes {down_s} s: {row}")
        trips_ms.append((came_s - asked_s) * 1e3)
    return min(trips_ms), max(trips_ms)


def main(host, port, folder, seconds):
    """Run the clients, then compare."""
    clients, exchanges = asyncio.run(run(host, port, seconds))
    time.sleep(FLUSHED_AFTER_S)
    facts, events = rows(folder, "events")
    kinds = [event["kind"] for event in events]
    expect(kinds.count("signals_open") == 2 and kinds.count("signals_closed") == 2, f"{kinds}")
    expect(kinds.count("subscribed") == 8 and kinds.count("unsubscribed") == 1, f"{kinds}")
    zeros = [event for event in events if event["kind"] == "signals_open"]
    connected = [json.loads(event["details"])["connection"] for event in events if event["kind"] == "connected"]
    said, worst_us = [], 0.0
    for signal, name in SIGNALS.items():
        _, log = rows(folder, name)
        expect([int(row["index"]) for row in log] == list(range(len(log))), f"{signal}: the log has gaps")
        worst_us = max(worst_us, check_times(signal, log, facts, zeros))
        # All that was alive went to all who listened, as long as they did.
        for (client, numbers), place in zip(clients, connected):
            mine = check_signal(signal, numbers[signal], place, client.told.get(numbers[signal], []), log)
            if place == connected[0]:
                alive = [row for row in log if row["stamp_s"]]
                expect(mine == alive, f"{signal}: {len(alive)} were alive, {len(mine)} delivered")
                said.append(f"{signal} {len(mine)}")
                forms = check_kinds(signal, mine)
        said[-1] += f" {forms}" if signal != "event" else ""
        if signal == "imu":
            expect(IMU_FORMS <= set(forms), f"IMU: {forms}")
        if signal == "gaze":
            expect(len(forms) >= 3, f"gaze: {forms}")
    _, log = rows(folder, "exchanges")
    least_ms, most_ms = check_exchanges(exchanges, log, facts)
    said.append(f"{len(exchanges)} round trips {least_ms:.2f} to {most_ms:.2f} ms")
    said.append(f"time stamps off by at most {worst_us:.2f} us")
    print("; ".join(said))


main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]) if len(sys.argv) > 4 else 8.0)
