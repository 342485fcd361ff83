#!/usr/bin/env python3
"""Makes codec.json: packed lanes and check words, independently of the C++ code.

Packing goes through one big integer; check coefficients through hashlib's BLAKE2b and the AES of
the `cryptography` package. Run it by hand; the file it writes is frozen.
"""
import hashlib
import json
import pathlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

WIDTHS = [1, 7, 8, 12, 16, 18, 20, 23, 26, 31, 32, 33, 63, 64]


def words(count, seed):
    """64-bit words of a fixed public sequence; the last two are all ones and zero."""
    out = []
    for i in range(count):
        digest = hashlib.sha256(b"%s %d" % (seed, i)).digest()
        out.append(int.from_bytes(digest[:8], "little"))
    out[-2], out[-1] = 2**64 - 1, 0
    return out


def pack(values, bits):
    total = 0
    for i, value in enumerate(values):
        total |= (value & (2**bits - 1)) << (i * bits)
    return total.to_bytes((len(values) * bits + 7) // 8, "little")


def packed_lane(word_bits, bits, length, chunk_words):
    values = [v & (2**word_bits - 1) for v in words(length, b"pack")]
    chunks = [values[i:i + chunk_words] for i in range(0, length, chunk_words)]
    return {
        "word_bits": word_bits, "bits": bits, "length": length, "chunk_words": chunk_words,
        "words": ["%x" % v for v in values],
        "packed": b"".join(pack(c, bits) for c in chunks).hex(),
    }


def kdf(label, key, context):
    person = label.encode().ljust(16, b"\0")
    return hashlib.blake2b(context, digest_size=32, key=key, person=person).digest()


def check_words(word_bits, bits, values, chunk_words, header_hash):
    out = []
    for chunk, start in enumerate(range(0, len(values), chunk_words)):
        part = values[start:start + chunk_words]
        key = kdf("SA1 chk", header_hash, chunk.to_bytes(8, "little"))
        width = word_bits // 8
        # Counter block: u32 lane 0, four zero bytes, u64 block number from 0 (big-endian).
        stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        raw = stream.update(bytes(width * len(part)))
        rho = [int.from_bytes(raw[width * j:width * (j + 1)], "little") | 1
               for j in range(len(part))]
        out.append("%x" % (sum(r * u for r, u in zip(rho, part)) % 2**bits))
    return out


def check_case(word_bits, bits, length, chunk_words):
    header_hash = hashlib.sha256(b"header").digest()
    values = [v % 2**bits for v in words(length, b"check")]
    return {
        "word_bits": word_bits, "bits": bits, "length": length, "chunk_words": chunk_words,
        "header_hash": header_hash.hex(), "words": ["%x" % v for v in values],
        "check": check_words(word_bits, bits, values, chunk_words, header_hash),
    }


def rotation_case(length):
    """Signs and rotated values of the randomised Hadamard transform, by its definition as a matrix."""
    header_hash = hashlib.sha256(b"rotation %d" % length).digest()
    padded = 1 << (length - 1).bit_length()
    key = kdf("SA1 rot", header_hash, b"")
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes((padded + 7) // 8))
    signs = [-1 if stream[j // 8] >> (j % 8) & 1 else 1 for j in range(padded)]
    values = [(w % 2001 - 1000) / 8 for w in words(max(length, 2), b"rotation")[:length]] + [0] * (padded - length)
    rotated = [sum(-s * v if (i & j).bit_count() % 2 else s * v for j, (s, v) in enumerate(zip(signs, values)))
               / padded**0.5 for i in range(padded)]
    return {"header_hash": header_hash.hex(), "values": values[:length], "signs": signs, "rotated": rotated}


def late_signs(first, count):
    """Signs deep inside a long vector: coordinate j is bit j of the stream."""
    key = kdf("SA1 rot", hashlib.sha256(b"late").digest(), b"")
    block = first // 128
    stream = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16, "big"))).encryptor().update(bytes((count + 7) // 8))
    return {"header_hash": hashlib.sha256(b"late").digest().hex(), "first": first,
            "signs": [-1 if stream[j // 8] >> (j % 8) & 1 else 1 for j in range(count)]}


def main():
    lanes = []
    for bits in WIDTHS:
        ring = next(w for w in (16, 32, 64) if bits <= w)
        lanes.append(packed_lane(ring, bits, 37, 16))
    lanes.append(packed_lane(64, 12, 19, 8))
    lanes.append(packed_lane(32, 16, 19, 8))
    vectors = {
        "made_by": "make_codec_vectors.py",
        "packed_lanes": lanes,
        "check_lanes": [check_case(16, 12, 21, 8), check_case(32, 20, 37, 16),
                        check_case(32, 32, 16, 16), check_case(64, 33, 11, 4)],
        "rotations": [rotation_case(n) for n in (1, 2, 5, 16, 33, 100)],
        "late_signs": [late_signs(2**20, 16), late_signs(3 * 2**20, 16)],
    }
    path = pathlib.Path(__file__).with_name("codec.json")
    path.write_text(json.dumps(vectors, indent=1) + "\n")


main()
