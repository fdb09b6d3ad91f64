"""neon_client.py HOST PORT SCHEME OUT: gaze as the maker's own tools receive it, until SIGTERM.

Then OUT has it as JSON: stamps, the first two numbers of each datum, and how it ended.
"""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from pathlib import Path

from pupil_labs.realtime_api import Device, receive_gaze_data
from pupil_labs.realtime_api.streaming.gaze import DualMonocularGazeData

# Where its connections come from: by it the truth log tells them from others.
HOST = "127.0.0.2"


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose connections come from an address of their own."""

    async def create_connection(self, *args, **kwargs):
        return await super().create_connection(*args, **{"local_addr": (HOST, 0), **kwargs})


async def receive(host, port, scheme, stamps_s, points):
    """Everything, until it is cancelled or the client fails."""
    async with Device(host, port) as device:
        url = (await device.get_status()).direct_gaze_sensor().url
    async for datum in receive_gaze_data(url.replace("rtsp:", f"{scheme}:"), run_loop=True):
        stamps_s.append(datum.timestamp_unix_seconds)
        points.append(datum.left if isinstance(datum, DualMonocularGazeData) else datum[:2])


async def main(host, port, scheme, out):
    stamps_s, points, end = [], [], "stopped"
    receiving = asyncio.ensure_future(receive(host, int(port), scheme, stamps_s, points))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, receiving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await receiving
            end = "ended by itself"
        except Exception as error:
            end = f"died: {type(error).__name__}"
    Path(out).write_text(json.dumps({"stamps_s": stamps_s, "points": points, "end": end}), encoding="utf-8")


if __name__ == "__main__":
    # What it says of its own troubles.
    logging.disable(logging.CRITICAL)
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main(*sys.argv[1:]))
