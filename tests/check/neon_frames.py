"""Pictures of simulated cameras: the bytes beside the recording are those that were sent, and decode to the pictures."""

import av
import numpy as np
from neon_truth import Log, bar_code
from recording import expect

# The most of a unit that the simulated phone sends in one piece, and in each piece of a larger one.
WHOLE, PIECE = 1300, 1298
# Types of the parameter sets that the recorder puts before the first picture of each connection.
SETS = [7, 8]


def payload_bytes(units):
    """What these units of H.264 are as payloads of RTP."""

    def of(unit):
        pieces = -(-(len(unit) - 1) // PIECE)
        return len(unit) if len(unit) <= WHOLE else len(unit) - 1 + 2 * pieces

    return sum(map(of, units))


def packets_delivered(row):
    """Packets of a picture that reached a client."""
    return sum(int(copies.split(":")[1]) for copies in row["delivered"].split())


def compare_frames(name, stream, recording, folder, tolerance_s):
    """One camera beside what was sent."""
    video = stream["info"]["desc"][0]["video"][0]["file"][0]
    data = (recording.parent / video).read_bytes()
    truth = Log(folder, f"{name}.csv").rows
    by_rtp = {int(row["rtp"]): row for row in truth}
    decoder, found, errors_s = None, [], []
    decoded = incomplete = end = 0
    for number, (values, stamp_s) in enumerate(zip(stream["time_series"], stream["time_stamps"])):
        frame, offset, size, key, complete, rtp = map(int, values)
        expect((frame, offset) == (number, end), f"{name}: picture {frame} at {offset}, after {number} at {end}")
        end = offset + size
        expect(rtp in by_rtp, f"{name}: nothing was sent at {rtp}")
        row = by_rtp[rtp]
        found.append(int(row["index"]))
        errors_s.append(stamp_s - int(row["device_ns"]) / 1e9)
        if not complete or found[-2:] not in ([found[-1]], [found[-1] - 1, found[-1]]):
            # It, and what follows, refers to what is missing.
            decoder = None
        if not complete:
            incomplete += 1
            continue
        expect(key == int(row["key"]), f"{name}: picture {number} is a key picture: {key}, {row}")
        units = data[offset:end].split(b"\0\0\0\1")[1:]
        if [unit[0] & 31 for unit in units[:2]] == SETS and payload_bytes(units) != int(row["bytes"]):
            units = units[2:]
        expect(payload_bytes(units) == int(row["bytes"]), f"{name}: picture {number} has other bytes than {row}")
        if key:
            decoder = av.CodecContext.create("h264", "r")
        if decoder:
            (picture,) = decoder.decode(av.Packet(data[offset:end]))
            code = bar_code(picture.to_ndarray(format="gray"))
            expect(code == int(row["code"]), f"{name}: picture {code} where {row['code']} was sent")
            decoded += 1
    expect(end == len(data), f"{name}: {len(data)} bytes in {video}, {end} in the recording")
    expect(found, f"{name}: no pictures")
    first, last = min(found), max(found)
    between = [row for row in truth if first <= int(row["index"]) <= last]
    # Where packets come twice, their number does not tell whether all of them came.
    again = any(packets_delivered(row) > int(row["packets"]) for row in between)
    due = {int(row["index"]) for row in between if packets_delivered(row) >= int(row["packets"])}
    result = {
        "samples": len(found),
        "sent": len(between),
        "lost_by_network": len(between) - len(due),
        "missing": len(due - set(found)),
        "twice": len(found) - len(set(found)),
        "incomplete": incomplete,
        "decoded": decoded,
        "backwards": int(np.sum(np.diff(stream["time_stamps"]) < 0)),
        "worst_stamp_us": 1e6 * float(max(map(abs, errors_s))),
        "median_stamp_us": 1e6 * float(np.median(errors_s)),
    }
    expect(not result["twice"], f"{name}: pictures are there twice: {result}")
    expect(again or not result["missing"], f"{name}: pictures reached the recorder and are missing: {result}")
    expect(result["worst_stamp_us"] <= 1e6 * tolerance_s, f"{name}: stamps: {result}")
    return result
