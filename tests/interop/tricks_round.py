"""Misbehaviours inside a round: keys, shares, complaints, certificates, answers (secure-aggregation.md, 2.3 to 2.7)."""

import os

import crypto
from crypto import H, u32
from hostile import Expect, Trick
from round import MemberRound
from wire import Advertise, Endorse, Escrow, ShareCheck, UnmaskResponse

OUT = dict(in_sum=False)
IN = dict(in_sum=True)


def first_other(round_):
    return next(member for member in round_.cohort if member != round_.id)


# ---- M1

class low_order(Trick):
    """A public key of low order: every agreement with it gives zeros."""
    EXPECT = Expect(r"python[^\n]*low order", **OUT)

    class ROUND(MemberRound):
        def on_offer(self):
            public = crypto.x25519_public(self.ske), bytes(32)
            commitment = H("SA1 cmb", self.h, u32(self.id), crypto.scalar_bytes(self.b))
            self.adverts[self.id] = Advertise(self.id, *public, commitment, self.sign("SA1 sig adv", u32(self.id), *public, commitment))
            return self.adverts[self.id]


class two_m1(Trick):
    """A second M1 with other keys, right behind the first one."""
    EXPECT = Expect(r"python[^\n]*convicted")

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "Advertise"):
            self.me.deliver(MemberRound(self.me.id, self.me.keys.signer, self.me.roster, self.me.round.header, self.me.round.cohort).on_offer(), number)


# ---- M3

class bad_ciphertext(Trick):
    """One sealed share has a bit flipped; the opened share then settles the complaint."""
    EXPECT = Expect(r"complain[^\n]*python", **IN)

    class ROUND(MemberRound):
        def entry(self, holder):
            entry = super().entry(holder)
            if holder == first_other(self):
                entry.ciphertext = bytes([entry.ciphertext[0] ^ 1]) + entry.ciphertext[1:]
                self.signed_entry(entry)
            return entry


class opens_nothing(bad_ciphertext):
    """As bad_ciphertext, and no answer to the complaint."""
    EXPECT = Expect(r"python[^\n]*silent", **OUT)

    def send(self, message, number):
        if not self.sends(message, "Opening"):
            self.me.deliver(message, number)


class opens_another(bad_ciphertext):
    """As bad_ciphertext, and another share than the one committed to is opened."""
    EXPECT = Expect(r"python[^\n]*convicted", **OUT)

    class ROUND(bad_ciphertext.ROUND):
        def opening(self, holders):
            self.dealt = {holder: (crypto.scalar_bytes(crypto.random_scalar()), share_r) for holder, (_, share_r) in self.dealt.items()}
            return super().opening(holders)


class missing_share(Trick):
    """No entry for one holder."""
    EXPECT = Expect(r"python", **OUT)

    def send(self, message, number):
        if self.sends(message, "Shares"):
            message.entries = [entry for entry in message.entries if entry.to != first_other(self.me.round)]
        self.me.deliver(message, number)


class escrow_of_nothing(Trick):
    """An escrow for a member with which no key was exchanged: the one of the two that dealt with a key leaves."""
    EXPECT = Expect(r"python used a pre-shared key", **OUT)

    class ROUND(MemberRound):
        def escrow(self, holder):
            return Escrow(os.urandom(32), os.urandom(48)) if holder == first_other(self) else None


class wrong_polynomial(Trick):
    """Shares of another self-mask seed than the one that M1 committed to: the sum cannot be opened, and all t shares are evidence."""
    EXPECT = Expect(r"python[^\n]*convicted", lost=1)

    class ROUND(MemberRound):
        def shares(self):
            honest, self.b = self.b, crypto.random_scalar()
            message = super().shares()
            self.b = honest
            return message


class wrong_polynomial_and_gone(Trick):
    """Shares of another mask-key seed, and silence at the upload, so that the coordinator needs them."""
    EXPECT = Expect(r"python[^\n]*convicted", in_sum=False, lost=1)

    class ROUND(MemberRound):
        def shares(self):
            honest, self.r = self.r, crypto.random_scalar()
            message = super().shares()
            self.r = honest
            return message

    def send(self, message, number):
        if not self.sends(message, "UploadHeader"):
            self.me.deliver(message, number)


# ---- M4A

class false_complaint(Trick):
    """Complains about the same honest member in every round: that one stays, and both are named."""
    EXPECT = Expect(r"python[^\n]*complain", **IN)

    class ROUND(MemberRound):
        def share_check(self):
            self.bad = {first_other(self)}
            return super().share_check()


