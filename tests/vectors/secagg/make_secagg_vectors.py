#!/usr/bin/env python3
"""Writes secagg1.json, circulant.json and transcripts.json beside itself: what secagg1.py and circulant.py say SECAGG1 is.

Usage: make_secagg_vectors.py [--check]
  --check   writes nothing; exit 1 when the committed files are not what this script makes
"""
import hashlib
import json
import sys
from pathlib import Path

import circulant
import primitives
import secagg1 as sa
from primitives import little
from secagg1 import u8, u32, u64

HERE = Path(__file__).resolve().parent


def named(name, size=32):
    """Bytes that anybody can derive again from a name."""
    return hashlib.shake_256(name.encode()).digest(size)


def scalar(name):
    return little(int.from_bytes(named(name, 64), "little") % (primitives.L - 1) + 1, 32)


def name_of(member):
    return f"member {member}"


def identity(member):
    return named(f"identity {member}")


COORDINATOR = named("coordinator")
ROSTER_IDS = [2, 3, 5, 7, 11, 13]
LANES = [sa.Lane(32, 18, 1, 10, 4), sa.Lane(64, 64, 2, 7, 4), sa.Lane(32, 18, 3, 3, 4)]


def roster():
    members = [sa.Member(i, 0, primitives.ed25519_public(identity(i)), named(f"transport {i}"), f"site-{i}")
               for i in ROSTER_IDS]
    return sa.Roster(7, 1893456000, primitives.ed25519_public(COORDINATOR), named("coordinator transport"), members)


def header(ids, C, lanes, round_number):
    n = len(ids)
    Q, t, s_min = sa.thresholds(n, C)
    return sa.Header(named("run"), round_number, roster().hash(), sa.cohort_hash(ids), n, C, n - 1, t, 0, Q, s_min, n, 0,
                     named("model"), named("job"), 1, lanes)


