"""What a member uploads: lanes, codes, check words, masks, packing and hashes (docs/protocol.md section 9, secure-aggregation.md 2.6)."""

import array
import math

from crypto import H, KDF, lane_key, self_key, stream, u32, u64

UPDATE, COUNTERS, CHECK = 1, 2, 3  # codecs of a lane; the lane number in keys is one less
CHUNK_WORDS = 262144
PIECE = 8192
MAX_EXAMPLES_LOSS = 32


class LaneShape:
    def __init__(self, codec, bits, length):
        self.word_bits = next(width for width in (16, 32, 64) if width >= bits)
        self.bits, self.codec, self.length, self.chunk_words = bits, codec, length, CHUNK_WORDS


def expected_lanes(metrics, values, n, quantization_bits, with_counters=True):
    """The lanes that a header must have; values = 0 is the closing evaluation."""
    counters = LaneShape(COUNTERS, 64, 6 + (metrics if with_counters else 0))
    if values == 0:
        return [counters]
    bits = (n * (2**quantization_bits - 1)).bit_length()
    return [LaneShape(UPDATE, bits, values), counters, LaneShape(CHECK, bits, -(-values // CHUNK_WORDS))]


def same_lanes(lanes, expected):
    fields = ("word_bits", "bits", "codec", "length", "chunk_words")
    return len(lanes) == len(expected) and all(getattr(lane, field) == getattr(other, field)
                                               for lane, other in zip(lanes, expected) for field in fields)


def metrics_of(job):
    """How many metrics a task counts."""
    task = job["task"]
    return 3 if task["type"] == "causal_language_modeling" else 3 + 3 * len(task["labels"])


# ---- words of each lane

def clip(update, max_norm):
    """The update as a whole, brought below the bound on its norm."""
    norm = math.sqrt(math.fsum(value * value for value in update))
    if norm <= max_norm:
        return list(update)
    factor = max_norm / norm * (1 - 1e-12)
    return [value * factor for value in update]


def encode_update(update, value_range, quantization_bits, uniform):
    """Codes of an update that is clipped already; `uniform` gives fresh numbers in [0, 1)."""
    largest = 2**(quantization_bits - 1) - 1
    codes = []
    for value in update:
        scaled = min(max(value * largest / value_range, -largest), largest) + largest + 1
        lower = math.floor(scaled)
        codes.append(lower + (1 if uniform() < scaled - lower else 0))
    return codes


def counter_words(lane, metrics):
    """Count, weight, metrics (none in an attempt without counters), four sentinels."""
    room = lane.length - 6
    return [1, 1] + list(metrics[:room]) + [0] * (room - len(metrics[:room])) + [0] * 4


def check_words(h, lane, codes):
    """One word a chunk of lane 0: a public linear combination of its codes before masking."""
    words = []
    for chunk in range(-(-len(codes) // lane.chunk_words)):
        part = codes[chunk * lane.chunk_words:(chunk + 1) * lane.chunk_words]
        rho = stream_words(KDF("SA1 chk", h, u64(chunk)), 0, lane.word_bits, len(part))
        words.append(sum((coefficient | 1) * code for coefficient, code in zip(rho, part)) % (1 << lane.bits))
    return words


def plain_words(h, lanes, codes, metrics):
    """All lanes before masks, in the order of the header."""
    made = {UPDATE: lambda lane: list(codes), COUNTERS: lambda lane: counter_words(lane, metrics),
            CHECK: lambda lane: check_words(h, next(other for other in lanes if other.codec == UPDATE), codes)}
    return [made[lane.codec](lane) for lane in lanes]


# ---- masks

def stream_words(key, lane_number, word_bits, count):
    words = array.array({16: "H", 32: "I", 64: "Q"}[word_bits])
    words.frombytes(stream(key, lane_number, 0, count * word_bits // 8))
    return words


def mask_words(lane, words, keys_and_signs):
    """words plus (sign 1) or minus (-1) the stream of each key, modulo 2^word_bits."""
    modulus = (1 << lane.word_bits) - 1
    sums = list(words)
    for key, sign in keys_and_signs:
        mask = stream_words(key, lane.codec - 1, lane.word_bits, lane.length)
        sums = [word + element for word, element in zip(sums, mask)] if sign > 0 else \
               [word - element for word, element in zip(sums, mask)]
    return [word & modulus for word in sums]


def masks_of_lane(lane, h, member_id, b, pairs):
    """The keys of one lane: the own mask is added, a pair's with the sign of the pair. pairs: (seed, sign)."""
    number = lane.codec - 1
    return [(self_key(b, h, member_id, number), 1)] + [(lane_key(seed, number), sign) for seed, sign in pairs]


# ---- packing

def pack(lane, words):
    """The low `bits` of each word, least significant bit first; every chunk begins with a new byte."""
    bits, low = lane.bits, (1 << lane.bits) - 1
    packed = bytearray()
    for start in range(0, len(words), lane.chunk_words):
        chunk = words[start:start + lane.chunk_words]
        for at in range(0, len(chunk), 8):  # eight words fill whole bytes
            group = chunk[at:at + 8]
            value = 0
            for place, word in enumerate(group):
                value |= (word & low) << (place * bits)
            packed += value.to_bytes((len(group) * bits + 7) // 8, "little")
    return bytes(packed)


def pack_all(lanes, words):
    return b"".join(pack(lane, lane_words) for lane, lane_words in zip(lanes, words))


def packed_size(lanes):
    size = 0
    for lane in lanes:
        whole, rest = divmod(lane.length, lane.chunk_words)
        size += whole * ((lane.chunk_words * lane.bits + 7) // 8) + (rest * lane.bits + 7) // 8
    return size


def hash_y(h, member_id, packed):
    pieces = [H("SA1 ypc", h, u32(member_id), u64(at // PIECE), packed[at:at + PIECE]) for at in range(0, len(packed), PIECE)]
    return H("SA1 y", h, u32(member_id), *pieces)


def aggregate_hash(h, packed):
    pieces = [H("SA1 spc", h, u64(at // PIECE), packed[at:at + PIECE]) for at in range(0, len(packed), PIECE)]
    return H("SOTTO aggregate", h, *pieces)
