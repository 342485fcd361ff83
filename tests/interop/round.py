"""One member's part in one round of SECAGG1 on the complete graph (docs/secure-aggregation.md, 2.2 to 2.7).

MemberRound does no input or output: each `on_...` takes a message of the coordinator and returns the answer, or None where the
member stays silent. Refused is raised where the documents tell the member to leave the round. A misbehaviour is a subclass.
"""

import os

import crypto
import encoding
from crypto import H, NO_PSK, u32, verify
from wire import (Advertise, BurnVote, Endorse, Escrow, OpenedShare, Opening, RevealedShare, ShareCheck, ShareEntry, Shares,
                  UnmaskResponse, UploadHeader, bitmap, places)

SELF_MASK, MASK_KEY = 0, 1  # kinds of a revealed share


class Refused(Exception):
    """A check failed before anything was uploaded: the member leaves the round."""


class Randomness:
    """Everything random of a round; tests put known values in its place."""

    def sealing_secret(self):
        return os.urandom(32)

    def scalar(self):
        return crypto.random_scalar()

    def coefficients(self, _which, count):
        return [crypto.random_scalar() for _ in range(count)]

    def nonce(self, _holder):
        return os.urandom(24)


def thresholds(n, colluders):
    """(t, Q, s_min) of 2.4 on the complete graph."""
    quorum = (n + colluders) // 2 + 1
    return max(2, colluders + 1, min(n // 2 + 1, quorum - 1)), quorum, max(quorum, colluders + 2)


def header_hash(header):
    return H("SA1 hdr", header.encode())


def cohort_hash(ids):
    return H("SA1 cohh", u32(len(ids)), *[u32(member) for member in ids])


class MemberRound:
    def __init__(self, member_id, signer, roster, header, cohort, randomness=None, preshared=None):
        """cohort: ids ascending; roster.keys: id to Ed25519 key; preshared: id to 32 bytes."""
        self.id, self.signer, self.roster, self.header, self.cohort = member_id, signer, roster, header, cohort
        self.h = header_hash(header)
        self.index = cohort.index(member_id)
        self.random = randomness or Randomness()
        self.preshared = preshared or {}
        self.ske = self.random.sealing_secret()
        self.b, self.r = self.random.scalar(), self.random.scalar()
        self.skm = crypto.mask_key(crypto.scalar_bytes(self.r), self.h, member_id)
        self.adverts, self.dealt, self.entries, self.held = {}, {}, {}, {}
        self.bad, self.other_psk = set(), set()
        self.u1 = self.v = self.u2 = self.s = None
        self.d_v = self.d_u2 = self.d_s = None
        self.upload = None
        self.endorsed = self.burnt = False

    # ---- small helpers

    def sign(self, label, *fields):
        return self.signer.sign(label, self.h, *fields)

    def by_coordinator(self, signature, label, *fields):
        return verify(self.roster.coordinator_key, signature, label, self.h, *fields)

    def by_member(self, member, signature, label, *fields):
        return verify(self.roster.keys[member], signature, label, self.h, *fields)

    def ids(self, bits):
        if len(bits) != (len(self.cohort) + 7) // 8 or any(place >= len(self.cohort) for place in places(bits)):
            raise Refused("a set is not over the cohort")
        return [self.cohort[place] for place in places(bits)]

    def bits(self, ids):
        return bitmap([self.cohort.index(member) for member in ids], len(self.cohort))

    def context(self, other):
        low, high = sorted((self.id, other), key=self.cohort.index)
        return crypto.pair_context(self.h, self.adverts[low], self.adverts[high])

    def psk(self, label, other):
        key = self.preshared.get(other)
        return NO_PSK if key is None else crypto.preshared(label, key, self.h, self.id, other)

    def sealing_key(self, other, dealer, holder):
        shared = crypto.x25519(self.ske, self.adverts[other].pk_enc)
        return crypto.sealing_key(shared, self.psk("SA1 psks", other), self.context(other), dealer, holder)

    def commitments(self, dealer, holder, share_b, share_r):
        ids = (self.h, u32(dealer), u32(holder))
        return H("SA1 shb", *ids, share_b), H("SA1 shr", *ids, share_r)

    # ---- M0 to M1

    def on_offer(self):
        public = crypto.x25519_public(self.ske), crypto.x25519_public(self.skm)
        commitment = H("SA1 cmb", self.h, u32(self.id), crypto.scalar_bytes(self.b))
        signature = self.sign("SA1 sig adv", u32(self.id), *public, commitment)
        self.adverts[self.id] = Advertise(self.id, *public, commitment, signature)
        return self.adverts[self.id]

    # ---- M2 to M3

    def on_key_list(self, message):
        u1 = self.ids(message.u1)
        if not self.by_coordinator(message.signature, "SA1 sig u1", H("SA1 u1", self.h, message.u1)):
            raise Refused("the signature of M2 is bad")
        others = {advert.id: advert for advert in message.adverts}
        if self.id not in u1 or len(u1) < self.header.s_min or sorted(others) != [member for member in u1 if member != self.id]:
            raise Refused("U1 is too small, or its keys are not those of U1")
        keys = [bytes(key) for advert in [self.adverts[self.id], *message.adverts] for key in (advert.pk_enc, advert.pk_mask)]
        if len(set(keys)) != len(keys):
            raise Refused("a key stands twice")
        for member, advert in others.items():
            if not self.by_member(member, advert.signature, "SA1 sig adv", u32(member), advert.pk_enc, advert.pk_mask, advert.cm_b):
                raise Refused(f"the keys of member {member} are badly signed")
        self.u1 = u1
        self.adverts.update(others)
        return self.shares()

    def shares(self):
        polynomials = [(self.b, self.random.coefficients("b", self.header.t - 1)),
                       (self.r, self.random.coefficients("r", self.header.t - 1))]
        for holder in self.u1:
            index = self.cohort.index(holder)
            self.dealt[holder] = tuple(crypto.scalar_bytes(crypto.shamir_share(secret, rest, index)) for secret, rest in polynomials)
        self.held[self.id] = self.dealt[self.id]
        return Shares(self.id, [self.entry(holder) for holder in self.u1])

    def entry(self, holder):
        share_b, share_r = self.dealt[holder]
        cb, cr = self.commitments(self.id, holder, share_b, share_r)
        if holder == self.id:
            nonce, ciphertext = bytes(24), bytes(80)
        else:
            nonce = self.random.nonce(holder)
            ciphertext = crypto.seal(self.sealing_key(holder, self.id, holder), nonce, share_b + share_r,
                                     self.associated(self.id, holder, cb, cr))
        return self.signed_entry(ShareEntry(holder, nonce, ciphertext, cb, cr, self.escrow(holder), None))

    def signed_entry(self, entry):
        escrow = b"" if entry.escrow is None else entry.escrow.encode()
        entry.signature = self.sign("SA1 sig share", u32(self.id), u32(entry.to), entry.nonce, entry.ciphertext, entry.cb, entry.cr, escrow)
        return entry

    def associated(self, dealer, holder, cb, cr):
        return self.h + u32(dealer) + u32(holder) + u32(self.header.t) + cb + cr

    def escrow(self, holder):
        """The masking value of a pre-shared key, for whoever rebuilds r."""
        if holder not in self.preshared:
            return None
        value = self.psk("SA1 pskm", holder)
        commitment = H("SA1 cmp", self.h, u32(self.id), u32(holder), value)
        key = crypto.escrow_key(crypto.scalar_bytes(self.r), self.h, self.id, holder)
        return Escrow(commitment, crypto.seal(key, bytes(24), value, commitment))

    # ---- M4 to M4A

    def on_share_forward(self, message):
        v = self.ids(message.v)
        self.d_v = H("SA1 v", self.h, message.v)
        if not self.by_coordinator(message.signature, "SA1 sig v", self.d_v):
            raise Refused("the signature of M4 is bad")
        forwarded = {item.sender: item.entry for item in message.entries}
        if self.id not in v or not set(v) <= set(self.u1) or len(v) < self.header.s_min:
            raise Refused("V is too small, or not in U1")
        if sorted(forwarded) != [member for member in v if member != self.id]:
            raise Refused("the entries are not those of V")
        self.v, self.entries = v, forwarded
        for dealer, entry in forwarded.items():
            self.open_entry(dealer, entry)
        return self.share_check()

    def open_entry(self, dealer, entry):
        escrow = b"" if entry.escrow is None else entry.escrow.encode()
        fields = (u32(dealer), u32(self.id), entry.nonce, entry.ciphertext, entry.cb, entry.cr, escrow)
        if entry.to != self.id or not self.by_member(dealer, entry.signature, "SA1 sig share", *fields):
            raise Refused(f"the entry of member {dealer} is badly signed")
        if not self.same_preshared_key(dealer, entry):
            self.other_psk.add(dealer)
            return
        plain = crypto.unseal(self.sealing_key(dealer, dealer, self.id), entry.nonce, entry.ciphertext,
                              self.associated(dealer, self.id, entry.cb, entry.cr))
        if plain is None or not self.fits(dealer, entry, plain[:32], plain[32:]):
            self.bad.add(dealer)
        else:
            self.held[dealer] = plain[:32], plain[32:]

    def same_preshared_key(self, dealer, entry):
        if dealer not in self.preshared or entry.escrow is None:
            return (dealer in self.preshared) == (entry.escrow is not None)
        return entry.escrow.commitment == H("SA1 cmp", self.h, u32(dealer), u32(self.id), self.psk("SA1 pskm", dealer))

    def fits(self, dealer, entry, share_b, share_r):
        canonical = crypto.scalar(share_b) is not None and crypto.scalar(share_r) is not None
        return canonical and self.commitments(dealer, self.id, share_b, share_r) == (entry.cb, entry.cr)

    def share_check(self):
        bad, other = self.bits(self.bad), self.bits(self.other_psk)
        return ShareCheck(self.id, self.d_v, bad, other, self.sign("SA1 sig check", u32(self.id), self.d_v, bad, other))

    # ---- M4B to M4C: others complained about this member's shares

    def on_complaints(self, message):
        if self.d_v is None or self.u2 is not None:
            return None
        if len(message.checks) > min(self.header.C, self.header.t - 1):
            raise Refused("more complaints than there can be liars")
        for check in message.checks:
            fields = (u32(check.id), check.d_v, check.bad, check.other_psk)
            if check.d_v != self.d_v or check.id not in self.v or check.id == self.id or self.id not in self.ids(check.bad) \
                    or not self.by_member(check.id, check.signature, "SA1 sig check", *fields):
                raise Refused("a complaint is not one about this member")
        return self.opening([check.id for check in message.checks])

    def opening(self, holders):
        opened = [OpenedShare(holder, *self.dealt[holder]) for holder in holders]
        fields = (u32(self.id), self.d_v, *[share.encode() for share in opened])
        return Opening(self.id, self.d_v, opened, self.sign("SA1 sig opening", *fields))

    # ---- M4U to M5

    def on_fix(self, message):
        """Takes U2; the upload follows when there is an update."""
        u2 = self.ids(message.u2)
        self.d_u2 = H("SA1 u2", self.h, message.u2)
        if not self.by_coordinator(message.signature, "SA1 sig u2", self.d_u2):
            raise Refused("the signature of M4U is bad")
        for opened in message.opened:
            if opened.member not in self.bad or not self.fits(opened.member, self.entries[opened.member], opened.b, opened.r):
                raise Refused(f"an opened share of member {opened.member} does not fit")
            self.held[opened.member] = opened.b, opened.r
        if self.id not in u2 or not set(u2) <= set(self.v) or len(u2) < self.header.s_min or not set(u2) <= set(self.held):
            raise Refused("U2 is too small, not in V, or has a dealer whose share is not here")
        self.u2 = u2

    def pairs(self):
        """(seed, sign) of every other member of U2."""
        for other in self.u2:
            if other != self.id:
                shared = crypto.x25519(self.skm, self.adverts[other].pk_mask)
                seed = crypto.pair_seed(shared, self.psk("SA1 pskm", other), self.context(other))
                yield seed, 1 if self.index < self.cohort.index(other) else -1

    def make_upload(self, codes, metrics):
        """codes of lane 0 and metrics of lane 1; returns M5 and keeps the packed lanes in self.upload."""
        words = self.plain_words(codes, metrics)
        pairs = list(self.pairs())
        masked = [encoding.mask_words(lane, lane_words, encoding.masks_of_lane(lane, self.h, self.id, crypto.scalar_bytes(self.b), pairs))
                  for lane, lane_words in zip(self.header.lanes, words)]
        self.upload = encoding.pack_all(self.header.lanes, masked)
        return self.upload_header()

    def plain_words(self, codes, metrics):
        return encoding.plain_words(self.h, self.header.lanes, codes, metrics)

    def upload_header(self):
        digest = encoding.hash_y(self.h, self.id, self.upload)
        return UploadHeader(self.id, self.d_u2, digest, self.sign("SA1 sig upload", u32(self.id), self.d_u2, digest))

    # ---- M6 to M7

    def on_survivors(self, message):
        s = self.ids(message.s)
        d_s = H("SA1 s", self.h, self.d_u2 or b"", message.s)
        good = self.by_coordinator(message.signature, "SA1 sig surv", message.d_u2, d_s)
        if not good or self.upload is None or self.burnt or message.d_u2 != self.d_u2 or (self.endorsed and d_s != self.d_s):
            return None
        if self.id not in s or not set(s) <= set(self.u2) or len(s) < self.header.s_min:
            return None
        self.s, self.d_s, self.endorsed = s, d_s, True
        return self.endorsement()

    def endorsement(self):
        return Endorse(self.id, self.sign("SA1 sig endorse", u32(self.id), self.d_u2, self.d_s))

    # ---- M8 to M9

    def on_unmask_request(self, message):
        if not self.endorsed or (message.d_u2, message.d_s) != (self.d_u2, self.d_s):
            return None
        signers = {item.id for item in message.endorsements
                   if item.id in self.cohort and self.by_member(item.id, item.signature, "SA1 sig endorse", u32(item.id), self.d_u2, self.d_s)}
        uploaded = {item.id for item in message.uploads
                    if item.id in self.u2 and item.d_u2 == self.d_u2
                    and self.by_member(item.id, item.signature, "SA1 sig upload", u32(item.id), item.d_u2, item.hash_y)}
        if len(signers) < self.header.Q or not set(self.s) <= uploaded:
            return None
        return self.unmask_response()

    def unmask_response(self):
        shares = [RevealedShare(dealer, SELF_MASK, self.held[dealer][0]) if dealer in self.s else
                  RevealedShare(dealer, MASK_KEY, self.held[dealer][1]) for dealer in self.u2]
        fields = (u32(self.id), self.d_u2, self.d_s, *[share.encode() for share in shares])
        return UnmaskResponse(self.id, self.d_u2, self.d_s, shares, self.sign("SA1 sig unmask", *fields))

    # ---- burning, and the end

    def on_burn_request(self, message):
        if message.header.encode() != self.header.encode() or self.endorsed:
            return None
        if not self.by_coordinator(message.signature, "SA1 sig burnreq"):
            return None
        self.burnt = True
        return self.burn_vote()

    def burn_vote(self):
        return BurnVote(self.id, self.sign("SA1 sig burn", u32(self.id)))

    def verify_burn_certificate(self, message):
        voters = {vote.id for vote in message.votes
                  if vote.id in self.cohort and self.by_member(vote.id, vote.signature, "SA1 sig burn", u32(vote.id))}
        return len(voters) >= self.header.Q

    def verify_result(self, message):
        return self.by_coordinator(message.signature, "SA1 sig result", bytes([message.status]), message.d_s, message.aggregate_hash,
                                   message.model_hash)
