"""Frames and messages, as the tables of common/wire/README.md have them.

A message is a Record: a class with a type number and a list of fields, each with its codec. `encode` gives the body, `frame`
a whole frame; `decode_frame` reads one and refuses what is shorter or longer than its fields.
"""

import struct

VERSION = 3


class Malformed(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Malformed("shorter than its fields")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")


class Int:
    def __init__(self, size):
        self.size = size

    def write(self, value):
        return value.to_bytes(self.size, "little")

    def read(self, reader):
        return reader.number(self.size)


class Raw:
    def __init__(self, size):
        self.size = size

    def write(self, value):
        assert len(value) == self.size
        return bytes(value)

    def read(self, reader):
        return reader.take(self.size)


class Sized:
    """Bytes behind their length: a bitmap (u16) or a text (u32)."""

    def __init__(self, width):
        self.width = width

    def write(self, value):
        return len(value).to_bytes(self.width, "little") + bytes(value)

    def read(self, reader):
        return reader.take(reader.number(self.width))


class List:
    def __init__(self, of, count_size=4):
        self.of, self.count_size = of, count_size

    def write(self, values):
        return len(values).to_bytes(self.count_size, "little") + b"".join(self.of.write(value) for value in values)

    def read(self, reader):
        return [self.of.read(reader) for _ in range(reader.number(self.count_size))]


class Of:
    """A record inside another."""

    def __init__(self, kind):
        self.kind = kind

    def write(self, value):
        return value.encode()

    def read(self, reader):
        return self.kind.read(reader)


class Optional:
    """u8 1 and the record, or u8 0."""

    def __init__(self, kind):
        self.kind = kind

    def write(self, value):
        return b"\0" if value is None else b"\1" + value.encode()

    def read(self, reader):
        return self.kind.read(reader) if reader.number(1) else None


class Times:
    """`count` numbers of `size` bytes without a count before them."""

    def __init__(self, count, size):
        self.count, self.size = count, size

    def write(self, values):
        return b"".join(value.to_bytes(self.size, "little") for value in values)

    def read(self, reader):
        return [reader.number(self.size) for _ in range(self.count)]


U8, U16, U32, U64 = Int(1), Int(2), Int(4), Int(8)
B32, B64 = Raw(32), Raw(64)
BITMAP, TEXT = Sized(2), Sized(4)


class Record:
    TYPE = None
    KIND = None
    FIELDS = ()

    def __init__(self, *values, **named):
        for (name, _), value in zip(self.FIELDS, values):
            setattr(self, name, value)
        for name, value in named.items():
            setattr(self, name, value)

    def encode(self):
        kind = b"" if self.KIND is None else bytes([self.KIND])
        return kind + b"".join(codec.write(getattr(self, name)) for name, codec in self.FIELDS)

    @classmethod
    def read(cls, reader):
        return cls(*[codec.read(reader) for _, codec in cls.FIELDS])

    def frame(self, sender, round_number=0):
        return frame(self.TYPE, sender, round_number, self.encode())


class Lane(Record):
    FIELDS = (("word_bits", U8), ("bits", U8), ("codec", U8), ("zero", U8), ("length", U64), ("chunk_words", U32), ("zeros", U32))


class Header(Record):
    """The round header; h is the hash of exactly these bytes."""

    FIELDS = (("magic", Raw(8)), ("run", B32), ("round", U64), ("roster_hash", B32), ("cohort_hash", B32), ("n", U32), ("C", U32),
              ("k", U32), ("t", U32), ("q", U32), ("Q", U32), ("s_min", U32), ("witnesses", U32), ("graph", U8),
              ("model_hash", B32), ("config_hash", B32), ("prg_id", U8), ("lanes", List(Of(Lane), 1)))


class Escrow(Record):
    FIELDS = (("commitment", B32), ("sealed", Raw(48)))


class ShareEntry(Record):
    FIELDS = (("to", U32), ("nonce", Raw(24)), ("ciphertext", Raw(80)), ("cb", B32), ("cr", B32), ("escrow", Optional(Escrow)),
              ("signature", B64))


class ForwardedEntry(Record):
    FIELDS = (("sender", U32), ("entry", Of(ShareEntry)))


class SignedId(Record):
    FIELDS = (("id", U32), ("signature", B64))


class RevealedShare(Record):
    FIELDS = (("dealer", U32), ("kind", U8), ("share", B32))


class OpenedShare(Record):
    FIELDS = (("member", U32), ("b", B32), ("r", B32))


class Offer(Record):
    TYPE = 0
    FIELDS = (("header", Of(Header)), ("deadline_ms", Times(6, 8)), ("cohort", BITMAP), ("signature", B64))


class Advertise(Record):
    TYPE = 1
    FIELDS = (("id", U32), ("pk_enc", B32), ("pk_mask", B32), ("cm_b", B32), ("signature", B64))


class KeyList(Record):
    TYPE = 2
    FIELDS = (("u1", BITMAP), ("signature", B64), ("adverts", List(Of(Advertise))))


class Shares(Record):
    TYPE = 3
    FIELDS = (("id", U32), ("entries", List(Of(ShareEntry))))


class ShareForward(Record):
    TYPE = 4
    FIELDS = (("v", BITMAP), ("signature", B64), ("entries", List(Of(ForwardedEntry))))


class UploadHeader(Record):
    TYPE = 5
    FIELDS = (("id", U32), ("d_u2", B32), ("hash_y", B32), ("signature", B64))


class Survivors(Record):
    TYPE, KIND = 6, 0
    FIELDS = (("d_u2", B32), ("s", BITMAP), ("signature", B64))


class BurnRequest(Record):
    TYPE, KIND = 6, 1
    FIELDS = (("header", Of(Header)), ("signature", B64))


class Endorse(Record):
    TYPE, KIND = 7, 0
    FIELDS = (("id", U32), ("signature", B64))


class BurnVote(Record):
    TYPE, KIND = 7, 1
    FIELDS = (("id", U32), ("signature", B64))


class UnmaskRequest(Record):
    TYPE, KIND = 8, 0
    FIELDS = (("endorsements", List(Of(SignedId))), ("d_u2", B32), ("d_s", B32), ("uploads", List(Of(UploadHeader))))


class BurnCertificate(Record):
    TYPE, KIND = 8, 1
    FIELDS = (("votes", List(Of(SignedId))),)


class UnmaskResponse(Record):
    TYPE = 9
    FIELDS = (("id", U32), ("d_u2", B32), ("d_s", B32), ("shares", List(Of(RevealedShare))), ("signature", B64))


class RoundResult(Record):
    TYPE = 10
    FIELDS = (("status", U8), ("d_s", B32), ("aggregate_hash", B32), ("model_hash", B32), ("signature", B64))


class ShareCheck(Record):
    TYPE = 11
    FIELDS = (("id", U32), ("d_v", B32), ("bad", BITMAP), ("other_psk", BITMAP), ("signature", B64))


class Fix(Record):
    TYPE = 12
    FIELDS = (("u2", BITMAP), ("signature", B64), ("opened", List(Of(OpenedShare))))


class Complaints(Record):
    TYPE = 13
    FIELDS = (("checks", List(Of(ShareCheck))),)


class Opening(Record):
    TYPE = 14
    FIELDS = (("id", U32), ("d_v", B32), ("opened", List(Of(OpenedShare))), ("signature", B64))


class Hello(Record):
    TYPE = 32
    FIELDS = (("protocol", U32), ("run", B32), ("roster_version", U32), ("roster_hash", B32))


class JobOffer(Record):
    TYPE = 33
    FIELDS = (("run", B32), ("job", TEXT), ("signature", B64))


class JobReply(Record):
    TYPE = 34
    FIELDS = (("run", B32), ("job_hash", B32), ("id", U32), ("answer", U8), ("training_examples", U64),
              ("evaluation_examples", U64), ("least_sum", U32), ("reason", TEXT), ("signature", B64))


class LeaveRound(Record):
    TYPE = 35
    FIELDS = (("reason", TEXT),)


class BlobRequest(Record):
    TYPE = 36
    FIELDS = (("blob", B32), ("offset", U64), ("length", U32))


class BlobData(Record):
    TYPE = 37
    FIELDS = (("blob", B32), ("total", U64), ("offset", U64), ("data", TEXT))


class RunFinished(Record):
    TYPE = 38
    FIELDS = (("run", B32), ("completed", U8), ("model_hash", B32), ("reason", TEXT), ("signature", B64))


class GenesisEntry(Record):
    FIELDS = (("id", U32), ("commitment", B32), ("signature", B64))


class GenesisCall(Record):
    TYPE = 48
    FIELDS = (("run", B32), ("attempt", B32))


class GenesisCommit(Record):
    TYPE = 49
    FIELDS = (("run", B32), ("attempt", B32), ("entry", Of(GenesisEntry)))


class GenesisList(Record):
    TYPE = 50
    FIELDS = (("run", B32), ("entries", List(Of(GenesisEntry))), ("signature", B64))


class GenesisReveal(Record):
    TYPE = 51
    FIELDS = (("run", B32), ("id", U32), ("digest", B32), ("r", B32), ("signature", B64))


class GenesisProof(Record):
    TYPE = 52
    FIELDS = (("run", B32), ("entries", List(Of(GenesisEntry))), ("reveals", List(Of(GenesisReveal))))


MESSAGES = {(kind.TYPE, kind.KIND): kind for kind in Record.__subclasses__() if kind.TYPE is not None}
_PREAMBLE = struct.Struct("<HHIQQ")


def frame(kind, sender, round_number, body, version=VERSION):
    return _PREAMBLE.pack(version, kind, sender, round_number, len(body)) + body


def decode_frame(data):
    """(sender, round, message) of a frame."""
    if len(data) < _PREAMBLE.size:
        raise Malformed("shorter than a frame's header")
    version, kind, sender, round_number, length = _PREAMBLE.unpack_from(data)
    body = data[_PREAMBLE.size:]
    if version != VERSION or length != len(body):
        raise Malformed("another version, or a length that does not fit")
    subkind = body[0] if kind in (6, 7, 8) and body else None
    if (kind, subkind) not in MESSAGES:
        raise Malformed("no such type")
    reader = Reader(body[0 if subkind is None else 1:])
    message = MESSAGES[kind, subkind].read(reader)
    if reader.at != len(reader.data):
        raise Malformed("longer than its fields")
    return sender, round_number, message


def bitmap(members, n):
    """The bits of a set of places out of n."""
    return sum(1 << place for place in members).to_bytes((n + 7) // 8, "little")


def places(bits):
    value = int.from_bytes(bits, "little")
    return [place for place in range(len(bits) * 8) if value >> place & 1]
