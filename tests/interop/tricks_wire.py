"""Misbehaviours of frames, order, time and amount, and of what stands around the rounds (protocol.md, sections 4 to 7)."""

import os
import random
import time

import zmq

import identity
import wire
from hostile import Expect, Trick
from member import Link
from wire import Advertise, BurnVote, Endorse, GenesisCommit, GenesisEntry, GenesisReveal, Hello, KeyList, LeaveRound, RoundResult, \
    RunFinished, Shares, Survivors, UnmaskResponse, UploadHeader

NAMED = r"python"
FLOOD = 20000  # frames; the coordinator names who sends more than 10,000 a second


def other_member(me):
    return next(member for member in me.roster.ids if member != me.id)


def flood(me, frame):
    for _ in range(FLOOD):
        me.link.socket.send(frame)


def body_changed(me, message, number, change):
    data = message.encode()
    return me.link.send(wire.frame(message.TYPE, me.id, number, change(data)))


IN_ROUND = ("Advertise", "Shares", "ShareCheck", "UploadHeader", "Endorse", "UnmaskResponse")


# ---- frames

class wrong_length(Trick):
    """Each message of the round is a byte longer than its fields."""
    EXPECT = Expect(r"python: it sent a frame that cannot be decoded", in_sum=False)

    def send(self, message, number):
        if type(message).__name__ in IN_ROUND:
            return body_changed(self.me, message, number, lambda data: data + b"\0")
        return self.me.deliver(message, number)


class cut_short(Trick):
    """Each message of the round is a byte shorter."""
    EXPECT = Expect(r"python: it sent a frame that cannot be decoded", in_sum=False)

    def send(self, message, number):
        if type(message).__name__ in IN_ROUND:
            return body_changed(self.me, message, number, lambda data: data[:-1])
        return self.me.deliver(message, number)


class lying_frame(Trick):
    """A frame that says it has 2^63 bytes."""
    EXPECT = Expect(r"python: it sent a frame that cannot be decoded", in_sum=True)

    def begin(self):
        data = bytearray(wire.frame(1, self.me.id, self.me.round_number, b"x"))
        data[16:24] = (2**63).to_bytes(8, "little")
        self.me.link.send(bytes(data))


class garbage(Trick):
    """Random bytes, random bodies of all types, and messages of several parts."""
    EXPECT = Expect(r"python: it sent a frame that cannot be decoded[^\n]*times", in_sum=True)

    def begin(self):
        generator = random.Random(1)
        for i in range(2000):
            kind = generator.choice([*range(15), *range(32, 39), *range(48, 53), 200])
            body = generator.randbytes(generator.randrange(200))
            self.me.link.send(generator.randbytes(generator.randrange(1, 60)) if i % 4 == 0 else
                              wire.frame(kind, self.me.id, self.me.round_number, body))
        for _ in range(20):
            self.me.link.socket.send_multipart([b"one", b"two"])


class big_frame(Trick):
    """A frame above the largest that the coordinator takes: the connection ends, and it is named."""
    EXPECT = Expect(r"python: its connection ended[^\n]*too long")

    def begin(self):
        self.me.link.send(wire.frame(35, self.me.id, self.me.round_number, bytes(32 << 20)), wait_ms=100)


class round_zero(Trick):
    """Messages of the round in frames with round 0."""
    EXPECT = Expect(r"python[^\n]*names no round", in_sum=False)

    def send(self, message, number):
        self.me.deliver(message, 0)


class wrong_round(Trick):
    """Messages of the round in frames of the next round."""
    EXPECT = Expect(NAMED, in_sum=False)

    def send(self, message, number):
        self.me.deliver(message, number + 1 if number else 0)


class other_id(Trick):
    """An M1 that is a copy with another member's id."""
    EXPECT = Expect(NAMED, in_sum=True)

    def send(self, message, number):
        if self.sends(message, "Advertise"):
            self.me.deliver(Advertise(other_member(self.me), message.pk_enc, message.pk_mask, message.cm_b, message.signature), number)
        self.me.deliver(message, number)


class other_sender(Trick):
    """Frames in another member's name."""
    EXPECT = Expect(r"python: it sent a frame in the name of another member", in_sum=False)

    def send(self, message, number):
        sender = other_member(self.me) if type(message).__name__ in IN_ROUND else self.me.id
        self.me.link.send(message.frame(sender, number))


class coordinators_words(Trick):
    """Messages that only a coordinator has to send."""
    EXPECT = Expect(NAMED, in_sum=True)

    def begin(self):
        n, header = self.me.round_number, self.me.round.header
        for message in (KeyList(b"\x0f", bytes(64), []), Survivors(bytes(32), b"\x0f", bytes(64)), RoundResult(0, bytes(32), bytes(32), bytes(32), bytes(64)),
                        RunFinished(header.run, 1, bytes(32), b"over", bytes(64)), wire.Fix(b"\x0f", bytes(64), []),
                        wire.BurnCertificate([]), wire.JobOffer(header.run, b"{}", bytes(64))):
            self.me.deliver(message, n)


class genesis_uncalled(Trick):
    """Commits and reveals in a run without a genesis."""
    EXPECT = Expect(NAMED, in_sum=True)

    def begin(self):
        run = self.me.run
        self.me.deliver(GenesisCommit(run, bytes(32), GenesisEntry(self.me.id, bytes(32), bytes(64))), 0)
        self.me.deliver(GenesisReveal(run, self.me.id, bytes(32), bytes(32), bytes(64)), 0)


# ---- order and repetition

class duplicates(Trick):
    """Each message fifty times."""
    EXPECT = Expect(None, in_sum=True)

    def send(self, message, number):
        for _ in range(50):
            self.me.deliver(message, number)


