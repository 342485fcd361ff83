#!/usr/bin/env python3
"""Writes protocol.json beside itself: what docs/protocol.md says around a round, from the documents and without the C++ code.

Usage: make_protocol_vectors.py [--check]
  --check   writes nothing; exit 1 when the committed file is not what this script makes
"""
import json
import math
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "secagg"))

import primitives  # noqa: E402
import secagg1 as sa  # noqa: E402
from make_secagg_vectors import header_fields, hexed, lane_fields, named  # noqa: E402
from primitives import blake2b, number  # noqa: E402
from secagg1 import u8, u16, u32, u64  # noqa: E402

TYPES = {"Hello": 32, "JobOffer": 33, "JobReply": 34, "LeaveRound": 35, "BlobRequest": 36, "BlobData": 37, "RunFinished": 38}
PROTOCOL = sa.FRAME_VERSION
CHUNK_WORDS = 2**18
UPDATE, COUNTERS, CHECK = 1, 2, 3
COORDINATOR = named("coordinator")
COORDINATOR_TRANSPORT = primitives.x25519_public(named("coordinator transport key"))
AURORA, MEMBER = named("aurora"), 2
RUN = named("run")
JOB = '{"name":"intents","rounds":{"num_server_rounds":3},"task":{"labels":["yes","no"],"type":"sequence_classification"}}'


def text32(text):
    return u32(len(text.encode())) + text.encode()


def label16(label):
    return label.encode().ljust(16, b"\0")


def pretty(content):
    """A file as the programs write it."""
    return json.dumps(hexed(content), indent=2) + "\n"


def frame(kind, sender, body, round_number=0):
    return u16(PROTOCOL) + u16(TYPES[kind]) + u32(sender) + u64(round_number) + u64(len(body)) + body


def signed(seed, label, fields):
    """What a signature is over, and it."""
    return label16(label) + fields, sa.sign(seed, label, fields)


# ---- 2, 3: files


def keys_of(seed):
    return {"signing_key": primitives.ed25519_public(seed), "transport_key": primitives.x25519_public(named("transport " + seed.hex()))}


def card_fields(name, keys):
    return text32(name) + keys["signing_key"] + keys["transport_key"]


def card_vectors():
    old, new = AURORA, named("aurora, second keys")
    first, second = keys_of(old), keys_of(new)
    over, signature = signed(old, "SOTTO card", card_fields("aurora", first))
    again, own = signed(new, "SOTTO card", card_fields("aurora", second))
    succession, word = signed(old, "SOTTO successor", first["signing_key"] + first["transport_key"] + again)
    revoked, statement = signed(old, "SOTTO revocation", card_fields("aurora", first))
    card = {"name": "aurora", **first, "signature": signature}
    successor = {"name": "aurora", **second, "signature": own, "replaces": {**first, "signature": word}}
    return {"seed": old, "signed": over, "file": pretty(card),
            "successor": {"seed": new, "signed": again, "signed_by_replaced": succession, "file": pretty(successor)},
            "revocation": {"signed": revoked, "file": pretty({"name": "aurora", **first, "signature": statement})}}


def roster():
    names = {MEMBER: AURORA, 3: named("borealis"), 5: named("cascade"), 6: named("delta")}
    members = [sa.Member(i, 0, keys_of(seed)["signing_key"], keys_of(seed)["transport_key"], name)
               for (i, seed), name in zip(names.items(), ("aurora", "borealis", "cascade", "delta"))]
    return sa.Roster(7, 1893456000, primitives.ed25519_public(COORDINATOR), COORDINATOR_TRANSPORT, members)


