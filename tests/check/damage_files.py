#!/usr/bin/env python3
"""Write one recording for each kind of damage.

    python damage_files.py FOLDER

Each has a stream of 40 chunks with 50 samples, whose values are their numbers, a Boundary after every
fourth chunk, an offset for each chunk, and a second stream of one sample. `damage.py` knows what stands
in them.
"""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from xdf_writer import boundary, chunk, clock_offset, file_header, samples, stream_footer, stream_header

CHUNKS, PER_CHUNK = 40, 50
ALL = CHUNKS * PER_CHUNK
VICTIM = 30
SCAN_BLOCK = 1 << 20


def stamp(index):
    """Stamp of a sample; no two differences are the same."""
    return 10 + 0.01 * index + 1e-9 * (index * index % 97)


def pieces(offsets=True, footer=True):
    """The parts of the file, and which of them is the chunk that will be damaged."""
    parts = [
        file_header(),
        stream_header(3, "Main", "float32", 2, 100.0),
        stream_header(9, "Spare", "int16", 1, 0.0),
        samples(9, [1.0], np.array([[7]], "<i2"), "int16"),
    ]
    for at in range(CHUNKS):
        numbers = np.arange(at * PER_CHUNK, (at + 1) * PER_CHUNK)
        rows = np.column_stack([numbers, -numbers]).astype("<f4")
        if at == VICTIM:
            victim = len(parts)
        parts.append(samples(3, [stamp(int(i)) for i in numbers], rows, "float32", 4, 4))
        if offsets:
            parts.append(clock_offset(3, stamp(int(numbers[-1])), 1e-3))
        if at % 4 == 3:
            parts.append(boundary())
    if footer:
        parts += [stream_footer(3, ALL), stream_footer(9, 1)]
    return parts, victim


def changed(at, new):
    """The file with bytes of the victim overwritten, counted from the chunk's start."""
    parts, victim = pieces()
    old = parts[victim]
    at = slice(at, at + len(new))
    parts[victim] = old[: at.start] + new + old[at.stop :]
    return b"".join(parts)


def cut(at):
    """The file up to a byte of the victim."""
    parts, victim = pieces()
    return b"".join(parts[:victim]) + parts[victim][:at]


def inserted(part):
    """The file with something before the victim."""
    parts, victim = pieces()
    return b"".join(parts[:victim] + [part] + parts[victim:])


def straddling():
    """After a bad length, the next Boundary lies across two of pyxdf's blocks."""
    parts, victim = pieces()
    parts[victim] = b"\0" * 5 + parts[victim][5:]
    # pyxdf looks from the second byte of the bad chunk on.
    wanted = SCAN_BLOCK - 8 - (len(parts[victim]) - 1) - (1 + 1 + 2)
    pad = chunk(7, bytes(wanted - 7), 4)
    assert len(pad) == wanted
    parts.insert(victim + 1, boundary())
    parts.insert(victim + 1, pad)
    return b"".join(parts)


# The victim: size and length (5 bytes), tag 2, stream id 4, size and count 5, samples of 17 bytes.
def files():
    """Name and bytes of each file."""
    length = lambda n: struct.pack("<I", n)
    true_length = struct.unpack("<I", pieces()[0][pieces()[1]][1:5])[0]
    no_footer, no_offsets = b"".join(pieces(footer=False)[0]), b"".join(pieces(offsets=False)[0])
    whole = b"".join(pieces()[0])
    return {
        "cut_inside_samples": cut(16 + 45 * 17 + 6),
        "cut_after_length": cut(5),
        "bad_varlen": changed(0, bytes(5)),
        "payload_zeroed": changed(16, bytes(PER_CHUNK * 17)),
        "tag_99": changed(5, b"\x63\x00"),
        "unknown_stream": changed(7, struct.pack("<I", 77)),
        "count_2_31": changed(12, struct.pack("<I", 2**31 - 1)),
        "length_too_big": changed(1, length(true_length + 1000)),
        "length_too_small": changed(1, length(true_length - 17)),
        "no_footer": no_footer,
        "no_offsets": no_offsets,
        "empty_stream": inserted(stream_header(11, "Empty", "double64", 3, 10.0)),
        "boundary_across_blocks": straddling(),
        "offset_of_unknown_stream": inserted(clock_offset(77, 1.0, 2.0)),
        "offset_cut_short": inserted(chunk(4, struct.pack("<Id", 3, 1.0))),
        "header_not_xml": inserted(chunk(2, struct.pack("<I", 12) + b"<?xml version='1.0'?><info><name>x</nam")),
        "zlib": zlib.compress(whole),
    }


def main():
    for name, data in files().items():
        name += ".xdfz" if name == "zlib" else ".xdf"
        (Path(sys.argv[1]) / name).write_bytes(data)


if __name__ == "__main__":
    main()