class false_key_complaint(Trick):
    """Says that a member's pre-shared key is another one, where neither has one: who complained leaves."""
    EXPECT = Expect(r"python states that its pre-shared key", **OUT)

    class ROUND(MemberRound):
        def share_check(self):
            self.other_psk = {first_other(self)}
            return super().share_check()


class complain_all(Trick):
    """Complains about everybody at once."""
    EXPECT = Expect(r"python[^\n]*complain")

    class ROUND(MemberRound):
        def share_check(self):
            self.bad = {member for member in self.v if member != self.id}
            return super().share_check()


class bad_check_bitmap(Trick):
    """A bitmap of another length than the cohort's."""
    EXPECT = Expect(r"python[^\n]*M4A|M4A[^\n]*python", **OUT)

    class ROUND(MemberRound):
        def share_check(self):
            bad = bytes(40)
            return ShareCheck(self.id, self.d_v, bad, bad, self.sign("SA1 sig check", u32(self.id), self.d_v, bad, bad))


# ---- M7 and burning

class two_votes(Trick):
    """Endorses a second set of survivors that lacks one member."""
    EXPECT = Expect(r"python[^\n]*Endorse: differs", **IN)

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "Endorse"):
            round_ = self.me.round
            other = H("SA1 s", round_.h, round_.d_u2, round_.bits(round_.s[:-1]))
            self.me.deliver(Endorse(round_.id, round_.sign("SA1 sig endorse", u32(round_.id), round_.d_u2, other)), number)


class endorse_and_burn(Trick):
    """An endorsement, and a burn vote under the same header."""
    EXPECT = Expect(r"python[^\n]*convicted", **IN)

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "Endorse"):
            self.me.deliver(self.me.round.burn_vote(), number)


class early_burn(Trick):
    """A burn vote that nobody asked for before the endorsement."""
    EXPECT = Expect(r"python[^\n]*convicted")

    def send(self, message, number):
        if self.sends(message, "Endorse"):
            self.me.deliver(self.me.round.burn_vote(), number)
        self.me.deliver(message, number)


# ---- M9

class wrong_answer(Trick):
    """Other shares in M9 than those that it holds; t others are enough."""
    EXPECT = Expect(r"python[^\n]*convicted", **IN)

    class ROUND(MemberRound):
        def unmask_response(self):
            self.held = {dealer: (crypto.scalar_bytes(crypto.random_scalar()),) * 2 for dealer in self.held}
            return super().unmask_response()


class two_answers(Trick):
    """A second M9 with another share."""
    EXPECT = Expect(r"python[^\n]*convicted", **IN)

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "UnmaskResponse"):
            round_ = self.me.round
            shares = message.shares[:-1]
            fields = (u32(round_.id), round_.d_u2, round_.d_s, *[share.encode() for share in shares])
            self.me.deliver(UnmaskResponse(round_.id, round_.d_u2, round_.d_s, shares, round_.sign("SA1 sig unmask", *fields)), number)


# ---- silence

def silent(kind, **expected):
    """A trick that says nothing from this message of its own on."""
    order = ["Advertise", "Shares", "ShareCheck", "UploadHeader", "Endorse", "UnmaskResponse"]
    from_here = set(order[order.index(kind):])

    class Silent(Trick):
        EXPECT = Expect(**expected)

        def send(self, message, number):
            if type(message).__name__ not in from_here:
                self.me.deliver(message, number)
    return Silent


silent_advertise = silent("Advertise", named=r"python[^\n]*silent|silent[^\n]*python", in_sum=False)
silent_shares = silent("Shares", named=r"python[^\n]*silent|silent[^\n]*python", in_sum=False)
silent_check = silent("ShareCheck", named=r"python[^\n]*silent|silent[^\n]*python", in_sum=False)
silent_upload = silent("UploadHeader", named=r"python[^\n]*silent|silent[^\n]*python", in_sum=False)
silent_endorse = silent("Endorse", named=None, in_sum=True)
silent_unmask = silent("UnmaskResponse", named=None, in_sum=True)

for _name in [name for name in globals() if name.startswith("silent_")]:
    globals()[_name].__name__ = _name

TRICKS = {name: value for name, value in list(globals().items()) if isinstance(value, type) and issubclass(value, Trick) and value is not Trick}
