"""The cryptography of SECAGG1 (docs/secure-aggregation.md, 2.5 and 2.12), out of libraries: hashlib, libsodium, OpenSSL."""

import hashlib
import os

import nacl.bindings as sodium
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

ORDER = 2**252 + 27742317777372353535851937790883648493  # of the ristretto255 group
NO_PSK = bytes(32)


def u32(value):
    return value.to_bytes(4, "little")


def u64(value):
    return value.to_bytes(8, "little")


def label16(label):
    return label.encode().ljust(16, b"\0")


def H(label, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32, person=label16(label)).digest()


def KDF(label, key, *parts):
    return hashlib.blake2b(b"".join(parts), digest_size=32, key=key, person=label16(label)).digest()


class Signer:
    """An Ed25519 key that signs label16(label) and then fields."""

    def __init__(self, seed):
        self.seed = seed
        self._key = SigningKey(seed)
        self.public = bytes(self._key.verify_key)

    def sign(self, label, *fields):
        return self._key.sign(label16(label) + b"".join(fields)).signature


def verify(public, signature, label, *fields):
    try:
        VerifyKey(public).verify(label16(label) + b"".join(fields), signature)
        return True
    except (BadSignatureError, ValueError):
        return False


def x25519_public(secret):
    return sodium.crypto_scalarmult_base(secret)


def x25519(secret, public):
    return sodium.crypto_scalarmult(secret, public)


def seal(key, nonce, plain, associated):
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, associated, nonce, key)


def unseal(key, nonce, sealed, associated):
    """The plain bytes, or None where they do not verify."""
    try:
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, associated, nonce, key)
    except Exception:  # libsodium's own class has changed its place between versions
        return None


def stream(key, lane, first_block, size):
    """AES-256-CTR; a counter block is lane u32, four zero bytes, block u64 big-endian."""
    counter = u32(lane) + bytes(4) + first_block.to_bytes(8, "big")
    return Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(bytes(size))


def random_scalar():
    return int.from_bytes(os.urandom(64), "little") % ORDER


def scalar_bytes(value):
    return value.to_bytes(32, "little")


def scalar(data):
    """A canonical scalar, else None."""
    value = int.from_bytes(data, "little")
    return value if value < ORDER else None


def shamir_share(secret, coefficients, index):
    """The share of cohort index `index`; coefficients of x, x^2, ..."""
    x, value = index + 1, 0
    for coefficient in reversed(coefficients):
        value = (value + coefficient) * x % ORDER
    return (value + secret) % ORDER


def mask_key(r, h, member_id):
    """The X25519 private key of the masks, made from its shared seed."""
    return KDF("SA1 mkey", r, h, u32(member_id))


def pair_context(h, low, high):
    """P: low and high are Advertise messages, the lower cohort index first."""
    return h + u32(low.id) + u32(high.id) + low.encode() + high.encode()


def pair_seed(shared, psk, context):
    return KDF("SA1 pair", shared, psk, context)


def sealing_key(shared, psk, context, dealer, holder):
    return KDF("SA1 senc", shared, psk, context, u32(dealer), u32(holder))


def lane_key(seed, lane, segment=0):
    return KDF("SA1 lane", seed, bytes([lane]), u64(segment))


def self_key(b, h, member_id, lane, segment=0):
    return KDF("SA1 self", b, h, u32(member_id), bytes([lane]), u64(segment))


def preshared(label, key, h, one, other):
    return KDF(label, key, h, u32(min(one, other)), u32(max(one, other)))


def escrow_key(r, h, dealer, holder):
    return KDF("SA1 pesc", r, h, u32(dealer), u32(holder))
