#!/usr/bin/env python3
"""A device in Python: sends samples to Lockstep and answers its clock questions.

    python3 echo_responder.py [RECORDER_IP]

Record it with the options in the README of this plugin. Needs nothing but Python 3.
"""

import math
import socket
import struct
import sys
import threading
import time

DATA = (sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1", 5005)
EXCHANGE_PORT = 5006


def ticks() -> int:
    """The device's clock: microseconds from any start, never set and never slewed by hand."""
    return time.monotonic_ns() // 1000


def answer_exchanges() -> None:
    """The echo protocol: 16 bytes come, the same 16 bytes and two readings go back."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", EXCHANGE_PORT))
    while True:
        question, sender = sock.recvfrom(64)
        t1 = ticks()  # first thing after it came
        if len(question) == 16 and question.startswith(b"LKE1"):
            # t2 is read last thing before it leaves.
            sock.sendto(question + struct.pack("<QQ", t1, ticks()), sender)


def main() -> None:
    threading.Thread(target=answer_exchanges, daemon=True).start()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    number = 0
    due = time.monotonic()
    while True:
        # Until the next one is due: a fixed pause would add what the rest takes, and be slow.
        due += 0.01
        time.sleep(max(0.0, due - time.monotonic()))
        t = ticks()
        x, y = math.sin(t / 1e6), math.cos(t / 1e6)
        sock.sendto(f'{{"seq":{number},"t":{t},"x":{x},"y":{y}}}'.encode(), DATA)
        number += 1


if __name__ == "__main__":
    main()
