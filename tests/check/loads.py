"""loads.py FILE NAME...: pyxdf loads the file; these streams are in it, with samples and footers."""

import sys

from recording import expect, load

streams = load(sys.argv[1])
for name in sys.argv[2:]:
    expect(len(streams[name].stamps) > 0, f"{name} is empty")
print(", ".join(f"{stream.name}: {len(stream.stamps)}" for stream in streams.values()))
