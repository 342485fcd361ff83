#!/usr/bin/env python3
"""Writes frames.json: one frozen frame a message, laid out from the tables of
common/wire/README.md with struct.pack and nothing of the C++ code. The values are those of
tests/common/wire/samples.h."""
import json
import struct
from pathlib import Path

RUN_ROUND = 0x0000000000020001  # server round 2, attempt 1


def fill(first, count):
    return bytes((first + i) % 256 for i in range(count))


def u8(v):
    return struct.pack("<B", v)


def u16(v):
    return struct.pack("<H", v)


def u32(v):
    return struct.pack("<I", v)


def u64(v):
    return struct.pack("<Q", v)


def sig(first):
    return fill(first, 64)


def h32(first):
    return fill(first, 32)


def bitmap(*octets):
    return u16(len(octets)) + bytes(octets)


def text(s):
    return u32(len(s)) + s.encode()


def lane(word_bits, bits, kind, length, chunk_words):
    return u8(word_bits) + u8(bits) + u8(kind) + u8(0) + u64(length) + u32(chunk_words) + u32(0)


HEADER = (b"SECAGG1\0" + h32(0x10) + u64(RUN_ROUND) + h32(0x20) + h32(0x30)
          + u32(5) + u32(1) + u32(4) + u32(3) + u32(0) + u32(4) + u32(4) + u32(5) + u8(0)
          + h32(0x40) + h32(0x50) + u8(1) + u8(3)
          + lane(32, 20, 1, 1000000, 65536) + lane(64, 64, 2, 9, 65536) + lane(32, 32, 3, 16, 65536))
assert len(HEADER) == 211 + 3 * 20

ADVERTISE = u32(2) + h32(0x01) + h32(0x02) + h32(0x03) + sig(0x04)
assert len(ADVERTISE) == 164


def entry(to):
    """Of a dealer that shares a key with member 4."""
    escrow = u8(1) + h32(0x66) + fill(0x77, 48) if to == 4 else u8(0)
    return u32(to) + fill(0x11, 24) + fill(0x22, 80) + h32(0x33) + h32(0x44) + escrow + sig(0x55)


assert len(entry(1)) == 237 and len(entry(4)) == 317
UPLOAD = u32(3) + h32(0x07) + h32(0x08) + sig(0x09)
assert len(UPLOAD) == 132

SHARE_CHECK = u32(2) + h32(0x2E) + bitmap(0x08) + bitmap(0x10) + sig(0x2F)

GENESIS_ENTRY = u32(2) + h32(0x71) + sig(0x72)
assert len(GENESIS_ENTRY) == 100
GENESIS_REVEAL = h32(0x70) + u32(2) + h32(0x73) + h32(0x74) + sig(0x75)
assert len(GENESIS_REVEAL) == 164

BODIES = {
    "Offer": (0, HEADER + b"".join(u64(1000 * i) for i in range(1, 7)) + bitmap(0xB6, 0x01) + sig(0x60)),
    "Advertise": (1, ADVERTISE),
    "KeyList": (2, bitmap(0x1F) + sig(0x05) + u32(1) + ADVERTISE),
    "Shares": (3, u32(2) + u32(2) + entry(1) + entry(4)),
    "ShareForward": (4, bitmap(0x1D) + sig(0x06) + u32(1) + u32(5) + entry(2)),
    "UploadHeader": (5, UPLOAD),
    "Survivors": (6, u8(0) + h32(0x0A) + bitmap(0x17) + sig(0x0B)),
    "Endorse": (7, u8(0) + u32(4) + sig(0x0C)),
    "UnmaskRequest": (8, u8(0) + u32(2) + u32(1) + sig(0x0D) + u32(4) + sig(0x0E)
                      + h32(0x0F) + h32(0x1A) + u32(1) + UPLOAD),
    "UnmaskResponse": (9, u32(2) + h32(0x1B) + h32(0x1C) + u32(2)
                       + u32(1) + u8(0) + h32(0x1D) + u32(3) + u8(1) + h32(0x1E) + sig(0x1F)),
    "RoundResult": (10, u8(3) + h32(0x2A) + h32(0x2B) + h32(0x2C) + sig(0x2D)),
    "ShareCheck": (11, SHARE_CHECK),
    "Complaints": (13, u32(1) + SHARE_CHECK),
    "Opening": (14, u32(3) + h32(0x81) + u32(1) + u32(2) + h32(0x82) + h32(0x83) + sig(0x84)),
    "Fix": (12, bitmap(0x1E) + sig(0x3A) + u32(1) + u32(3) + h32(0x85) + h32(0x86)),
    "BurnRequest": (6, u8(1) + HEADER + sig(0x61)),
    "BurnVote": (7, u8(1) + u32(4) + sig(0x62)),
    "BurnCertificate": (8, u8(1) + u32(2) + u32(1) + sig(0x63) + u32(4) + sig(0x64)),
    "Hello": (32, u32(3) + h32(0x5A) + u32(7) + h32(0x5B)),
    "JobOffer": (33, h32(0x3B) + text('{"rounds":3}') + sig(0x3C)),
    "JobReply": (34, h32(0x3D) + h32(0x3E) + u32(2) + u8(2) + u64(3500) + u64(200) + u32(4) + text("epsilon is above our policy") + sig(0x3F)),
    "LeaveRound": (35, text("disk full")),
    "BlobRequest": (36, h32(0x4A) + u64(262144) + u32(65536)),
    "BlobData": (37, h32(0x4B) + u64(262149) + u64(262144) + u32(5) + fill(0x4C, 5)),
    "RunFinished": (38, h32(0x4D) + u8(1) + h32(0x4E) + text("") + sig(0x4F)),
    "GenesisCall": (48, h32(0x70) + h32(0x76)),
    "GenesisCommit": (49, h32(0x70) + h32(0x76) + GENESIS_ENTRY),
    "GenesisList": (50, h32(0x70) + u32(1) + GENESIS_ENTRY + sig(0x77)),
    "GenesisReveal": (51, GENESIS_REVEAL),
    "GenesisProof": (52, h32(0x70) + u32(1) + GENESIS_ENTRY + u32(1) + GENESIS_REVEAL),
}

frames = {name: (u16(3) + u16(kind) + u32(2) + u64(RUN_ROUND) + u64(len(body)) + body).hex()
          for name, (kind, body) in BODIES.items()}
frames["header"] = HEADER.hex()
Path(__file__).with_name("frames.json").write_text(json.dumps(frames, indent=1) + "\n")
