"""Misbehaviours of the upload: its words, its bytes, and how they are handed over (secure-aggregation.md 2.6, protocol.md 8 and 9)."""

import os
import time

import encoding
from hostile import Expect, Trick
from member import RANGE
from round import MemberRound
from wire import BlobData, BlobRequest, UploadHeader

NAMED = r"python"
VALUE_RANGE = 1.0
# A masked upload that does not fit costs an attempt, and it shows in the sum alone: further attempts leave one of four members
# out after the other, until a sum is good. The one that all lost sums have in common is then suspended.
SPOILT = dict(named=r"python[^\n]*suspended|suspended[^\n]*python", lost=4)


# ---- words

class wrong_mask(Trick):
    """Random words in place of the masked ones, in every attempt."""
    EXPECT = Expect(**SPOILT)

    class ROUND(MemberRound):
        def make_upload(self, codes, metrics):
            words = [[int.from_bytes(os.urandom(8), "little") for _ in range(lane.length)] for lane in self.header.lanes]
            self.upload = encoding.pack_all(self.header.lanes, words)
            return self.upload_header()


class wrong_mask_once(wrong_mask):
    """The same in the first attempt alone. That names nobody, and another member may be left out of the next sum."""
    EXPECT = Expect(lost=1, everybody=False)


class Words(Trick):
    """Changes plain words before masks: `change` gets the words of the lane with the codec CODEC, and all words."""
    CODEC = encoding.COUNTERS

    class ROUND(MemberRound):
        def plain_words(self, codes, metrics):
            words = super().plain_words(codes, metrics)
            for lane, lane_words in zip(self.header.lanes, words):
                if lane.codec == self.me.trick.CODEC:
                    self.me.trick.change(lane_words)
            return words

    def change(self, words):
        raise NotImplementedError


class sentinel(Words):
    """A sentinel that is not zero."""
    EXPECT = Expect(**SPOILT)

    def change(self, words):
        words[-1] = 1


class count_two(Words):
    """Counts itself twice."""
    EXPECT = Expect(**SPOILT)

    def change(self, words):
        words[0] = 2


class heavy_weight(Words):
    """A weight of 1,000."""
    EXPECT = Expect(**SPOILT)

    def change(self, words):
        words[1] = 1000


class check_word_forged(Words):
    """A check word that is not the one of its chunk."""
    CODEC = encoding.CHECK
    EXPECT = Expect(**SPOILT)

    def change(self, words):
        words[0] ^= 1


class huge_counters(Words):
    """2^60 in each metric: the figures are void, the update counts."""
    EXPECT = Expect(in_sum=True, void=True)

    def change(self, words):
        words[2:-4] = [2**60] * (len(words) - 6)


class negative_metrics(Words):
    """Metrics below zero, as 64-bit words."""
    EXPECT = Expect(in_sum=True, void=True)

    def change(self, words):
        words[2:-4] = [2**64 - 1000] * (len(words) - 6)