def federation_vector():
    r = roster()
    name, endpoint = "clinics", "tcp://coordinator.example:7100"
    over, signature = signed(COORDINATOR, "SOTTO federation", text32(name) + text32(endpoint) + r.hash())
    content = {"name": name, "endpoint": endpoint, "listen": "tcp://0.0.0.0:7100", "last_member_id": 6,
               "revoked_keys": [primitives.ed25519_public(named("somebody who left"))],
               "roster": {"version": r.version, "expiry_unix_s": r.expiry, "coordinator_signing_key": r.signing_key,
                          "coordinator_transport_key": r.transport_key,
                          "members": [{"id": m.id, "role": m.role, "name": m.name, "signing_key": m.signing_key,
                                       "transport_key": m.transport_key} for m in r.members]},
               "signature": signature}
    return {"coordinator_seed": COORDINATOR, "roster_hashed": r.canonical(), "roster_hash": r.hash(), "signed": over,
            "file": pretty(content)}


# ---- 5: hello and the job


def hello_vectors():
    pinned = u32(roster().version) + roster().hash()
    return {"without_run": frame("Hello", MEMBER, u32(PROTOCOL) + bytes(32) + pinned),
            "with_run": frame("Hello", MEMBER, u32(PROTOCOL) + RUN + pinned)}


def offer_vector():
    digest = blake2b("SOTTO job", JOB.encode())
    over, signature = signed(COORDINATOR, "SOTTO sig job", RUN + digest)
    return {"run": RUN, "job": JOB, "job_hash": digest, "signed": over,
            "frame": frame("JobOffer", 0, RUN + text32(JOB) + signature)}


def reply_vector(answer, training, evaluation, least_sum, reason):
    fields = (RUN + blake2b("SOTTO job", JOB.encode()) + u32(MEMBER) + u8(answer) + u64(training) + u64(evaluation)
              + u32(least_sum))
    over, signature = signed(AURORA, "SOTTO sig reply", fields + reason.encode())
    return {"answer": answer, "training_examples": training, "evaluation_examples": evaluation, "least_sum": least_sum,
            "reason": reason, "signed": over, "frame": frame("JobReply", MEMBER, fields + text32(reason) + signature)}


def finished_vector(completed, reason):
    fields = RUN + u8(completed) + named("last model")
    over, signature = signed(COORDINATOR, "SOTTO sig finish", fields + reason.encode())
    return {"completed": completed, "model_hash": named("last model"), "reason": reason, "signed": over,
            "frame": frame("RunFinished", 0, fields + text32(reason) + signature)}


# ---- 8: the model's blob


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


TENSORS = [("embedding.weight", [3, 2]), ("scale", []), ("classifier.bias", [2]), ("empty", [0, 4])]
VALUES = [float32(v) for v in (0.5, -0.25, 0.1, -1e-3, 3.0, 1.5e-5, 1.0, -0.0, 1e5)]


def model_blob():
    out = u32(len(TENSORS))
    for name, shape in TENSORS:
        out += u16(len(name.encode())) + name.encode() + u8(len(shape)) + b"".join(u64(d) for d in shape)
    return out + u64(len(VALUES)) + b"".join(struct.pack("<f", v) for v in VALUES)


def model_vector():
    blob, round_number = model_blob(), 2 * 65536 + 1
    name = blake2b("SOTTO model", blob)
    ask = [(0, 64), (64, 262144)]  # the second one ends with the blob
    return {"tensors": [{"name": n, "shape": s} for n, s in TENSORS], "values": VALUES, "blob": blob, "hash": name,
            "ranges": [{"request": frame("BlobRequest", MEMBER, name + u64(offset) + u32(length), round_number),
                        "answer": frame("BlobData", 0, name + u64(len(blob)) + u64(offset) + u32(len(part)) + part, round_number)}
                       for offset, length in ask for part in [blob[offset:offset + length]]],
            "absent": frame("BlobData", MEMBER, named("another blob") + u64(0) + u64(0) + u32(0), round_number)}


# ---- 9: lanes


def metrics_of(task, labels):
    return 3 if task == "causal_language_modeling" else 3 + 3 * labels


