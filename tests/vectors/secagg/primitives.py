"""The cryptography that SECAGG1 stands on, in plain Python from the RFCs: no package, no speed, no secrets.

X25519 (RFC 7748), Ed25519 (RFC 8032), XChaCha20-Poly1305 (RFC 8439 and draft-irtf-cfrg-xchacha-03), AES-256-CTR
(FIPS 197, SP 800-38A), BLAKE2b by hashlib, Shamir over Z_l. `self_check` compares each with a published answer.
Slow and not constant-time: it makes test vectors from public values.
"""
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  # order of the ristretto255 group


def little(value, size):
    return value.to_bytes(size, "little")


def number(octets):
    return int.from_bytes(octets, "little")


def blake2b(label, message, key=b""):
    """BLAKE2b-256 with the label, padded with zeros to 16 bytes, as its personal parameter."""
    return hashlib.blake2b(message, digest_size=32, key=key, person=label.encode().ljust(16, b"\0")).digest()


# ---- X25519


def x25519(scalar, point):
    k = number(scalar) & ~7 & (2**255 - 1) | 2**254
    u = number(point) & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for position in range(254, -1, -1):
        bit = k >> position & 1
        if swap ^ bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        swap = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % P, b * b % P
        e = aa - bb
        da, cb = (x3 - z3) * a % P, (x3 + z3) * b % P
        x3, z3 = (da + cb) ** 2 % P, u * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    out = little(x2 * pow(z2, P - 2, P) % P, 32)
    assert any(out), "a key of low order"
    return out


def x25519_public(scalar):
    return x25519(scalar, little(9, 32))


# ---- Ed25519: points in extended coordinates (X, Y, Z, T)

D = -121665 * pow(121666, P - 2, P) % P


