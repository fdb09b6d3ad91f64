"""Drives a recorder by TCP as LabRecorder is driven.

    remote_client.py devices PORT SIMULATOR ROOT
    remote_client.py lsl PORT ROOT

A script for LabRecorder opens a socket and sends lines; it need not read the answers. This one does both, and
says what is wrong with an answer. `devices`: SIMULATOR is the command, as JSON, of a device that sends all the
time. `lsl`: the network has three streams, one of the type EEG; it records all of them, then that one alone.
The last line that is printed is what `status` said of both recordings.
"""

import json
import pathlib
import socket
import subprocess
import sys
import time

from recording import expect

port, root = int(sys.argv[2]), pathlib.Path(sys.argv[-1])


def connect():
    return socket.create_connection(("localhost", port), timeout=60)


class Client:
    """A script that reads the answers."""

    def __init__(self):
        self.socket = connect()
        self.answers = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def ask(self, command, begins="OK "):
        self.socket.sendall(command.encode() + b"\n")
        answer = self.answers.readline()
        print(f"{command}\n  {answer}", end="")
        expect(answer.endswith("\n"), f"{command}: the answer {answer!r} has no end")
        expect(answer.startswith(begins), f"{command}: {answer!r} does not begin with {begins!r}")
        return answer[len(begins) :].strip()

    def status(self):
        return json.loads(self.ask("status"))


def until(what, condition):
    end = time.monotonic() + 60
    while not condition():
        expect(time.monotonic() < end, f"waited in vain until {what}")
        time.sleep(0.05)


def file_in(text, word):
    """The path behind `word` in an answer."""
    return pathlib.Path(text.split(word, 1)[1].split(" (", 1)[0].strip())


def devices(simulator):
    client = Client()
    client.ask("help")
    expect(client.status()["state"] == "idle", "it waits")
    expect("nothing is being recorded" in client.ask("stop", "ERROR "), "stop without a recording")
    client.ask("bogus", "ERROR ")
    client.ask("select", "ERROR ")
    client.ask("update")
    client.ask("filename {participant:../x}", "ERROR ")

    # What is selected beside the configuration is looked for by a plugin; none of it is silently left out.
    expect("type='EEG'" in client.ask("select type='EEG'"), "what was selected is said")
    expect(client.status()["selected"] == ["type='EEG'"], "what was selected is shown")
    client.ask("select none")

    # No device sends yet: `start` is answered when it is known that nothing came, and says from what.
    client.ask(f"filename {{root:{root}}}{{template:Exp%n/sub-%p_%b.xdf}}{{participant:P1}}{{task:Rest}}")
    expect("sim" in client.ask("start", "ERROR "), "what is missing is named")
    expect(client.status()["last"]["outcome"] == "failed", "it is remembered")

    device = subprocess.Popen(simulator, stdout=subprocess.DEVNULL)
    try:
        # As the peer's documentation shows it: lines, and nobody who reads.
        script = connect()
        script.sendall(b"select none\n")
        script.sendall(b"start\n")
        until("it records", lambda: client.status()["state"] == "recording")
        expect("is being recorded already" in client.ask("start", "ERROR "), "a second start")
        samples = lambda: client.status()["recording"]["sources"][0]["streams"][0]["samples"]
        until("samples come", lambda: samples() > 100)
        expect("next recording" in client.ask("filename {task:Walk}"), "a name for later")
        script.sendall(b"stop\n")
        until("it waits again", lambda: client.status()["state"] == "idle")
        first = client.status()["last"]
        script.close()

        # With answers, and with the line ends of Windows: another run, counted where the files are.
        begun = client.ask("start\r")
        second = file_in(begun, "started")
        until("samples come", lambda: samples() > 100)
        ended = client.ask("stop\r")
        expect(file_in(ended, "stopped") == second, "start and stop name the same file")
        last = client.status()["last"]
        for part in (f"{last['samples']} samples", f"{last['lost']} lost", last["outcome"]):
            expect(part in ended, f"{part!r} is not in the answer to stop")

        # Both at once on one connection: the stop comes at once, whatever start is waiting for.
        client.socket.sendall(b"start\nstop\n")
        answers = [client.answers.readline() for _ in range(2)]
        print(*answers)
        expect(all(answer.split()[0] in ("OK", "ERROR") for answer in answers), f"{answers}")

        # The end is asked for while it records; whoever is connected is told what became of it.
        client.ask("start")
        print(client.status()["state"])
    finally:
        device.terminate()
        device.wait()

    expect(first["path"] == str(root / "Exp001" / "sub-P1_Rest.xdf"), f"the first file is {first['path']}")
    expect(second == root / "Exp001" / "sub-P1_Walk.xdf", f"the second file is {second}")
    for ended in (first, last):
        expect(ended["outcome"] == "complete" and ended["lost"] == 0, f"{ended}")
    print(json.dumps([first, last]))


def lsl():
    client = Client()
    expect(client.status()["network"] is None, "before `update` nothing is known of the network")
    expect("nothing is selected" in client.ask("start", "ERROR "), "never everything unasked")
    until("all outlets are found", lambda: client.ask("update").startswith("3 LSL streams on the network: "))
    network = {stream["name"]: stream for stream in client.status()["network"]}
    expect(sorted(network) == ["Cap", "Gaze", "Markers"], f"{network}")
    cap = network["Cap"]
    expect((cap["type"], cap["source_id"]) == ("EEG", "cap-1") and cap["host"], f"{cap}")
    expect("none of them is selected" in client.ask("update"), "nothing is selected yet")

    def recorded(count):
        """Whether so many streams have samples, and each clock has offsets."""
        recording = client.status()["recording"]
        sources = recording["sources"] if recording else []
        streams = [stream for source in sources for stream in source["streams"]]
        clocks = [clock for source in sources for clock in source["clocks"]]
        return (
            len(streams) == count
            and all(stream["samples"] > 20 for stream in streams)
            and clocks
            and all(clock["offsets"] >= 2 for clock in clocks)
        )

    # As the peer's documentation shows it: lines, and nobody who reads.
    script = connect()
    for line in (
        "update",
        "select all",
        f"filename {{root:{root}}}{{template:exp%n/%p_block_%b.xdf}}{{run:1}}{{participant:P003}}{{task:MemoryGuided}}",
        "start",
    ):
        script.sendall(line.encode() + b"\n")
    until("all streams are recorded", lambda: recorded(3))
    # A look at the network, and what is chosen for later, change nothing of what is going on.
    answer = client.ask("update")
    expect(answer.startswith("3 LSL streams") and "selected: all" in answer, answer)
    script.sendall(b"stop\n")
    until("it waits again", lambda: client.status()["state"] == "idle")
    first = client.status()["last"]
    expect(first["path"] == str(root / "exp001" / "P003_block_MemoryGuided.xdf"), f"{first}")
    script.close()

    client.ask("select none")
    expect("with type='EEG' will be recorded" in client.ask("select type='EEG'"), "what is selected is said")
    answer = client.ask("update")
    expect("selected: 1: Cap (" in answer, answer)
    client.ask("filename {task:Rest}")
    begun = client.ask("start")
    until("the stream is recorded", lambda: recorded(1))
    ended = client.ask("stop")
    expect(file_in(ended, "stopped") == file_in(begun, "started"), "start and stop name the same file")
    second = client.status()["last"]
    for last in (first, second):
        expect(last["outcome"] == "complete" and last["lost"] == 0, f"{last}")
    print(json.dumps([first, second]))


if sys.argv[1] == "lsl":
    lsl()
else:
    devices(json.loads(sys.argv[3]))
