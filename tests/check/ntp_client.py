"""ntp_client.py PORT OFFSET: another SNTP client, ntplib, agrees with a simulated server.

OFFSET is this machine's UTC minus the server's, as the server was told.
"""

import sys

import ntplib
from recording import expect

port, offset_s = int(sys.argv[1]), float(sys.argv[2])
client = ntplib.NTPClient()
answers = [client.request("127.0.0.1", port=port, version=4, timeout=30) for _ in range(8)]
best = min(answers, key=lambda answer: answer.delay)
# ntplib says how far the server is ahead. Its own stamps are good to a microsecond.
error_s = best.offset + offset_s
expect(abs(error_s) <= best.delay / 2 + 2e-6, f"{best.offset} where {-offset_s} is true, delay {best.delay}")
expect(all(answer.leap == 0 and answer.mode == 4 and answer.version == 4 for answer in answers), "header")
print(f"ntplib: off by {1e6 * error_s:.1f} us, round trip {1e6 * best.delay:.1f} us, stratum {best.stratum}")