def hexed(value):
    """The same structure with bytes as hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(k): hexed(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [hexed(v) for v in value]
    return value


def lane_fields(lane):
    return {"word_bits": lane.word_bits, "bits": lane.bits, "codec": lane.codec, "length": lane.length,
            "chunk_words": lane.chunk_words}


def header_fields(head):
    out = {name: getattr(head, name) for name in ("run", "round", "roster_hash", "cohort_hash", "n", "C", "k", "t",
                                                  "q", "Q", "s_min", "witnesses", "graph", "model_hash", "config_hash", "prg_id")}
    return out | {"lanes": [lane_fields(lane) for lane in head.lanes], "bytes": head.bytes(), "hash": head.hash()}


# ---- Single answers


def roster_vector():
    book = roster()
    return {"version": book.version, "expiry": book.expiry, "signing_key": book.signing_key,
            "transport_key": book.transport_key,
            "members": [{"id": m.id, "role": m.role, "name": m.name, "signing_key": m.signing_key,
                         "transport_key": m.transport_key} for m in book.members],
            "canonical": book.canonical(), "hash": book.hash()}


def cohort_vectors():
    return [{"ids": ids, "hash": sa.cohort_hash(ids)} for ids in ([1, 2, 3], [3, 5, 7, 13], [9, 70000, 2**32 - 1])]


def header_vectors():
    return [header_fields(header([3, 5, 7, 13], 1, LANES, 0x20001)),
            header_fields(header([3, 5, 7], 1, [sa.Lane(64, 64, 2, 9, 65536)], 2**63 + 5))]


def set_vectors():
    h = named("h")
    out = []
    for n, chosen in ((4, [0, 1, 3]), (8, range(8)), (11, [0, 7, 8, 10])):
        bits = sa.bits_of(range(n), chosen)
        d_u2 = sa.set_digest("SA1 u2", h, bits)
        out.append({"n": n, "members": list(chosen), "bits": bits, "u1": sa.set_digest("SA1 u1", h, bits),
                    "v": sa.set_digest("SA1 v", h, bits), "u2": d_u2, "s": sa.survivors_digest(h, d_u2, bits)})
    return {"h": h, "sets": out}


def advert(member, h):
    values = sa.Values(member, identity(member), named(f"ske {member}"), scalar(f"b {member}"), scalar(f"r {member}"),
                       [], [], {}, [])
    made = sa.Participant(values, None, h)
    made.make_advert()
    return made


def key_vectors():
    """Between members 5 (lower) and 13: everything that the two derive, seen by 5."""
    h = named("h")
    one, other = advert(5, h), advert(13, h)
    adverts = {5: one.advert, 13: other.advert}
    context = sa.pair_context(h, adverts, 5, 13)
    mask_key = sa.mask_scalar(one.values.r, h, 5)
    pair = sa.pair_seed(mask_key, adverts[13][36:68], context)
    psk = named("psk")
    return {"h": h, "low": 5, "high": 13, "b": one.values.b, "r": one.values.r, "ske": one.values.seal_key,
            "r_high": other.values.r, "ske_high": other.values.seal_key, "m1_low": one.advert, "m1_high": other.advert,
            "mask_key": mask_key, "commitment_b": sa.own_seed_commitment(one.values.b, h, 5), "pair_context": context,
            "pair_seed": pair, "psk": psk,
            "pair_seed_with_psk": sa.pair_seed(mask_key, adverts[13][36:68], context, psk),
            "lane_keys": [{"lane": lane, "segment": segment, "pair": sa.lane_key(pair, lane, segment),
                           "self": sa.self_lane_key(one.values.b, h, 5, lane, segment)}
                          for lane, segment in ((0, 0), (1, 0), (2, 0), (0, 1))],
            "escrow_low_to_high": sa.escrow_of(sa.preshared_of_round("SA1 pskm", psk, h, 5, 13), one.values.r, h, 5, 13),
            "preshared_sealing": sa.preshared_of_round("SA1 psks", psk, h, 13, 5),
            "preshared_masking": sa.preshared_of_round("SA1 pskm", psk, h, 13, 5),
            "sealing_key_low_to_high": sa.sealing_key(one.values.seal_key, adverts[13][4:36], context, 5, 13),
            "sealing_key_high_to_low": sa.sealing_key(one.values.seal_key, adverts[13][4:36], context, 13, 5)}


def mask_vectors():
    """The first 64 bytes of a stream, some inside, and the last of a segment: bytes 2^32 - 64 to 2^32. Behind them a
    lane goes on at block 0 under the key of segment 1."""
    key = named("lane key")
    places = [(0, 0), (1, 0), (2, 3), (0, 2**24 - 2), (0, sa.SEGMENT_BLOCKS - 4), (1, sa.SEGMENT_BLOCKS - 4)]
    return {"key": key, "streams": [{"lane": lane, "first_block": block, "bytes": sa.keystream(key, lane, block, 64)}
                                    for lane, block in places]}


def share_vector():
    """Dealer 5's entry for holder 13 at t = 3."""
    keys, t = key_vectors(), 3
    share_b, share_r = scalar("share b"), scalar("share r")
    cb = sa.share_commitment("SA1 shb", keys["h"], 5, 13, share_b)
    cr = sa.share_commitment("SA1 shr", keys["h"], 5, 13, share_r)
    associated = sa.share_associated_data(keys["h"], 5, 13, t, cb, cr)
    nonce = named("nonce", 24)
    key = keys["sealing_key_low_to_high"]
    return {"h": keys["h"], "dealer": 5, "holder": 13, "t": t, "share_b": share_b, "share_r": share_r, "cb": cb, "cr": cr,
            "associated_data": associated, "key": key, "nonce": nonce,
            "ciphertext": primitives.xchacha20poly1305_seal(key, nonce, share_b + share_r, associated)}


def shamir_vectors():
    out = []
    for threshold, count, responders in ((2, 4, [2, 4]), (3, 5, [5, 1, 3]), (6, 10, [1, 2, 4, 7, 9, 10])):
        secret = scalar(f"shamir {threshold} of {count}")
        coefficients = [scalar(f"shamir {threshold} of {count} coefficient {k}") for k in range(1, threshold)]
        shares = [primitives.shamir_share(secret, coefficients, point) for point in range(1, count + 1)]
        assert primitives.shamir_reconstruct({p: shares[p - 1] for p in responders}) == secret
        # t shares of which the first is another one: what a liar at that point would turn the secret into.
        forged = {p: shares[p - 1] for p in responders}
        forged[responders[0]] = scalar("forged")
        out.append({"threshold": threshold, "secret": secret, "coefficients": coefficients, "shares": shares,
                    "responders": responders, "forged_share": forged[responders[0]],
                    "forged_secret": primitives.shamir_reconstruct(forged)})
    return out


