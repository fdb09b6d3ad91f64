#!/usr/bin/env python3
"""Writes the corpora to begin with: small recordings, packets and texts as the tests of each room have them.

    python3 fuzz/seeds.py

The first byte or bytes of most inputs choose what they are given to: see the functions in `fuzzing.rs` of each plugin.
"""

import json
import struct
from pathlib import Path

HERE = Path(__file__).parent
UNIX_EPOCH_S = 2_208_988_800


def seed(target: str, name: str, data: bytes | str) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


# Recordings: every format, one and two channels, stamps written and left out, a boundary, offsets, a footer.

FORMATS = {"int8": "b", "int16": "h", "int32": "i", "int64": "q", "float32": "f", "double64": "d", "string": ""}


def length(n: int) -> bytes:
    return struct.pack("<BB", 1, n) if n < 256 else struct.pack("<BI", 4, n)


def chunk(tag: int, content: bytes) -> bytes:
    body = struct.pack("<H", tag) + content
    return length(len(body)) + body


def recording(kind: str, channels: int, rate: int) -> bytes:
    header = (f"<info><name>x</name><type>EEG</type><channel_count>{channels}</channel_count>"
              f"<nominal_srate>{rate}</nominal_srate><channel_format>{kind}</channel_format>"
              "<desc><channels><channel><label>a</label></channel></channels></desc></info>")
    file = b"XDF:" + chunk(1, b"<?xml version=\"1.0\"?><info><version>1.0</version></info>")
    file += chunk(2, struct.pack("<I", 1) + header.encode())
    for part in range(3):
        samples = b""
        for n in range(3):
            stamped = n == 0 or rate == 0
            samples += struct.pack("<Bd", 8, 5 + (part * 3 + n) / 100) if stamped else b"\0"
            for channel in range(channels):
                value = length(3) + b"a\xc3\xa9" if kind == "string" else struct.pack("<" + FORMATS[kind], n + channel)
                samples += value
        file += chunk(3, struct.pack("<I", 1) + length(3) + samples)
        file += chunk(4, struct.pack("<Idd", 1, 5 + part, -0.25))
        if part == 1:
            file += chunk(5, bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4"))
    footer = ("<info><first_timestamp>5</first_timestamp><last_timestamp>5.08</last_timestamp><sample_count>9"
              "</sample_count><clock_offsets><offset><time>5</time><value>-.25</value></offset></clock_offsets></info>")
    return file + chunk(6, struct.pack("<I", 1) + footer.encode())


for kind in FORMATS:
    for channels, rate in [(1, 0), (2, 100)]:
        for target in ["xdf_scan_load", "xdf_chunks", "recover"]:
            seed(target, f"{kind}_{channels}", recording(kind, channels, rate))

seed("xdf_xml", "header", "<?xml version=\"1.0\"?><info><name>a &amp; &#228;</name><type>EEG</type><channel_count>2"
     "</channel_count><nominal_srate>100</nominal_srate><channel_format>float32</channel_format><source_id/>"
     "<created_at>5.5</created_at><uid>u</uid><session_id>s</session_id><hostname>h</hostname><desc><a b='c'>"
     "<![CDATA[<x>]]></a><!-- no --></desc></info>")
seed("xdf_xml", "footer", "<info><first_timestamp>1</first_timestamp><last_timestamp>2</last_timestamp><sample_count>3"
     "</sample_count><measured_srate>1</measured_srate><clock_offsets><offset><time>1</time><value>2</value></offset>"
     "</clock_offsets></info>")
seed("xdf_xml", "deep", "<a>" * 60 + "</a>" * 60)
seed("xdf_xml", "fragment", "<channels><channel><label>x</label></channel></channels><b x:y='1' x:y2=\"&lt;\"/>")

# Configurations: the shortest, every section, overrides, and one of LabRecorder.

SOURCE = "[[source]]\nname = \"imu\"\nplugin = \"udp\"\n[source.options]\nlisten = \"5005\"\npayload = \"marker\"\n"
seed("config", "short", "experiment.name = \"grip\"\n" + SOURCE)
seed("config", "all", """[experiment]
name = "grip"
participant = "P1"
session = "01"
task = "hold"
run = "auto"
group = "c"
age = 24
[recording]
directory = "data"
filename = "sub-%p/{task}_{group}[_acq-%a]_run-{run}_{datetime}.xdf"
when_missing = "warn"
wait_s = 5.0
[clock]
ntp = "127.0.0.1:1123"
[remote]
enabled = true
bind = "0.0.0.0"
token = "2f1c9d7be04a4d0f" # ours
[[source]]
name = "a"
plugin = "udp"
acquisition.model = "x"
[source.options]
listen = "127.0.0.1:5005"
payload = "json"
fields = [{ name = "t" }, { name = "c", count = 3, unit = "m" }]
timestamp = { field = "t", unit = "us", clock = "device" }
exchange = { kind = "echo", address = "127.0.0.1:5006" }
[source.synchronization]
offset_mean = 0.1
""")
seed("config", "lsl", "experiment.name = \"x\"\n[[source]]\nname = \"n\"\nplugin = \"lsl\"\n"
     "options.streams = [{ predicate = \"type='EEG'\" }, { name = \"x\" }]\n")
seed("config", "overrides", "experiment.name = \"grip\"\n" + SOURCE +
     "\n--set\nexperiment.participant=P012\nsource.imu.options.listen=\"[::1]:7\"\nrecording.filename={task}\n"
     "remote.token=x\nsource.nobody.required=false\n\"a.b\".c=[1, 2]")
seed("config", "labrecorder.cfg", (HERE / "../tests/data/labrecorder/default.cfg").read_bytes())

# Datagrams: layout, then for each its length, how much later it came, and its bytes.


def datagrams(layout: int, *all_bytes: bytes) -> bytes:
    return bytes([layout]) + b"".join(bytes([len(one), 7]) + one for one in all_bytes)


def row(n: int) -> bytes:
    return json.dumps({"t": n * 10_000, "n": n, "c": [1, 2.5, -3], "d": 1e3}).encode()


seed("udp_payload", "json", datagrams(0, row(1), row(2), row(4), row(3), b"[" + row(5) + b"," + row(6) + b"]", b"{"))
seed("udp_payload", "json_texts", datagrams(1, b'{"a":"x\\u00e4"}', b'{"a":"y"}{"a":"z"}', b'{"b":1}'))
seed("udp_payload", "csv", datagrams(2, b"1.5,1,2,3\n", b"1.6,2,2,3\n1.7,3,4,5\n", b"1.8;250;1;1", b"x"))
seed("udp_payload", "csv_quotes", datagrams(3, b'1;"2"\r\n', b'"1""";2', b"7;-8"))
header = b"LK\0" + struct.pack(">HI", 7, 1000)
seed("udp_payload", "binary_header", datagrams(4, header + struct.pack(">hf", -1, 2.5) * 3, header + b"xxxxxx",
                                               b"LK\0" + struct.pack(">HI", 10, 4000) + struct.pack(">hf", 1, 1)))
seed("udp_payload", "binary", datagrams(5, struct.pack("<BQQQ", 1, 10**9, 5, 6), struct.pack("<BQQQ", 3, 2 * 10**9, 5, 6),
                                        struct.pack("<BQQQ", 2, 15 * 10**8, 5, 2**64 - 1)))
seed("udp_payload", "marker", datagrams(6, b"go\n", "Müller".encode(), b"\xff", b""))
seed("udp_payload", "numbers", datagrams(7, struct.pack("<Id", 1, 5.5), struct.pack("<Id", 2, 5.6),
                                         struct.pack("<Id", 0, float("nan"))))

# Answers about the time: the echo protocol, NTP, the master clock.

echo = b"".join(bytes([0, 2]) + b"LKE1\0\0\0\0" + struct.pack("<dQQ", 0, t, t + 100) for t in (1000, 1_001_000, 500))
seed("clock_packets", "echo", b"\0\0" + echo)
ntp_s = 1_795_305_600 + UNIX_EPOCH_S


def ntp(origin: int, stratum: int = 2, kiss: bytes = b"\0\0\0\0") -> bytes:
    return (bytes([0x24, stratum, 6, 0xE9]) + bytes(8) + kiss + struct.pack(">QQQQ", 0, origin, ntp_s << 32 | 1 << 20,
                                                                            ntp_s << 32 | 1 << 21))


seed("clock_packets", "ntp", b"\0\1" + b"".join(bytes([0, 9]) + packet for packet in (ntp(0), ntp(0, 0, b"RATE"), ntp(1, 16))))
seed("clock_packets", "master", b"\1" + b"".join(b"\0\x64" + packet for packet in (ntp(1), ntp(2), ntp(2), ntp(9, 0, b"DENY"))))

# RTP of a phone: sensor, then length, kind, number, time, bytes. Reports, payloads of every kind, pieces of pictures.


def packets(sensor: int, *all_packets: tuple[int, int, bytes]) -> bytes:
    return bytes([sensor]) + b"".join(bytes([len(p), kind, further, 3]) + p for kind, further, p in all_packets)


report = (bytes([0x80, 200, 0, 6, 0, 0, 0, 0]) + struct.pack(">II", (UNIX_EPOCH_S + 1_700_000_000) & 0xFFFFFFFF, 1 << 31)
          + struct.pack(">I", 0) + bytes(8))
gaze = struct.pack(">ffB", 1, 2, 255)
whole = bytes([0x80, 99]) + struct.pack(">HII", 40, 9000, 0) + gaze
seed("rtp", "gaze", packets(0, (0x1C, 1, gaze), (1, 0, report), (0x1C, 1, gaze + bytes(16)), (0x1C, 3, gaze + bytes(96)),
                            (0, 0, whole), (2, 0, b""), (3, 0, b"")))
imu = b"\x08" + b"\x80\xa0\xb0\xe0\xa0\xe3\xe9\xcb\x17" + b"\x12\x0f\x0d\0\0\x80\x3f\x15\0\0\0\x40\x1d\0\0\x40\x40"
seed("rtp", "imu", packets(1, (0x1C, 1, imu), (0x1C, 1, imu), (0x2C, 250, imu)))
ns = 1_700_000_000_123_456_789
fixation = struct.pack(">iqq10f", 1, ns, ns + 10**8, *range(10))
seed("rtp", "events", packets(2, (1, 0, report), (0x1C, 1, fixation), (0x1C, 1, struct.pack(">iq", 2, ns)),
                              (0x1C, 1, struct.pack(">iqq", 4, ns, ns)), (0x1C, 1, struct.pack(">i", 5))))
seed("rtp", "pictures", packets(3, (1, 0, report), (0x14, 1, bytes([24, 0, 2, 0x67, 1, 0, 3, 0x68, 2, 3])),
                                (4, 1, bytes([0x7C, 0x85, 10, 11])), (4, 1, bytes([0x7C, 5, 12])),
                                (12, 1, bytes([0x7C, 0x45, 13])), (0x1C, 1, bytes([0x41, 9])), (0x1C, 3, bytes([0x41, 9])),
                                (255, 1, bytes([0x65, 1]))))

# RTSP: a whole session, and one with an answer within a packet.

sdp = ("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
       "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0,aM\r\na=control:trackID=0\r\nm=audio 0 RTP/AVP 97\r\n"
       "a=rtpmap:97 mpeg4-generic/8000/1\r\n")


def answer(number: int, more: str = "", body: str = "") -> bytes:
    return f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode()


session = (answer(1, "Public: DESCRIBE\r\n") + answer(2, "Content-Base: rtsp://127.0.0.1/\r\n", sdp)
           + answer(3, "Session: 7;timeout=30\r\nTransport: RTP/AVP;unicast;server_port=6000-6001\r\n") + answer(4))
packet = b"$\0\0\x0c" + whole[:12]
seed("rtsp", "session", b"\xff" + session + packet + packet)
seed("rtsp", "injected", b"\x05" + session + packet[:9] + answer(5) + packet[9:] + b"junk$\1" + b"RTSP/1.0 404 No\r\n\r\n")
seed("rtsp", "sdp", b"\x01" + sdp.encode())

# What the phone says of itself, and single payloads.

phone = {"model": "Phone", "data": {"device_id": "a", "device_name": "b", "ip": "10.0.0.2", "battery_level": 81,
                                    "memory": 1e10, "time_echo_port": 12321}}
parts = [phone, {"model": "Hardware", "data": {"version": "2.0", "module_serial": "x", "glasses_serial": "y"}},
         {"model": "Sensor", "data": {"sensor": "gaze", "conn_type": "DIRECT", "connected": True, "ip": "10.0.0.2",
                                      "port": 8086, "params": "camera=gaze", "protocol": "rtsp"}},
         {"model": "Event", "data": {"name": "go", "timestamp": ns}},
         {"model": "Recording", "data": {"action": "START", "id": "r"}}]
seed("neon_status", "all", b"\4" + json.dumps({"message": "Success", "result": parts}).encode())
seed("neon_status", "lines", b"\5" + "\n".join(map(json.dumps, parts)).encode())
seed("neon_status", "imu", b"\0" + imu)
seed("neon_status", "gaze", b"\1" + gaze + bytes(96))
seed("neon_status", "event", b"\2" + fixation)
seed("neon_status", "echo", b"\3" + struct.pack(">QQQ", 1_700_000_000_000, 1_700_000_000_100, 1_700_000_000_000))

# LSL: what it is, then the bytes.

short = ("<?xml version=\"1.0\"?><info><name>x &amp; y</name><type>EEG</type><channel_count>2</channel_count><channel_format>"
         "int16</channel_format><source_id>s</source_id><nominal_srate>100</nominal_srate><version>1.1</version>"
         "<created_at>5.5</created_at><uid>u</uid><session_id>default</session_id><hostname>h</hostname><v4address/>"
         "<v4data_port>16572</v4data_port><v4service_port>16573</v4service_port><v6address/><v6data_port>16574</v6data_port>"
         "<v6service_port>16575</v6service_port><desc/></info>")
seed("lsl_wire", "answer", b"\2" + short.encode())
seed("lsl_wire", "description", b"\3" + short.replace("<desc/>", "<desc><a>b</a></desc>").encode())
numbers = b"\2" + struct.pack("<dhh", 5.5, 1, 2) + b"\1" + struct.pack("<hh", 3, 4)
seed("lsl_wire", "numbers", b"\0\4\2\3" + numbers + numbers)
seed("lsl_wire", "held", b"\0\4\2\3" + numbers[13:] + numbers)
seed("lsl_wire", "texts", b"\0\2\1\5" + b"\2" + struct.pack("<d", 5.5) + b"\1\2go" + b"\1\4\3\0\0\0abc")
feed = (b"LSL/110 200 OK\r\nUID: uid-x\r\nByte-Order: 1234\r\nSuppress-Subnormals: 0\r\nData-Protocol-Version: 110\r\n\r\n"
        + b"".join(b"\2" + struct.pack("<dhh", 123_456.789, 257 + n, -258 - n) for n in (4, 2)) + b"\1\7\0\x08\0")
seed("lsl_wire", "feed", b"\x44" + feed)
seed("lsl_wire", "feed_pieces", b"\x45" + feed)
seed("lsl_wire", "predicate", b"\6name='A & B' and (type='EEG' or not(contains(hostname,'x'))) and nominal_srate >= -1 + 2 * 3")
seed("lsl_wire", "time", b"\7 7 1.25 314.5 314.500012")

# Lines of remote control; the first byte says in which pieces they come.

seed("remote", "all", b"\xff" + b"select all\nselect type='EEG' and name='a b'\nfilename {root:/nonexistent/recordings/a}{template:"
     b"exp%n/{task}}{task:Hold}{run:7}\r\nfilename {participant:../../x}\nfilename {root:/etc}\nstatus\nupdate\nselect none\n")
seed("remote", "token", b"\x03" + b"token 2f1c9d7be04a4d0f\nstart\nstop now\nhelp\nfilename {task:\nGET / HTTP/1.1\n\n\xff\nsta")

# Frames of a source in a process of its own: native byte order, which is this machine's; the first byte says in which
# pieces they come.


def text(words: str) -> bytes:
    return struct.pack("=I", len(words.encode())) + words.encode()


frames = [b"\1" + struct.pack("=I", 1) + text("udp") + text("0.1") + b"\1" + text("{}"), b"\3\0", b"\4\0", b"\6",
          b"\x0b" + struct.pack("=IIdff", 1, 1, 5.5, 1, 2), b"\x0f" + struct.pack("=I", 1) + b"\1" + bytes(8) + text("gone"),
          b"\x10" + struct.pack("=IB", 1, 2) + text("so"), b"\x12\1" + text("a line"), b"\x13" + struct.pack("=IQ", 1, 7)]
seed("child_frames", "several", b"\5" + b"".join(struct.pack("=I", len(frame)) + frame for frame in frames))
for number, frame in enumerate(frames):
    seed("child_frames", f"one_{number}", b"\xff" + frame)

# Messages of Glasses 3.

for number, body in enumerate([
        {"gaze2d": [0.5, 0.25], "gaze3d": [1, 2, 3], "eyeleft": {"gazeorigin": [1, 2, 3], "gazedirection": [0, 0, 1],
                                                              "pupildiameter": 3.5}},
        {"accelerometer": [1, 2, 3], "gyroscope": [1, 2, 3], "magnetometer": [1, 2]},
        {"direction": "out", "value": 1}, {"tag": "a", "object": {"b": 1}}]):
    seed("tobii_messages", f"signal_{number}", bytes([number]) + json.dumps({"signal": 7, "body": [1.5, body]}).encode())
seed("tobii_messages", "answer", b"\0" + b'{"id":3,"error":5,"message":"no"}')