def point_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_multiply(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = point_add(out, point)
        point = point_add(point, point)
        scalar >>= 1
    return out


def base_point():
    y = 4 * pow(5, P - 2, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x & 1:
        x = P - x
    return x, y, 1, x * y % P


BASE = base_point()


def compress(point):
    inverse = pow(point[2], P - 2, P)
    return little(point[1] * inverse % P | (point[0] * inverse % P & 1) << 255, 32)


def ed25519_key(seed):
    """(secret scalar, prefix, public key)"""
    digest = hashlib.sha512(seed).digest()
    scalar = number(digest[:32]) & ~7 & (2**255 - 1) | 2**254
    return scalar, digest[32:], compress(point_multiply(scalar, BASE))


def ed25519_public(seed):
    return ed25519_key(seed)[2]


def ed25519_sign(seed, message):
    scalar, prefix, public = ed25519_key(seed)
    r = number(hashlib.sha512(prefix + message).digest()) % L
    commitment = compress(point_multiply(r, BASE))
    challenge = number(hashlib.sha512(commitment + public + message).digest()) % L
    return commitment + little((r + challenge * scalar) % L, 32)


# ---- XChaCha20-Poly1305


def chacha_rounds(state):
    x = list(state)

    def quarter(a, b, c, d):
        for one, two, three, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[one] = x[one] + x[two] & 0xFFFFFFFF
            mixed = x[three] ^ x[one]
            x[three] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for column in range(4):
            quarter(column, (column + 1) % 4 + 4, (column + 2) % 4 + 8, (column + 3) % 4 + 12)
    return x


def words32(octets):
    return [number(octets[i:i + 4]) for i in range(0, len(octets), 4)]


CONSTANTS = words32(b"expand 32-byte k")


def chacha20(key, counter, nonce, length):
    out = b""
    while len(out) < length:
        state = CONSTANTS + words32(key) + [counter] + words32(nonce)
        out += b"".join(little(a + b & 0xFFFFFFFF, 4) for a, b in zip(chacha_rounds(state), state))
        counter += 1
    return out[:length]


def hchacha20(key, nonce16):
    mixed = chacha_rounds(CONSTANTS + words32(key) + words32(nonce16))
    return b"".join(little(word, 4) for word in mixed[:4] + mixed[12:])


def poly1305(key, message):
    r = number(key[:16]) & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for i in range(0, len(message), 16):
        total = (total + number(message[i:i + 16] + b"\1")) * r % (2**130 - 5)
    return little(total + number(key[16:]) & 2**128 - 1, 16)


def xchacha20poly1305_seal(key, nonce24, plain, associated):
    subkey, nonce = hchacha20(key, nonce24[:16]), bytes(4) + nonce24[16:]
    stream = chacha20(subkey, 1, nonce, len(plain))
    cipher = bytes(a ^ b for a, b in zip(plain, stream))
    padded = b"".join(part + bytes(-len(part) % 16) for part in (associated, cipher))
    tag = poly1305(chacha20(subkey, 0, nonce, 32), padded + little(len(associated), 8) + little(len(cipher), 8))
    return cipher + tag


# ---- AES-256 in counter mode


def gf_double(value):
    return (value << 1 ^ (0x11B if value & 0x80 else 0)) & 0xFF


def make_sbox():
    sbox, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= gf_double(p)  # p runs over the powers of 3, q over their inverses
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        if q & 0x80:
            q ^= 0x09
        affine = q
        for turn in (1, 2, 3, 4):
            affine ^= (q << turn | q >> 8 - turn) & 0xFF
        sbox[p] = affine ^ 0x63
        if p == 1:
            return sbox


SBOX = make_sbox()


def aes256_schedule(key):
    words, constant = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = gf_double(constant)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def aes256_block(schedule, block):
    state = [a ^ b for a, b in zip(block, schedule[0])]
    for turn in range(1, 15):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]  # SubBytes and ShiftRows
        if turn < 14:
            mixed = []
            for c in range(0, 16, 4):
                column = state[c:c + 4]
                every = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [column[i] ^ every ^ gf_double(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, schedule[turn])]
    return bytes(state)


def aes256_ctr(key, counter_block, length):
    schedule, counter, out = aes256_schedule(key), int.from_bytes(counter_block, "big"), b""
    while len(out) < length:
        out += aes256_block(schedule, counter.to_bytes(16, "big"))
        counter = (counter + 1) % 2**128
    return out[:length]


# ---- Shamir over Z_l


def shamir_share(secret, coefficients, point):
    """The polynomial with the secret as its constant term, at a point; scalars are 32 bytes, little-endian."""
    value = sum(number(c) * pow(point, k, L) for k, c in enumerate([secret] + coefficients))
    return little(value % L, 32)


def shamir_reconstruct(shares):
    """shares: {point: share}; the value at zero by Lagrange."""
    total = 0
    for x, share in shares.items():
        weight = 1
        for other in shares:
            if other != x:
                weight = weight * other * pow(other - x, L - 2, L) % L
        total += number(share) * weight
    return little(total % L, 32)


# ---- Published answers


def self_check():
    assert hashlib.blake2b(b"abc").hexdigest().startswith("ba80a53f981c4d0d6a2797b69f12f6e9"), "RFC 7693, A"
    for scalar, point, agreed in (
            ("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
             "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
             "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"),
            ("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
             "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
             "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")):
        assert x25519(bytes.fromhex(scalar), bytes.fromhex(point)).hex() == agreed, "RFC 7748, 5.2"
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    assert ed25519_public(seed).hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert ed25519_sign(seed, b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"), "RFC 8032, 7.1, TEST 2"
    sunscreen = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
                 b"sunscreen would be it.")
    sealed = xchacha20poly1305_seal(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)), sunscreen,
                                    bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939", "draft-irtf-cfrg-xchacha-03, A.3.1"
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49", "draft-irtf-cfrg-xchacha-03, A.3.1"
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    counter = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    assert bytes(a ^ b for a, b in zip(plain, aes256_ctr(key, counter, 32))).hex() == (
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"), "SP 800-38A, F.5.5"
    secret, coefficients = little(L - 5, 32), [little(7, 32), little(L - 1, 32)]
    shares = {x: shamir_share(secret, coefficients, x) for x in (1, 4, 9)}
    assert shamir_reconstruct(shares) == secret