class faked_metrics(Trick):
    """A million examples, all of them right."""
    EXPECT = Expect(in_sum=True, void=True)

    def metrics(self, figures):
        right = [10**6, 0, 0] + [0, 0, 0] * ((len(figures) - 3) // 3 - 1)
        return ([10**6, 10**6, 0] + right)[:len(figures)]


class spoils_evaluation(Trick):
    """2^40 examples, none right."""
    EXPECT = Expect(in_sum=True, void=True)

    def metrics(self, figures):
        return ([2**40, 0, 2**45] + [0] * len(figures))[:len(figures)]


class beyond_range(Trick):
    """Codes as large as lane 0 takes them: the mean moves by at most the range of a value in each round."""
    EXPECT = Expect(in_sum=True, shift=VALUE_RANGE + 0.01)

    def codes(self, codes):
        return [147458 - 1] * len(codes)  # 4.5 times the largest code of q = 16


class wrapping(Trick):
    """Codes of q bits below zero: the sum wraps around, and decodes somewhere in the range."""
    EXPECT = Expect(in_sum=True, shift=VALUE_RANGE + 0.01)

    def codes(self, codes):
        return [-32768] * len(codes)


# ---- handing over

class silent_blob(Trick):
    """M5, and no bytes."""
    EXPECT = Expect(r"python[^\n]*silent|silent[^\n]*python", in_sum=False)

    def blob_answer(self, request):
        return None


class wrong_blob(Trick):
    """Other bytes than hash_y names."""
    EXPECT = Expect(r"python[^\n]*does not have the hash", in_sum=False)

    def blob_answer(self, request):
        answer = self.me.honest_blob_answer(request)
        return BlobData(answer.blob, answer.total, answer.offset, bytes(len(answer.data)))


class short_blob(Trick):
    """A shorter range than was asked for."""
    EXPECT = Expect(r"python[^\n]*never asked for", in_sum=False)

    def blob_answer(self, request):
        answer = self.me.honest_blob_answer(request)
        return BlobData(answer.blob, answer.total, answer.offset, answer.data[:10])


class huge_total(Trick):
    """A total of 2^36 bytes."""
    EXPECT = Expect(r"python[^\n]*68719476736 bytes instead", in_sum=False)

    def blob_answer(self, request):
        answer = self.me.honest_blob_answer(request)
        return BlobData(answer.blob, 2**36, answer.offset, answer.data)


class huge_offset(Trick):
    """A range at 2^35."""
    EXPECT = Expect(r"python[^\n]*68719476736 bytes instead", in_sum=False)

    def blob_answer(self, request):
        answer = self.me.honest_blob_answer(request)
        return BlobData(answer.blob, 2**36, 2**35, answer.data)


class drip(Trick):
    """One byte, three times a second, in place of a range."""
    EXPECT = Expect(r"python[^\n]*never asked for", in_sum=False)
    pending, last = None, 0.0

    def blob_answer(self, request):
        self.pending, self.at = request, 0

    def tick(self):
        if self.pending is None or time.monotonic() - self.last < 0.3 or self.me.round is None or self.me.round.upload is None:
            return
        self.last = time.monotonic()
        data = self.me.round.upload
        self.me.deliver(BlobData(self.pending.blob, len(data), self.at, data[self.at:self.at + 1]), self.me.round_number)
        self.at = min(self.at + 1, len(data) - 1)


class unasked_blobs(Trick):
    """Ranges that nobody asked for."""
    EXPECT = Expect(r"python[^\n]*never asked for")

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "UploadHeader"):
            for i in range(20):
                self.me.deliver(BlobData(message.hash_y, len(self.me.round.upload), i * RANGE % 7, b"x"), number)


class two_uploads(Trick):
    """A second M5 for other bytes."""
    EXPECT = Expect(r"python[^\n]*convicted")

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "UploadHeader"):
            round_, digest = self.me.round, bytes(32)
            signature = round_.sign("SA1 sig upload", round_.id.to_bytes(4, "little"), round_.d_u2, digest)
            self.me.deliver(UploadHeader(round_.id, round_.d_u2, digest, signature), number)


class early_upload(Trick):
    """M5 right behind M1, before there is a U2."""
    EXPECT = Expect(r"python[^\n]*before U2 was fixed", in_sum=True)

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "Advertise"):
            round_ = self.me.round
            signature = round_.sign("SA1 sig upload", round_.id.to_bytes(4, "little"), bytes(32), bytes(32))
            self.me.deliver(UploadHeader(round_.id, bytes(32), bytes(32), signature), number)


class second_life(Trick):
    """Connects anew after its M5 and has forgotten the round."""
    EXPECT = Expect(r"python: silent", in_sum=False)

    def send(self, message, number):
        self.me.deliver(message, number)
        if self.sends(message, "UploadHeader"):
            self.me.reconnect()
            self.me.last_round = number
            self.me.forget()


class blob_requests(Trick):
    """A thousand requests at once for the round's model."""
    EXPECT = Expect(None)

    def begin(self):
        name = self.me.round.header.model_hash
        for i in range(1000):
            self.me.deliver(BlobRequest(name, i % 8, 100), self.me.round_number)


TRICKS = {name: value for name, value in list(globals().items())
          if isinstance(value, type) and issubclass(value, Trick) and value not in (Trick, Words)}
