"""lsl_hung.py HOW NAME: an outlet that is found like any other, and misbehaves.

    hung         accepts connections, and never answers on them
    firewalled   cannot be connected to, nor does its time service answer: what is sent to it is dropped
    no-time      sends samples, but its time service does not answer
    garbage      answers with bytes that mean nothing
    half-header  closes the connection in the middle of the answer's header
    torn         closes the connection in the middle of a sample, each time anew
    asleep       sends samples, and after 4 s its clock is 2.5 s behind: its machine was suspended
    slow         sends samples, and takes 9 s to tell its header

Where all but `firewalled` are asked for their header, they tell it, `hung` excepted. Ports are those of the
configuration that LSLAPICFG names. Prints `ready`, and ends with SIGTERM.
"""

import configparser
import os
import re
import socket
import struct
import sys
import threading
import time
import uuid

RATE_HZ = 100.0
# Connections of its own that keep the queue of a `firewalled` outlet full.
FILLERS = 3
TORN_AFTER = 25
# Seconds of samples before `asleep` sleeps, and for how long.
AWAKE_S, ASLEEP_S = 4.0, 2.5
# How long `slow` takes.
SLOW_S = 9.0


def clock_s() -> float:
    """What liblsl calls local_clock."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def ports() -> range:
    """Where outlets are looked for."""
    config = configparser.ConfigParser()
    config.read(os.environ.get("LSLAPICFG", "lsl_api.cfg"))
    first = config.getint("ports", "BasePort", fallback=16572)
    return range(first, first + config.getint("ports", "PortRange", fallback=32))


def bound(kind: socket.SocketKind) -> socket.socket:
    """A socket at the first free of these ports."""
    for port in ports():
        sock = socket.socket(socket.AF_INET, kind)
        try:
            sock.bind(("", port))
            return sock
        except OSError:
            sock.close()
    sys.exit("lsl_hung.py: no port is free")


class Outlet:
    """The outlet, one channel of float32 that counts."""

    def __init__(self, how: str, name: str):
        self.how = how
        self.udp = bound(socket.SOCK_DGRAM)
        self.tcp = bound(socket.SOCK_STREAM)
        self.base_s = clock_s()
        # By how much its clock is behind.
        self.behind_s = 0.0
        self.fields = {
            "name": name,
            "type": "Test",
            "channel_count": "1",
            "channel_format": "float32",
            "source_id": f"{name}-source",
            "nominal_srate": f"{RATE_HZ:.13f}",
            "version": "1.100000000000000",
            "created_at": f"{self.base_s!r}",
            "uid": str(uuid.uuid4()),
            "session_id": "default",
            "hostname": socket.gethostname(),
            "v4address": "",
            "v4data_port": str(self.tcp.getsockname()[1]),
            "v4service_port": str(self.udp.getsockname()[1]),
            "v6address": "",
            "v6data_port": "0",
            "v6service_port": "0",
        }
        inner = "".join(f"<{key}>{value}</{key}>" for key, value in self.fields.items())
        self.xml = f'<?xml version="1.0"?><info>{inner}<desc /></info>'.encode()

    def matches(self, query: str) -> bool:
        """The part of XPath that resolvers use: comparisons with a text, joined by and, or, not()."""
        code = re.sub(r"([\w/]+)\s*=\s*('[^']*'|\"[^\"]*\")", r"(of.get('\1', '') == \2)", query)
        code = code.replace("true()", "True").replace("false()", "False")
        try:
            return not query or bool(eval(code, {"__builtins__": {}}, {"of": self.fields}))
        except (SyntaxError, NameError, TypeError) as error:
            print(f"lsl_hung.py: a query that it does not understand: {query}: {error}", file=sys.stderr)
            return False

    def answer_datagrams(self):
        """Discovery and time."""
        while True:
            datagram, asker = self.udp.recvfrom(65536)
            t1 = clock_s() - self.behind_s
            lines = datagram.decode().split("\r\n")
            if lines[0] == "LSL:shortinfo" and self.matches(lines[1]):
                port, query_id = lines[2].split()
                self.udp.sendto(f"{query_id}\r\n".encode() + self.xml, (asker[0], int(port)))
            elif lines[0] == "LSL:timedata" and self.how not in ("firewalled", "no-time"):
                wave, t0 = lines[1].split()
                self.udp.sendto(f" {wave} {t0} {t1:.16g} {clock_s() - self.behind_s:.16g}".encode(), asker)

    def accept(self):
        """Connections, each on a thread of its own."""
        if self.how == "firewalled":
            # The system drops what asks for a connection when nobody has accepted those before it.
            self.tcp.listen(0)
            fillers = [socket.socket() for _ in range(FILLERS)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(self.tcp.getsockname())
            time.sleep(0.1)
            print("ready", flush=True)
            threading.Event().wait()
        self.tcp.listen()
        print("ready", flush=True)
        while True:
            connection, _ = self.tcp.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket):
        """One connection."""
        with connection:
            try:
                asked = self.read_request(connection)
                if self.how == "hung":
                    while connection.recv(65536):
                        pass
                elif asked.startswith("LSL:streamfeed"):
                    self.feed(connection)
                elif self.how == "slow":
                    for byte in self.xml:
                        connection.sendall(bytes([byte]))
                        time.sleep(SLOW_S / len(self.xml))
                else:
                    connection.sendall(self.xml)
            except OSError:
                # The recorder has closed it.
                return

    @staticmethod
    def read_request(connection: socket.socket) -> str:
        """Its first line; a request for samples has more of them, up to an empty one."""
        request = b""
        while True:
            more = connection.recv(65536)
            request += more
            end = b"\r\n\r\n" if request.startswith(b"LSL:streamfeed") else b"\r\n"
            if not more or end in request:
                return request.split(b"\r\n")[0].decode()

    def feed(self, connection: socket.socket):
        """Samples, as far as it goes."""
        if self.how == "garbage":
            connection.sendall(os.urandom(4096))
            return
        header = f"LSL/110 200 OK\r\nUID: {self.fields['uid']}\r\nByte-Order: 1234\r\nSuppress-Subnormals: 0\r\n"
        if self.how == "half-header":
            connection.sendall(header[: len(header) // 2].encode())
            return
        # Two samples that both sides know.
        known = b"".join(struct.pack("<Bdf", 2, 123456.789, number) for number in (4, 2))
        connection.sendall(f"{header}Data-Protocol-Version: 110\r\n\r\n".encode() + known)
        number = first = int((clock_s() - self.base_s) * RATE_HZ)
        while True:
            if self.how == "asleep" and number == first + AWAKE_S * RATE_HZ:
                self.behind_s = ASLEEP_S
            sample = struct.pack("<Bdf", 2, self.base_s + number / RATE_HZ - self.behind_s, number)
            if self.how == "torn" and number == first + TORN_AFTER:
                connection.sendall(sample[:7])
                return
            connection.sendall(sample)
            number += 1
            time.sleep(max(0.0, self.base_s + number / RATE_HZ - clock_s()))


def main():
    how, name = sys.argv[1:]
    if how not in ("hung", "firewalled", "no-time", "garbage", "half-header", "torn", "asleep", "slow"):
        sys.exit(__doc__)
    outlet = Outlet(how, name)
    threading.Thread(target=outlet.answer_datagrams, daemon=True).start()
    outlet.accept()


main()
