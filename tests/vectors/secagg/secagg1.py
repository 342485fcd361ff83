"""SECAGG1 from docs/secure-aggregation.md and common/wire/README.md, without the C++ code.

Bytes of every hash, key, share, signature and message of a round on the complete graph, as functions of named
values. make_secagg_vectors.py writes what they give into the frozen JSON files.
"""
from dataclasses import dataclass, field

from primitives import (aes256_ctr, blake2b, ed25519_sign, little, number, shamir_reconstruct, shamir_share, x25519,
                        x25519_public, xchacha20poly1305_seal)

NO_PSK = bytes(32)
SELF_MASK, MASK_KEY = 0, 1  # the kinds of share in M9
SEGMENT_BLOCKS = 2**28
FRAME_VERSION = 3
TYPES = {"Offer": 0, "Advertise": 1, "KeyList": 2, "Shares": 3, "ShareForward": 4, "UploadHeader": 5, "Survivors": 6,
         "Endorse": 7, "UnmaskRequest": 8, "UnmaskResponse": 9, "RoundResult": 10, "ShareCheck": 11, "Fix": 12,
         "Complaints": 13, "Opening": 14}


def u8(v):
    return little(v, 1)


def u16(v):
    return little(v, 2)


def u32(v):
    return little(v, 4)


def u64(v):
    return little(v, 8)


# ---- 2.1, 2.2: roster, cohort, header


@dataclass
class Member:
    id: int
    role: int
    signing_key: bytes
    transport_key: bytes
    name: str


@dataclass
class Roster:
    version: int
    expiry: int
    signing_key: bytes
    transport_key: bytes
    members: list

    def canonical(self):
        out = u32(self.version) + u64(self.expiry) + self.signing_key + self.transport_key + u32(len(self.members))
        for m in sorted(self.members, key=lambda m: m.id):
            out += u32(m.id) + u8(m.role) + m.signing_key + m.transport_key + blake2b("SA1 name", m.name.encode())
        return out

    def hash(self):
        return blake2b("SA1 roster", self.canonical())


def cohort_hash(ids):
    return blake2b("SA1 cohh", u32(len(ids)) + b"".join(u32(i) for i in sorted(ids)))


@dataclass
class Lane:
    word_bits: int
    bits: int
    codec: int
    length: int
    chunk_words: int

    def bytes(self):
        return (u8(self.word_bits) + u8(self.bits) + u8(self.codec) + u8(0) + u64(self.length)
                + u32(self.chunk_words) + u32(0))

    @property
    def number(self):
        """In keys, counter blocks and hashes. It follows from what the lane is, not from its place in the header:
        an evaluation round has lane 1 alone."""
        return self.codec - 1

    def chunks(self, words):
        return [words[i:i + self.chunk_words] for i in range(0, self.length, self.chunk_words)]


@dataclass
class Header:
    run: bytes
    round: int
    roster_hash: bytes
    cohort_hash: bytes
    n: int
    C: int
    k: int
    t: int
    q: int
    Q: int
    s_min: int
    witnesses: int
    graph: int
    model_hash: bytes
    config_hash: bytes
    prg_id: int
    lanes: list

    def bytes(self):
        return (b"SECAGG1\0" + self.run + u64(self.round) + self.roster_hash + self.cohort_hash
                + b"".join(u32(v) for v in (self.n, self.C, self.k, self.t, self.q, self.Q, self.s_min,
                                        self.witnesses))
                + u8(self.graph) + self.model_hash + self.config_hash + u8(self.prg_id) + u8(len(self.lanes))
                + b"".join(lane.bytes() for lane in self.lanes))

    def hash(self):
        return blake2b("SA1 hdr", self.bytes())