class early_everything(Trick):
    """All later messages of the round right behind M1."""
    EXPECT = Expect(NAMED, in_sum=True)

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "Advertise"):
            me = self.me.id
            for early in (Shares(me, []), wire.ShareCheck(me, bytes(32), b"\0", b"\0", bytes(64)), UploadHeader(me, bytes(32), bytes(32), bytes(64)),
                          Endorse(me, bytes(64)), UnmaskResponse(me, bytes(32), bytes(32), [], bytes(64)), BurnVote(me, bytes(64))):
                self.me.deliver(early, number)


class replay(Trick):
    """The messages of the round before under the number of this one; needs a round before it."""
    EXPECT = Expect(NAMED, in_sum=True)

    def send(self, message, number):
        for old in self.me.said:
            if type(old) is type(message) and self.sends(message, *IN_ROUND):
                self.me.deliver(old, number)
        self.me.deliver(message, number)


class last_moment(Trick):
    """Each message after nine tenths of its phase."""
    EXPECT = Expect(NAMED)
    PHASE = dict(zip(IN_ROUND, range(6)))

    def __init__(self, me):
        super().__init__(me)
        self.waiting = []

    def send(self, message, number):
        phase = self.PHASE.get(type(message).__name__)
        if phase is None:
            return self.me.deliver(message, number)
        self.waiting.append((time.monotonic() + 0.0009 * self.me.deadlines[phase], message, number))

    def tick(self):
        now = time.monotonic()
        for item in [item for item in self.waiting if item[0] <= now]:
            self.waiting.remove(item)
            self.me.deliver(*item[1:])


# ---- amount

class flood_hello(Trick):
    """Hello, very often."""
    EXPECT = Expect(r"python: it sends more than 10000 frames a second")

    def begin(self):
        flood(self.me, Hello(wire.VERSION, self.me.run, self.me.roster.version, self.me.roster.hash).frame(self.me.id))


class flood_advertise(Trick):
    """M1 with a bad signature, very often."""
    EXPECT = Expect(r"python[^\n]*M1: bad signature \(8192 times")

    def begin(self):
        flood(self.me, Advertise(self.me.id, os.urandom(32), os.urandom(32), bytes(32), bytes(64)).frame(self.me.id, self.me.round_number))


class flood_job_reply(Trick):
    """JobReply with a bad signature, very often."""
    EXPECT = Expect(r"python: it sent an answer to the job that does not verify[^\n]*8192 times")

    def begin(self):
        reply = self.me.reply(self.me.job_digest)
        reply.signature = bytes(64)
        flood(self.me, reply.frame(self.me.id))


class leaves(Trick):
    """LeaveRound with 60 KB of reason, a hundred times."""
    EXPECT = Expect(r"python: it sent a frame that cannot be decoded: bad LeaveRound[^\n]*64 times")

    def begin(self):
        for _ in range(100):
            self.me.deliver(LeaveRound(b"x" * 60000), self.me.round_number)


class flapping(Trick):
    """Accepts and postpones in turn, two thousand times."""
    EXPECT = Expect(r"python: it changes its answer to the job[^\n]*64 times")

    def begin(self):
        for i in range(2000):
            answer = identity.ACCEPT if i % 2 else identity.POSTPONE
            self.me.deliver(self.me.reply(self.me.job_digest, answer, b"" if i % 2 else b"not now"), 0)


class long_reason(Trick):
    """A reason that is too long, and one with escape sequences of a terminal."""
    EXPECT = Expect(r"python: it sent a frame that cannot be decoded: bad JobReply")

    def begin(self):
        self.me.deliver(self.me.reply(self.me.job_digest, identity.POSTPONE, b"y" * 500000), 0)
        self.me.deliver(self.me.reply(self.me.job_digest, identity.POSTPONE, b"\x1b[2J\x1b[31mred"), 0)
        self.me.deliver(self.me.reply(self.me.job_digest), 0)


class many_links(Trick):
    """Forty more connections under the same key, each with a Hello."""
    EXPECT = Expect(r"python: it opens connections again and again")

    def begin(self):
        self.links = [Link(self.me.context, self.me.keys, self.me.roster) for _ in range(40)]
        hello = Hello(wire.VERSION, self.me.run, self.me.roster.version, self.me.roster.hash).frame(self.me.id)
        for link in self.links:
            link.socket.send(hello, zmq.NOBLOCK)


# ---- the handshake

class other_protocol(Trick):
    """Frames and Hello of protocol 2, and of a run that is not there."""
    EXPECT = Expect(r"python[^\n]*protocol|protocol[^\n]*python")

    def begin(self):
        hello = Hello(2, bytes(32), self.me.roster.version, self.me.roster.hash).encode()
        for _ in range(3):
            self.me.link.send(wire.frame(Hello.TYPE, self.me.id, 0, hello, version=2))
        self.me.deliver(Hello(wire.VERSION, os.urandom(32), self.me.roster.version, self.me.roster.hash), 0)


class yesterdays_roster(Trick):
    """A Hello with an older roster: the coordinator says so and offers nothing."""
    EXPECT = Expect(r"python[^\n]*roster|roster[^\n]*python")

    def begin(self):
        for _ in range(3):
            self.me.deliver(Hello(wire.VERSION, self.me.run, self.me.roster.version - 1, bytes(32)), 0)


class silent_job(Trick):
    """Says Hello and never answers the job."""
    BEFORE_ROUNDS = True
    EXPECT = Expect(None)

    def send(self, message, number):
        if not self.sends(message, "JobReply"):
            self.me.deliver(message, number)


TRICKS = {name: value for name, value in list(globals().items()) if isinstance(value, type) and issubclass(value, Trick) and value is not Trick}
