"""Image files as a stranger may have written them."""

import struct
import zlib


def claim_size(path, width, height):
    """A PNG of a few bytes that says it is huge."""
    header = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack('>I', 13) + header + struct.pack('>I', zlib.crc32(header)) + struct.pack('>I', 9) + b'IDAT'
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunks)
    return path
