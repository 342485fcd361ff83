#!/usr/bin/env python3
"""Reads a folder of TensorBoard event files by their published format, without any code of Sotto's, and
prints the events as one JSON array. Fails where a checksum is wrong or a field is not what the format says.

Usage: tests/coordinator/dashboard/read_events.py FOLDER
"""
import json
import struct
import sys
from pathlib import Path


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def unmask(masked):
    rotated = (masked - 0xA282EAD8) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def records(data):
    at = 0
    while at < len(data):
        head, length_crc = data[at:at + 8], struct.unpack_from("<I", data, at + 8)[0]
        if unmask(length_crc) != crc32c(head):
            sys.exit(f"byte {at}: the checksum of the length is wrong")
        (length,) = struct.unpack("<Q", head)
        body = data[at + 12:at + 12 + length]
        if len(body) != length or unmask(struct.unpack_from("<I", data, at + 12 + length)[0]) != crc32c(body):
            sys.exit(f"byte {at}: the checksum of the data is wrong")
        yield body
        at += 16 + length


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """(number, wire type, value) of a protocol buffer."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            (value,), at = struct.unpack_from("<d", data, at), at + 8
        elif kind == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        elif kind == 5:
            (value,), at = struct.unpack_from("<f", data, at), at + 4
        else:
            sys.exit(f"no wire type {kind}")
        yield key >> 3, kind, value


def event(data):
    out = {}
    for number, kind, value in fields(data):
        if (number, kind) == (1, 1):
            out["wall_time"] = value
        elif (number, kind) == (2, 0):
            out["step"] = value
        elif (number, kind) == (3, 2):
            out["file_version"] = value.decode()
        elif (number, kind) == (5, 2):
            out["scalars"] = {}
            for n, k, summary in fields(value):
                if (n, k) != (1, 2):
                    sys.exit("a summary holds values alone")
                inside = {(m, j): v for m, j, v in fields(summary)}
                out["scalars"][inside.pop((1, 2)).decode()] = inside.pop((2, 5))
                if inside:
                    sys.exit("a value of ours is a tag and a float")
        elif (number, kind) == (7, 2):
            out["session"] = dict((n, v) for n, _, v in fields(value))[1]
        else:
            sys.exit(f"an event of ours has no field {number} of wire type {kind}")
    return out


def main():
    files = sorted(Path(sys.argv[1]).glob("events.out.tfevents.*"))
    print(json.dumps([event(body) for file in files for body in records(file.read_bytes())]))


if __name__ == "__main__":
    main()
