"""Writing XDF by hand, byte for byte, so that files can be anything the format allows."""

import struct

BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
FORMATS = ("int8", "int16", "int32", "int64", "float32", "double64", "string")
DTYPES = dict(int8="<i1", int16="<i2", int32="<i4", int64="<i8", float32="<f4", double64="<f8")


def varlen(number, size=None):
    """A number with its size before it, by default the smallest."""
    size = size or (1 if number < 1 << 8 else 4 if number < 1 << 32 else 8)
    return bytes([size]) + number.to_bytes(size, "little")


def chunk(tag, content, size=None):
    """One chunk; `size` is that of the number its length is written as."""
    return varlen(len(content) + 2, size) + struct.pack("<H", tag) + content


def file_header():
    """What every file begins with."""
    return b"XDF:" + chunk(1, b'<?xml version="1.0"?><info><version>1.0</version></info>')


def stream_header(sid, name, fmt, channels, rate, extra="", desc=""):
    """The header of a stream; `extra` goes into its info."""
    xml = (
        f'<?xml version="1.0"?><info><name>{name}</name><type>Test</type>'
        f"<channel_count>{channels}</channel_count><nominal_srate>{rate!r}</nominal_srate>"
        f"<channel_format>{fmt}</channel_format>{extra}<desc>{desc}</desc></info>"
    )
    return chunk(2, struct.pack("<I", sid) + xml.encode())


def sample(stamp, values, fmt):
    """One sample; a stamp of None is left out."""
    mark = b"\0" if stamp is None else b"\x08" + struct.pack("<d", stamp)
    if fmt == "string":
        return mark + b"".join(varlen(len(text)) + text for text in values)
    return mark + values.tobytes()


def samples(sid, stamps, rows, fmt, count_size=4, size=None):
    """A chunk of samples."""
    body = b"".join(sample(stamp, row, fmt) for stamp, row in zip(stamps, rows, strict=True))
    return chunk(3, struct.pack("<I", sid) + varlen(len(stamps), count_size) + body, size)


def clock_offset(sid, time, value):
    """A clock offset: when, by the stream's clock, and what to add to its stamps."""
    return chunk(4, struct.pack("<Idd", sid, time, value))


def boundary():
    """What readers look for after damage."""
    return chunk(5, BOUNDARY)


def stream_footer(sid, count, first=0.0, last=0.0):
    """The footer of a stream."""
    xml = (
        f'<?xml version="1.0"?><info><first_timestamp>{first!r}</first_timestamp>'
        f"<last_timestamp>{last!r}</last_timestamp><sample_count>{count}</sample_count></info>"
    )
    return chunk(6, struct.pack("<I", sid) + xml.encode())
