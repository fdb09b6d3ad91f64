"""glasses3_found.py SERIAL PORT: simulated glasses on this machine are found by mDNS, with their port and path."""

import sys
import time

from recording import expect
from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

KIND = "_tobii-g3api._tcp.local."
PATIENCE_S = 20


def main(serial, port):
    """Look until they are found."""
    found = []

    def seen(zeroconf, service_type, name, state_change):
        if state_change is ServiceStateChange.Added:
            found.append(name)

    with Zeroconf(interfaces=["127.0.0.1"]) as zeroconf:
        ServiceBrowser(zeroconf, KIND, handlers=[seen])
        name, end_s = f"{serial}.{KIND}", time.monotonic() + PATIENCE_S
        while name not in found and time.monotonic() < end_s:
            time.sleep(0.1)
        expect(name in found, f"{name} was not found, only {found}")
        info = zeroconf.get_service_info(KIND, name, timeout=1000 * PATIENCE_S)
        expect(info is not None and info.port == port, f"{info}")
        expect(info.parsed_addresses() == ["127.0.0.1"], f"{info.parsed_addresses()}")
        expect(info.server.lower() == f"{serial.lower()}.local.", info.server)
        expect(info.properties == {b"path": b"/rest"}, f"{info.properties}")
        print(f"{name} at {info.parsed_addresses()[0]}:{info.port}, {info.properties}")


main(sys.argv[1], int(sys.argv[2]))
