#!/usr/bin/env python3
"""Writes the golden keystores of this folder: what common/identity/format.h says that they are, by another program.

Usage: make_keystore_vectors.py [--check]
  --check   writes nothing; exit 1 when the committed files are not what this script makes

Argon2id is written from RFC 9106 (one lane), the rest comes from tests/vectors/secagg/primitives.py; no package is needed.
A file of an older version stays as it is when there is a newer one: it shows that the newer program still reads it.
"""
import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "secagg"))
import primitives  # noqa: E402

MASK = 2**64 - 1
le32 = lambda value: value.to_bytes(4, "little")


def long_hash(size, message):
    """H' of RFC 9106, 3.3."""
    message = le32(size) + message
    if size <= 64:
        return hashlib.blake2b(message, digest_size=size).digest()
    out, part = b"", hashlib.blake2b(message).digest()
    while size - len(out) > 64:
        out += part[:32]
        left = size - len(out)
        part = hashlib.blake2b(part, digest_size=min(left, 64)).digest()
    return out + part


def quarter(v, a, b, c, d):
    def add(x, y):
        return (x + y + 2 * (x & 0xFFFFFFFF) * (y & 0xFFFFFFFF)) & MASK

    def rotate(x, n):
        return (x >> n | x << (64 - n)) & MASK

    v[a] = add(v[a], v[b]); v[d] = rotate(v[d] ^ v[a], 32)
    v[c] = add(v[c], v[d]); v[b] = rotate(v[b] ^ v[c], 24)
    v[a] = add(v[a], v[b]); v[d] = rotate(v[d] ^ v[a], 16)
    v[c] = add(v[c], v[d]); v[b] = rotate(v[b] ^ v[c], 63)


def permute(block, places):
    v = [block[i] for i in places]
    for i in range(4):
        quarter(v, i, 4 + i, 8 + i, 12 + i)
    for i in range(4):
        quarter(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    for i, place in enumerate(places):
        block[place] = v[i]


def compress(x, y):
    """G of RFC 9106, 3.5, on blocks of 128 words."""
    mixed = [a ^ b for a, b in zip(x, y)]
    block = list(mixed)
    for row in range(8):
        permute(block, range(16 * row, 16 * row + 16))
    for column in range(8):
        permute(block, [2 * column + 16 * i + half for i in range(8) for half in (0, 1)])
    return [a ^ b for a, b in zip(block, mixed)]


def words(octets):
    return [int.from_bytes(octets[i:i + 8], "little") for i in range(0, len(octets), 8)]


def argon2id(password, salt, passes, memory_kib, size=32):
    seed = hashlib.blake2b(
        le32(1) + le32(size) + le32(memory_kib) + le32(passes) + le32(0x13) + le32(2) + le32(len(password)) + password
        + le32(len(salt)) + salt + le32(0) + le32(0)).digest()
    columns = memory_kib // 4 * 4
    segment = columns // 4
    blocks = [words(long_hash(1024, seed + le32(i) + le32(0))) if i < 2 else None for i in range(columns)]
    zero = [0] * 128
    for number in range(passes):
        for part in range(4):
            addresses = []
            for at in range(segment):
                if number == 0 and part == 0 and at < 2:
                    continue
                current = part * segment + at
                previous = blocks[(current - 1) % columns]
                if number == 0 and part < 2:
                    while len(addresses) <= at:
                        counter = len(addresses) // 128 + 1
                        given = [number, 0, part, columns, passes, 2, counter] + [0] * 121
                        addresses += compress(zero, compress(zero, given))
                    draw = addresses[at]
                else:
                    draw = previous[0]
                area = (part * segment if number == 0 else columns - segment) + at - 1
                j = draw & 0xFFFFFFFF
                place = area - 1 - (area * (j * j >> 32) >> 32)
                start = 0 if number == 0 else (part + 1) * segment % columns
                fresh = compress(previous, blocks[(start + place) % columns])
                blocks[current] = [a ^ b for a, b in zip(fresh, blocks[current])] if number else fresh
    return long_hash(size, b"".join(word.to_bytes(8, "little") for word in blocks[-1]))


def named(name, size=32):
    """Bytes that anybody can derive again from a name."""
    return hashlib.shake_256(b"keystore " + name.encode()).digest(size)


def sealed(key, plain, associated, name):
    nonce = named("nonce " + name, 24)
    return (nonce + primitives.xchacha20poly1305_seal(key, nonce, plain, associated)).hex()


NAME = "golden"
SEEDS = {n: (named(f"seed {n}"), named(f"transport {n}")) for n in (1, 2, 3)}


def public(generation, use):
    seed, transport = SEEDS[generation]
    signing, agreement = primitives.ed25519_public(seed), primitives.x25519_public(transport)
    text = (f'\n    {{"generation": {generation}, "use": "{use}", "signing_key": "{signing.hex()}", '
            f'"transport_key": "{agreement.hex()}"')
    associated = b"SOTTO long keys\n" + le32(generation) + signing + agreement + NAME.encode()
    return text, associated


def keystore(seal):
    master, root = named("master " + seal), named("data root")
    text = f'{{\n  "format": "sotto keystore 1",\n  "name": "{NAME}",\n  "sealed_by": "{seal}"'
    if seal == "passphrase":
        salt = named("salt", 16)
        text += f',\n  "argon2id": {{"operations": 2, "memory_kib": 16, "salt": "{salt.hex()}"}}'
        wrapping = argon2id(b"six words drawn at random", salt, 2, 16)
    if seal == "key_file":
        wrapping = primitives.blake2b("SOTTO key file", b"", bytes([7] * 32))
    text += ',\n  "master_key": "'
    text += master.hex() if seal == "nothing" else sealed(wrapping, master, text.encode(), "master " + seal)
    entry_key = primitives.blake2b("SOTTO key entry", b"", master)
    text += '",\n  "data_root": "' + sealed(entry_key, root, b"SOTTO data root\n" + NAME.encode(), "root " + seal)
    text += '",\n  "keys": ['
    entries = []
    for generation, use in ((2, "successor"), (3, "all")):
        line, associated = public(generation, use)
        secret = sealed(entry_key, b"".join(SEEDS[generation]), associated, f"keys {generation} {seal}")
        entries.append(line + f', "sealed": "{secret}"}}')
    text += ",".join(entries) + '\n  ],\n  "retired": [' + public(1, "all")[0] + "}]"
    mac = primitives.blake2b("SOTTO key mac", text.encode(), primitives.blake2b("SOTTO key mac", b"", master))
    text += ',\n  "mac": "' + mac.hex()
    checksum = primitives.blake2b("SOTTO keystore", text.encode())
    return text + '",\n  "checksum": "' + checksum.hex() + '"\n}\n'


def main():
    files = {f"version-1-{seal}.json": keystore(seal) for seal in ("nothing", "passphrase", "key_file")}
    data_key = primitives.blake2b("SOTTO data key", b"records", named("data root"))
    files["version-1.txt"] = (f"data_key(records) {data_key.hex()}\nsigning_seed(3) {SEEDS[3][0].hex()}\n"
                              f"transport_secret(3) {SEEDS[3][1].hex()}\n")
    for name, text in files.items():
        file = HERE / name
        if sys.argv[1:] != ["--check"]:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            print(f"{file} is not what this script makes")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