def thresholds(n, C):
    """(Q, t, s_min) of section 2.4."""
    Q = (n + C) // 2 + 1
    return Q, max(2, C + 1, min(n // 2 + 1, Q - 1)), max(Q, C + 2)


# ---- 2.12: sets, digests, signatures


def bits_of(everybody, chosen):
    """One bit for each of `everybody` in ascending id, without a length: this is what is hashed and signed."""
    out = bytearray((len(everybody) + 7) // 8)
    for i, one in enumerate(sorted(everybody)):
        if one in chosen:
            out[i // 8] |= 1 << i % 8
    return bytes(out)


def set_digest(label, h, bits):
    return blake2b(label, h + bits)


def survivors_digest(h, d_u2, bits):
    return blake2b("SA1 s", h + d_u2 + bits)


def sign(seed, label, fields):
    return ed25519_sign(seed, label.encode().ljust(16, b"\0") + fields)


# ---- 2.5: keys, masks, shares


def mask_scalar(r, h, member):
    return blake2b("SA1 mkey", h + u32(member), r)


def own_seed_commitment(b, h, member):
    return blake2b("SA1 cmb", h + u32(member) + b)


def pair_context(h, adverts, one, other):
    low, high = sorted((one, other))
    return h + u32(low) + u32(high) + adverts[low] + adverts[high]


def pair_seed(mask_key, peer_key, context, psk=NO_PSK):
    return blake2b("SA1 pair", psk + context, x25519(mask_key, peer_key))


def lane_key(pair, lane, segment):
    return blake2b("SA1 lane", u8(lane) + u64(segment), pair)


def self_lane_key(b, h, member, lane, segment):
    return blake2b("SA1 self", h + u32(member) + u8(lane) + u64(segment), b)


def sealing_key(seal_key, peer_key, context, dealer, holder, psk=NO_PSK):
    return blake2b("SA1 senc", psk + context + u32(dealer) + u32(holder), x25519(seal_key, peer_key))


def preshared_of_round(label, psk, h, one, other):
    """"SA1 psks" seals shares, "SA1 pskm" goes into masks and may be opened by the coordinator."""
    low, high = sorted((one, other))
    return blake2b(label, h + u32(low) + u32(high), psk)


def escrow_of(masking, r, h, dealer, holder):
    """80 bytes of an entry: a commitment, and the value sealed under r, once in its life."""
    place = h + u32(dealer) + u32(holder)
    commitment = blake2b("SA1 cmp", place + masking)
    return commitment + xchacha20poly1305_seal(blake2b("SA1 pesc", place, r), bytes(24), masking, commitment)


def share_commitment(label, h, dealer, holder, share):
    return blake2b(label, h + u32(dealer) + u32(holder) + share)


def share_associated_data(h, dealer, holder, t, cb, cr):
    return h + u32(dealer) + u32(holder) + u32(t) + cb + cr


# ---- 2.6: streams, packing, the check lane, hash of the upload


def keystream(key, lane, block, length):
    """Keystream from a block of the whole lane's segment; the lane number stands in the counter block."""
    return aes256_ctr(key, u32(lane) + bytes(4) + block.to_bytes(8, "big"), length)


def mask_words(key, lane):
    size = lane.word_bits // 8
    stream = keystream(key, lane.number, 0, lane.length * size)
    return [number(stream[i:i + size]) for i in range(0, len(stream), size)]


def pack(words, bits):
    joined = sum((word % 2**bits) << (i * bits) for i, word in enumerate(words))
    return little(joined, (len(words) * bits + 7) // 8)


def check_words(h, lane, words):
    """One word a chunk of lane 0: the sum of rho_j u_j, rho odd."""
    out, size = [], lane.word_bits // 8
    for index, chunk in enumerate(lane.chunks(words)):
        stream = keystream(blake2b("SA1 chk", u64(index), h), 0, 0, len(chunk) * size)
        rho = [number(stream[i:i + size]) | 1 for i in range(0, len(stream), size)]
        out.append(sum(a * b for a, b in zip(rho, chunk)) % 2**lane.bits)
    return out


def upload_chunks(lanes, words):
    """[(lane number, chunk, packed bytes)], lanes and chunks ascending."""
    return [(lane.number, index, pack(chunk, lane.bits)) for place, lane in enumerate(lanes)
            for index, chunk in enumerate(lane.chunks(words[place]))]


def packed_bytes(chunks):
    return b"".join(packed for _, _, packed in chunks)


def piece_hashes(label, head, data):
    """Of each 8,192 bytes, the last piece as short as it is."""
    return b"".join(blake2b(label, head + u64(i) + data[8192 * i:8192 * i + 8192]) for i in range(-(-len(data) // 8192)))


def upload_hash(h, member, packed):
    owner = h + u32(member)
    return blake2b("SA1 y", owner + piece_hashes("SA1 ypc", owner, packed))


def sum_hash(h, lanes, words):
    """What M10 names: the hash of the opened sum, its lanes packed like an upload."""
    return blake2b("SOTTO aggregate", h + piece_hashes("SA1 spc", h, packed_bytes(upload_chunks(lanes, words))))


# ---- The wire: common/wire/README.md


def wire_bitmap(bits):
    return u16(len(bits)) + bits


def wire_list(items):
    return u32(len(items)) + b"".join(items)


def frame(kind, sender, round_number, body):
    return u16(FRAME_VERSION) + u16(TYPES[kind]) + u32(sender) + u64(round_number) + u64(len(body)) + body


def share_check(identity, h, member, d_v, bad_dealers, other_keys):
    """M4A. Both bitmaps are signed as their bytes alone."""
    fields = u32(member) + d_v
    return (fields + wire_bitmap(bad_dealers) + wire_bitmap(other_keys)
            + sign(identity, "SA1 sig check", h + fields + bad_dealers + other_keys))


def opening(identity, h, dealer, d_v, opened):
    """M4C. opened: [(holder, share of b, share of r)], without their count in the signature."""
    entries = [u32(holder) + share_b + share_r for holder, share_b, share_r in opened]
    fields = u32(dealer) + d_v
    return fields + wire_list(entries) + sign(identity, "SA1 sig opening", h + fields + b"".join(entries))


# ---- A participant of one round: its named values, and what follows from them


@dataclass
class Values:
    """Everything that a participant draws in a round, and its own input."""
    id: int
    identity: bytes        # Ed25519 seed
    seal_key: bytes        # ske, 32 bytes as drawn (X25519 clamps its own copy)
    b: bytes
    r: bytes
    coefficients_b: list   # of t - 1 scalars: of x, x^2, ...
    coefficients_r: list
    nonces: dict           # holder's id -> 24 bytes
    words: list            # lanes 0 and 1; the check lane follows from them
    keys: dict = field(default_factory=dict)  # pre-shared keys: peer -> 32 bytes


@dataclass
class Participant:
    values: Values
    header: Header
    h: bytes
    advert: bytes = b""
    shares: dict = field(default_factory=dict)   # holder -> (share of b, share of r)
    entries: dict = field(default_factory=dict)  # holder -> the 237 or 317 bytes of M3
    y: list = field(default_factory=list)        # masked words, lane by lane
    upload: bytes = b""                          # the 132 bytes of M5
    chunks: list = field(default_factory=list)

    @property
    def id(self):
        return self.values.id

    def preshared(self, label, peer):
        key = self.values.keys.get(peer)
        return preshared_of_round(label, key, self.h, self.id, peer) if key else NO_PSK

    def make_advert(self):
        v = self.values
        fields = (u32(v.id) + x25519_public(v.seal_key) + x25519_public(mask_scalar(v.r, self.h, v.id))
                  + own_seed_commitment(v.b, self.h, v.id))
        self.advert = fields + sign(v.identity, "SA1 sig adv", self.h + fields)

    def make_shares(self, cohort, adverts):
        """An entry for each member of U1, the dealer's own among them with a zero nonce and ciphertext."""
        v, t = self.values, self.header.t
        for holder in sorted(adverts):
            point = sorted(cohort).index(holder) + 1
            share_b = shamir_share(v.b, v.coefficients_b, point)
            share_r = shamir_share(v.r, v.coefficients_r, point)
            cb = share_commitment("SA1 shb", self.h, v.id, holder, share_b)
            cr = share_commitment("SA1 shr", self.h, v.id, holder, share_r)
            nonce, sealed = bytes(24), bytes(80)
            if holder != v.id:
                nonce = v.nonces[holder]
                key = sealing_key(v.seal_key, adverts[holder][4:36], pair_context(self.h, adverts, v.id, holder),
                                  v.id, holder, self.preshared("SA1 psks", holder))
                sealed = xchacha20poly1305_seal(key, nonce, share_b + share_r,
                                                share_associated_data(self.h, v.id, holder, t, cb, cr))
            entry, escrow = nonce + sealed + cb + cr, b""
            if holder in v.keys:
                escrow = escrow_of(self.preshared("SA1 pskm", holder), v.r, self.h, v.id, holder)
            self.shares[holder] = share_b, share_r
            self.entries[holder] = self.signed_entry(holder, entry, escrow)

    def signed_entry(self, holder, entry, escrow=b""):
        signature = sign(self.values.identity, "SA1 sig share", self.h + u32(self.id) + u32(holder) + entry + escrow)
        return u32(holder) + entry + u8(1 if escrow else 0) + escrow + signature

    def pair_seed_with(self, peer, adverts):
        mask_key = mask_scalar(self.values.r, self.h, self.id)
        return pair_seed(mask_key, adverts[peer][36:68], pair_context(self.h, adverts, self.id, peer),
                         self.preshared("SA1 pskm", peer))

    def full_words(self):
        """The input with its check lane."""
        words = [list(lane) for lane in self.values.words]
        if len(self.header.lanes) == 3:
            words.append(check_words(self.h, self.header.lanes[0], words[0]))
        return words

    def make_upload(self, u2, d_u2, adverts):
        """y = u + own mask + masks against higher ids - masks against lower ids."""
        y = self.full_words()
        for place, lane in enumerate(self.header.lanes):
            masks = [(1, self_lane_key(self.values.b, self.h, self.id, lane.number, 0))]
            for peer in sorted(u2 - {self.id}):
                seed = self.pair_seed_with(peer, adverts)
                masks.append((1 if self.id < peer else -1, lane_key(seed, lane.number, 0)))
            for sign_, key in masks:
                y[place] = [(a + sign_ * m) % 2**lane.bits for a, m in zip(y[place], mask_words(key, lane))]
        self.y = y
        self.chunks = upload_chunks(self.header.lanes, y)
        fields = u32(self.id) + d_u2 + upload_hash(self.h, self.id, packed_bytes(self.chunks))
        self.upload = fields + sign(self.values.identity, "SA1 sig upload", self.h + fields)


def open_sum(header, members, survivors, u2, answers, adverts, h, cohort):
    """The coordinator's work: seeds from the first t answers, masks off the sum. answers: {holder: [(dealer, kind, share)]}"""
    opened = {}
    for dealer in sorted(u2):
        kind = SELF_MASK if dealer in survivors else MASK_KEY
        points = {}
        for holder in sorted(answers):
            for who, what, share in answers[holder]:
                if who == dealer and what == kind and len(points) < header.t:
                    points[sorted(cohort).index(holder) + 1] = share
        opened[dealer] = shamir_reconstruct(points)
    total = []
    for place, lane in enumerate(header.lanes):
        words = [0] * lane.length

        def add(sign_, key):
            words[:] = [(a + sign_ * m) % 2**lane.bits for a, m in zip(words, mask_words(key, lane))]

        for who in sorted(survivors):
            words[:] = [(a + b) % 2**lane.bits for a, b in zip(words, members[who].y[place])]
            add(-1, self_lane_key(opened[who], h, who, lane.number, 0))
        for gone in sorted(u2 - survivors):
            mask_key = mask_scalar(opened[gone], h, gone)
            assert x25519_public(mask_key) == adverts[gone][36:68]
            for who in sorted(survivors):
                # What stands in escrow under r is what both had; opened[gone] is r.
                pair = pair_seed(mask_key, adverts[who][36:68], pair_context(h, adverts, gone, who),
                                 members[gone].preshared("SA1 pskm", who))
                add(-1 if who < gone else 1, lane_key(pair, lane.number, 0))
        total.append(words)
    return total