def lanes_of(values, n, q, metrics):
    """values 0: the closing evaluation."""
    counters = sa.Lane(64, 64, COUNTERS, 2 + metrics + 4, CHUNK_WORDS)
    if values == 0:
        return [counters]
    bits = (n * (2**q - 1)).bit_length()
    word = min(w for w in (16, 32, 64) if w >= bits)
    return [sa.Lane(word, bits, UPDATE, values, CHUNK_WORDS), counters,
            sa.Lane(word, bits, CHECK, -(-values // CHUNK_WORDS), CHUNK_WORDS)]


def lane_vectors():
    cases = [("sequence_classification", 7, 43687, 4, 16), ("sequence_classification", 2, 262144, 5, 8),
             ("sequence_classification", 2, 262145, 16, 20), ("token_classification", 4, 1000000, 100, 16),
             ("causal_language_modeling", 0, 64, 10000, 24), ("causal_language_modeling", 0, 0, 4, 16)]
    return [{"task": task, "labels": labels, "values": values, "n": n, "quantization_bits": q,
             "lanes": [lane_fields(lane) for lane in lanes_of(values, n, q, metrics_of(task, labels))],
             "without_counters": [lane_fields(lane) for lane in lanes_of(values, n, q, 0)]}
            for task, labels, values, n, q in cases]


def codes_of(update, seed, q, value_range):
    """A code is rounded up when u, this value's u32 of the stream under the seed over 2^32, is below the fraction: how
    Sotto draws it. Any uniform numbers would do."""
    limit = 2**(q - 1) - 1
    stream = sa.keystream(seed, 0, 0, 4 * len(update))
    coins = [number(stream[i:i + 4]) / 2**32 for i in range(0, len(stream), 4)]
    exact = [max(-limit, min(limit, x * (limit / value_range))) + (limit + 1) for x in update]
    return [math.floor(y) + (1 if u < y - math.floor(y) else 0) for y, u in zip(exact, coins)]


def upload_vector():
    q, value_range, n, ids = 16, 0.5, 4, [2, 3, 5, 6]
    update = [float32(v) for v in (0.0, 0.25, -0.25, 0.4999, -0.5, 0.75, -30.0, 1e-5, 0.1)]
    metrics = [40, 33, 27512, 15, 4, 3, 18, 3, 4]  # of 40 examples with labels yes and no
    lanes = lanes_of(len(update), n, q, len(metrics))
    Q, t, s_min = sa.thresholds(n, 1)
    head = sa.Header(RUN, 2 * 65536 + 1, roster().hash(), sa.cohort_hash(ids), n, 1, n - 1, t, 0, Q, s_min, n, 0,
                     blake2b("SOTTO model", model_blob()), blake2b("SOTTO job", JOB.encode()), 1, lanes)
    seed = named("rounding")
    words = [codes_of(update, seed, q, value_range), [1, 1, *metrics, 0, 0, 0, 0]]
    words.append(sa.check_words(head.hash(), lanes[0], words[0]))
    return {"server_round": 2, "attempt": 1, "cohort": ids, "quantization_bits": q, "value_range": value_range,
            "labels": ["yes", "no"], "header": header_fields(head), "update": update,
            "rounding_seed": seed, "metrics": metrics, "words": [[f"{w:x}" for w in lane] for lane in words],
            "packed_unmasked": sa.packed_bytes(sa.upload_chunks(lanes, words))}


def main():
    primitives.self_check()
    content = {"card": card_vectors(), "federation": federation_vector(), "hello": hello_vectors(), "job_offer": offer_vector(),
               "job_replies": [reply_vector(1, 3500, 200, 3, ""), reply_vector(2, 3500, 0, 3, "not during the day"),
                               reply_vector(0, 0, 0, 4, "größer als erlaubt")],
               "run_finished": [finished_vector(1, ""), finished_vector(0, "stopped by the operator")],
               "model": model_vector(), "lanes": lane_vectors(), "upload": upload_vector()}
    text = json.dumps(hexed(content), indent=1, ensure_ascii=False) + "\n"
    file = HERE / "protocol.json"
    if "--check" not in sys.argv[1:]:
        file.write_text(text)
    elif file.read_text() != text:
        sys.exit("not what this script makes: protocol.json")


if __name__ == "__main__":
    main()