def packing_vectors():
    out = []
    for bits in (1, 7, 8, 12, 16, 20, 23, 26, 31, 32, 33, 63, 64):
        ring = next(w for w in (16, 32, 64) if bits <= w)
        lane = sa.Lane(ring, bits, 1, 21, 8)
        words = [int.from_bytes(named(f"pack {bits} {i}", 8), "little") % 2**ring for i in range(lane.length)]
        words[0], words[7], words[-1] = 2**ring - 1, 0, 2**bits - 1
        chunks = sa.upload_chunks([lane], [words])
        out.append(lane_fields(lane) | {"words": [f"{w:x}" for w in words],
                                        "packed": b"".join(packed for _, _, packed in chunks)})
    return out


def upload_vector():
    h, member = named("h"), 13
    words = [[int.from_bytes(named(f"upload {lane.number} {i}", 8), "little") % 2**lane.bits
              for i in range(lane.length)] for lane in LANES]
    words[2] = sa.check_words(h, LANES[0], words[0])
    chunks = sa.upload_chunks(LANES, words)
    alone = [sa.Lane(64, 64, 2, 7, 4)]
    alone_chunks = sa.upload_chunks(alone, [words[1]])
    return {"h": h, "id": member, "lanes": [lane_fields(lane) for lane in LANES],
            "words": [[f"{w:x}" for w in lane] for lane in words], "packed": sa.packed_bytes(chunks),
            "hash_y": sa.upload_hash(h, member, sa.packed_bytes(chunks)), "counters_alone": sa.packed_bytes(alone_chunks),
            "hash_y_of_counters_alone": sa.upload_hash(h, member, sa.packed_bytes(alone_chunks)),
            "long": [{"bytes": size, "hash_y": sa.upload_hash(h, member, bytes((151 * i + i // 256) % 256 for i in range(size)))}
                     for size in (8190, 8192, 8194, 16 * 8192, 17 * 8192 + 18)]}


def check_vectors():
    h = named("h")
    out = []
    for ring, bits, length, chunk_words in ((16, 12, 21, 8), (32, 18, 10, 4), (32, 32, 17, 16), (64, 33, 9, 4)):
        lane = sa.Lane(ring, bits, 1, length, chunk_words)
        words = [int.from_bytes(named(f"check {bits} {i}", 8), "little") % 2**bits for i in range(length)]
        out.append(lane_fields(lane) | {"h": h, "words": [f"{w:x}" for w in words],
                                        "check": [f"{w:x}" for w in sa.check_words(h, lane, words)]})
    return out


# ---- Rings


def ring_vectors():
    ids = list(range(3, 3 + 5 * 40, 5))
    proof = circulant.genesis_proof(named("run"), roster().hash(),
                                    {i: (identity(i), named(f"genesis {i}")) for i in ids[:7]})
    draws = []
    for number, size, k in ((0x10000, 0, 6), (0x10001, 0, 12), (0x70000, 24, 8), (0x70000, 40, 38)):
        cohort = circulant.drawn(proof["genesis"], number, ids, size)
        order = circulant.ring(proof["genesis"], number, cohort)
        draws.append({"round": number, "members": ids, "cohort_size": size, "cohort": cohort, "ring": order, "k": k,
                      "neighbours": [circulant.neighbours(order, k, i) for i in order]})
    cases = [(257, 51, 10), (300, 60, 10), (300, 1, 1), (300, 150, 40), (500, 100, 10), (1000, 200, 10), (1000, 333, 5),
             (4096, 819, 10), (4097, 819, 10), (5000, 1000, 10)]
    return {"genesis": proof, "draws": draws, "parameters": [circulant.parameters(*case) for case in cases],
            "published_sum": {"run": named("run"), "server_round": 7, "h": named("h"), "n": 300, "C": 60, "survivors": 271,
                              "packed": named("packed", 99), "blob": circulant.published_sum_blob(named("run"), 7),
                              "bytes": circulant.published_sum(7, named("h"), 300, 60, 271, named("packed", 99))}}


# ---- Whole rounds

COHORT = [3, 5, 7, 13]
STAGES = ["nobody", "advertise", "shares", "check", "upload", "endorse", "unmask"]


# Pairs with a pre-shared key in the last transcript.
KEYED = [(3, 5), (3, 7), (7, 13)]


def keys_of(member):
    return {a + b - member: named(f"psk {a} {b}") for a, b in KEYED if member in (a, b)}


def drawn(member, t, dropout):
    """What a member draws: the same in every transcript but for its input, so a transcript shows its own dropout."""
    index = COHORT.index(member)
    words = [[(2**16 - 1) * (j % 3 == index % 3) + 1000 * index + j for j in range(LANES[0].length)],
             [1, 1, 100 + index, 0, 0, 0, 0]]
    return sa.Values(
        member, identity(member), named(f"{dropout} ske {member}"), scalar(f"{dropout} b {member}"),
        scalar(f"{dropout} r {member}"), [scalar(f"{dropout} b {member} coefficient {k}") for k in range(1, t)],
        [scalar(f"{dropout} r {member} coefficient {k}") for k in range(1, t)],
        {holder: named(f"{dropout} nonce {member} {holder}", 24) for holder in COHORT if holder != member}, words)


class Round:
    """One round, n = 4 and C = 1. `gone` is silent from stage `stage` on. Messages in the order in which an honest
    coordinator and punctual members send them; members ascending."""

    def __init__(self, stage, gone, keyed=False, complaints=()):
        self.head = header(COHORT, 1, LANES, 0x20001)
        self.h, self.stage, self.gone = self.head.hash(), stage, gone
        self.members = {i: sa.Participant(drawn(i, self.head.t, stage), self.head, self.h) for i in COHORT}
        self.name = "keys" if keyed else "complaints" if complaints else stage
        self.complaints = dict(complaints)
        for i in COHORT if keyed else []:
            self.members[i].values.keys = keys_of(i)
        self.messages = []

    def alive(self, stage, members):
        late = self.stage != "nobody" and STAGES.index(self.stage) <= STAGES.index(stage)
        return [i for i in members if not (late and i == self.gone)]

    def say(self, kind, sender, to, body, lie=False):
        self.messages.append({"message": kind, "from": sender, "to": list(to),
                              "frame": sa.frame(kind, sender, self.head.round, body)} | ({"lie": True} if lie else {}))

    def announce(self, label, fields):
        return sa.sign(COORDINATOR, label, self.h + fields)

    def run(self):
        self.advertise()
        self.share()
        self.check_and_fix()
        self.upload()
        self.endorse()
        self.unmask()
        return self.described()

    def advertise(self):
        deadlines = b"".join(u64(1000 * (i + 1)) for i in range(6))
        over_roster = sa.bits_of(ROSTER_IDS, COHORT)
        offered = self.head.bytes() + deadlines
        self.say("Offer", 0, COHORT, offered + sa.wire_bitmap(over_roster)
                 + sa.sign(COORDINATOR, "SA1 sig offer", offered + over_roster))
        self.u1 = self.alive("advertise", COHORT)
        for i in self.u1:
            self.members[i].make_advert()
            self.say("Advertise", i, [0], self.members[i].advert)
        self.adverts = {i: self.members[i].advert for i in self.u1}

    def share(self):
        bits = sa.bits_of(COHORT, self.u1)
        signature = self.announce("SA1 sig u1", sa.set_digest("SA1 u1", self.h, bits))
        for i in self.u1:  # everybody's but the receiver's own
            self.say("KeyList", 0, [i], sa.wire_bitmap(bits) + signature
                     + sa.wire_list([self.adverts[j] for j in self.u1 if j != i]))
        self.v = self.alive("shares", self.u1)
        for i in self.v:
            self.members[i].make_shares(COHORT, self.adverts)
            entries = self.members[i].entries
            spoilt = [holder for holder, (dealer, true) in self.complaints.items() if dealer == i and true]
            for holder in spoilt:  # a bit of the ciphertext; signed again
                entry = bytearray(entries[holder][4:4 + 168])
                entry[24] ^= 1
                entries[holder] = self.members[i].signed_entry(holder, bytes(entry))
            self.say("Shares", i, [0], u32(i) + sa.wire_list([entries[j] for j in sorted(entries)]), lie=bool(spoilt))

    def check_and_fix(self):
        bits = sa.bits_of(COHORT, self.v)
        d_v = sa.set_digest("SA1 v", self.h, bits)
        signature = self.announce("SA1 sig v", d_v)
        for i in self.v:
            self.say("ShareForward", 0, [i], sa.wire_bitmap(bits) + signature + sa.wire_list(
                [u32(j) + self.members[j].entries[i] for j in self.v if j != i]))
        self.u2 = self.alive("check", self.v)
        nobody = sa.bits_of(COHORT, [])
        checks = {}
        for i in self.u2:
            dealer, true = self.complaints.get(i, (None, True))
            checks[i] = sa.share_check(identity(i), self.h, i, d_v, sa.bits_of(COHORT, [dealer] if dealer else []), nobody)
            self.say("ShareCheck", i, [0], checks[i], lie=not true)
        self.settle(d_v, checks)
        bits = sa.bits_of(COHORT, self.u2)
        self.d_u2 = sa.set_digest("SA1 u2", self.h, bits)
        fixed = sa.wire_bitmap(bits) + self.announce("SA1 sig u2", self.d_u2)
        if not self.complaints:
            return self.say("Fix", 0, self.u2, fixed + sa.wire_list([]))
        for i in self.u2:
            dealer = self.complaints.get(i, (None,))[0]
            self.say("Fix", 0, [i], fixed + sa.wire_list([u32(dealer) + b"".join(self.members[dealer].shares[i])]
                                                         if dealer else []))

    def settle(self, d_v, checks):
        """Each dealer that is complained about opens that share, and stays."""
        accused = {}
        for holder, (dealer, _) in sorted(self.complaints.items()):
            accused.setdefault(dealer, []).append(holder)
        for dealer in sorted(accused):
            self.say("Complaints", 0, [dealer], sa.wire_list([checks[i] for i in accused[dealer]]))
        for dealer in sorted(accused):
            opened = [(i, *self.members[dealer].shares[i]) for i in accused[dealer]]
            self.say("Opening", dealer, [0], sa.opening(identity(dealer), self.h, dealer, d_v, opened))

    def upload(self):
        self.s = self.alive("upload", self.u2)
        for i in self.s:
            self.members[i].make_upload(set(self.u2), self.d_u2, self.adverts)
            self.say("UploadHeader", i, [0], self.members[i].upload)

    def endorse(self):
        bits = sa.bits_of(COHORT, self.s)
        self.d_s = sa.survivors_digest(self.h, self.d_u2, bits)
        signature = self.announce("SA1 sig surv", self.d_u2 + self.d_s)
        self.say("Survivors", 0, self.s, u8(0) + self.d_u2 + sa.wire_bitmap(bits) + signature)
        self.endorsed = self.alive("endorse", self.s)
        self.m7 = {}
        for i in self.endorsed:
            self.m7[i] = u32(i) + sa.sign(identity(i), "SA1 sig endorse", self.h + u32(i) + self.d_u2 + self.d_s)
            self.say("Endorse", i, [0], u8(0) + self.m7[i])

    def unmask(self):
        certificate = [self.m7[i] for i in self.endorsed[:self.head.Q]]  # the first Q that came
        self.say("UnmaskRequest", 0, self.endorsed, u8(0) + sa.wire_list(certificate) + self.d_u2 + self.d_s
                 + sa.wire_list([self.members[i].upload for i in self.s]))
        self.answers = {}
        for i in self.alive("unmask", self.endorsed):
            revealed = []
            for dealer in self.u2:
                kind = sa.SELF_MASK if dealer in self.s else sa.MASK_KEY
                revealed.append((dealer, kind, self.members[dealer].shares[i][kind]))
            self.answers[i] = revealed
            entries = [u32(dealer) + u8(kind) + share for dealer, kind, share in revealed]
            signed = sa.sign(identity(i), "SA1 sig unmask",
                             self.h + u32(i) + self.d_u2 + self.d_s + b"".join(entries))
            self.say("UnmaskResponse", i, [0], u32(i) + self.d_u2 + self.d_s + sa.wire_list(entries) + signed)
        self.total = sa.open_sum(self.head, self.members, set(self.s), set(self.u2), self.answers, self.adverts, self.h,
                                 COHORT)
        for place, lane in enumerate(self.head.lanes):
            plain = [sum(column) % 2**lane.bits for column in zip(*(self.members[i].full_words()[place] for i in self.s))]
            assert self.total[place] == plain, "the masks do not cancel"
        assert self.total[1][0] == len(self.s) and self.total[1][-4:] == [0] * 4
        assert self.total[2] == sa.check_words(self.h, LANES[0], self.total[0])
        self.aggregate = sa.sum_hash(self.h, self.head.lanes, self.total)
        body = u8(0) + self.d_s + self.aggregate + named("next model")
        self.say("RoundResult", 0, COHORT, body + self.announce("SA1 sig result", body))

    def described(self):
        members = []
        for i in COHORT:
            v = self.members[i].values
            members.append({"id": i, "identity": v.identity, "ske": v.seal_key, "b": v.b, "r": v.r,
                            "coefficients_b": v.coefficients_b, "coefficients_r": v.coefficients_r,
                            "nonces": [{"to": to, "nonce": nonce} for to, nonce in v.nonces.items()],
                            "keys": [{"with": peer, "key": key} for peer, key in v.keys.items()],
                            "words": [[f"{w:x}" for w in lane] for lane in self.members[i].full_words()],
                            "y": b"".join(packed for _, _, packed in self.members[i].chunks)})
        return {"name": self.name, "dropout_at": self.stage, "dropout": self.gone if self.stage != "nobody" else 0,
                "members": members, "u1": self.u1, "v": self.v, "u2": self.u2, "s": self.s, "messages": self.messages,
                "sum": [[f"{w:x}" for w in lane] for lane in self.total], "aggregate_hash": self.aggregate}


def transcripts():
    gone = [7, 3, 13, 5, 7, 3, 5]  # not always the same sign of the masks
    rounds = [Round(stage, who).run() for stage, who in zip(STAGES, gone)]
    rounds.append(Round("upload", 7, keyed=True).run())
    # 3 complains about a bad share of 5, which then drops out; 13 lies about 7.
    rounds.append(Round("upload", 5, complaints={3: (5, True), 13: (7, False)}).run())
    common = header(COHORT, 1, LANES, 0x20001)
    return {"coordinator": COORDINATOR, "roster_ids": ROSTER_IDS, "cohort": COHORT, "header": header_fields(common),
            "deadline_ms": [1000 * (i + 1) for i in range(6)], "next_model": named("next model"), "rounds": rounds}


def main():
    primitives.self_check()
    made = {"secagg1.json": {"roster": roster_vector(), "cohorts": cohort_vectors(), "headers": header_vectors(),
                             "sets": set_vectors(), "keys": key_vectors(), "masks": mask_vectors(),
                             "share": share_vector(), "shamir": shamir_vectors(), "packing": packing_vectors(),
                             "upload": upload_vector(), "check": check_vectors()},
            "circulant.json": ring_vectors(), "transcripts.json": transcripts()}
    stale = []
    for name, content in made.items():
        text = json.dumps(hexed(content), indent=1) + "\n"
        if "--check" in sys.argv[1:]:
            stale += [name] if (HERE / name).read_text() != text else []
        else:
            (HERE / name).write_text(text)
    sys.exit(f"not what this script makes: {', '.join(stale)}" if stale else 0)


if __name__ == "__main__":
    main()
