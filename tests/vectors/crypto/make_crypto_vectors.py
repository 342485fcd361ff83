#!/usr/bin/env python3
"""Writes sotto_vectors.json beside itself: H, KDF, masks and Shamir shares, made without Sotto's code."""

import hashlib
import json
import pathlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

L = 2**252 + 27742317777372353535851937790883648493


def blake(label, message, key=b""):
    return hashlib.blake2b(message, digest_size=32, key=key, person=label.encode().ljust(16, b"\0")).digest()


def aes_ctr(key, counter, length):
    return Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(bytes(length))


def counter(lane, block):
    return lane.to_bytes(4, "little") + bytes(4) + block.to_bytes(8, "big")


def scalar(text):
    """A scalar below l that anybody can derive again from `text`."""
    return int.from_bytes(hashlib.sha512(text.encode()).digest(), "little") % L


def share(secret, coefficients, point):
    return sum(c * pow(point, k, L) for k, c in enumerate([secret] + coefficients)) % L


def check_the_tools():
    assert hashlib.blake2b(b"abc").hexdigest().startswith("ba80a53f981c4d0d6a2797b69f12f6e9")  # RFC 7693, A
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    start = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")  # NIST SP 800-38A, F.5.5
    assert bytes(a ^ b for a, b in zip(plain, aes_ctr(key, start, 16))).hex() == "601ec313775789a5b7a7f504bbf3d228"


def hash_vectors():
    key = bytes(range(32))
    out = []
    for label, message in [("SA1 y", b""), ("SA1 hdr", b"abc"), ("SA1 sig upload x", bytes(range(256)) * 3)]:
        out.append({"label": label, "message": message.hex(), "key": key.hex(),
                    "hash": blake(label, message).hex(), "kdf": blake(label, message, key).hex(),
                    "hash_of_key": blake(label, key + message).hex()})
    return out


def mask_vectors():
    key = hashlib.sha256(b"mask").digest()
    places = [(0, 0), (1, 0), (2, 5), (0x01020304, 0x00ABCDEF), (0, 2**24 - 2), (7, 2**28 - 4)]
    return [{"key": key.hex(), "lane": lane, "first_block": block,
             "stream": aes_ctr(key, counter(lane, block), 64).hex()} for lane, block in places]


def shamir_vectors():
    out = []
    for threshold, count in [(1, 2), (2, 3), (3, 5), (7, 10)]:
        name = f"sotto shamir {threshold} of {count}"
        secret = scalar(name)
        coefficients = [scalar(f"{name} coefficient {k}") for k in range(1, threshold)]
        out.append({"threshold": threshold, "secret": secret.to_bytes(32, "little").hex(),
                    "coefficients": [c.to_bytes(32, "little").hex() for c in coefficients],
                    "shares": [share(secret, coefficients, x).to_bytes(32, "little").hex()
                               for x in range(1, count + 1)]})
    return out


def main():
    check_the_tools()
    vectors = {"hash": hash_vectors(), "mask": mask_vectors(), "shamir": shamir_vectors()}
    path = pathlib.Path(__file__).parent / "sotto_vectors.json"
    path.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
