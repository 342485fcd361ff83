#!/usr/bin/env python3
"""Compares this member with the vectors of tests/vectors: every message of whole rounds, byte for byte."""

import json
import pathlib
import struct
import unittest

import crypto
import encoding
import identity
import model
import wire
from round import MemberRound, Randomness, cohort_hash, header_hash, thresholds

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
SECAGG = json.loads((VECTORS / "secagg/secagg1.json").read_text())
TRANSCRIPTS = json.loads((VECTORS / "secagg/transcripts.json").read_text())
PROTOCOL = json.loads((VECTORS / "protocol/protocol.json").read_text())


class KnownRandomness(Randomness):
    """The values that a round of transcripts.json names."""

    def __init__(self, member):
        self.member = member
        self.scalars = iter([member["b"], member["r"]])
        self.nonces = {item["to"]: bytes.fromhex(item["nonce"]) for item in member["nonces"]}

    def sealing_secret(self):
        return bytes.fromhex(self.member["ske"])

    def scalar(self):
        return int.from_bytes(bytes.fromhex(next(self.scalars)), "little")

    def coefficients(self, which, count):
        return [int.from_bytes(bytes.fromhex(value), "little") for value in self.member[f"coefficients_{which}"]]

    def nonce(self, holder):
        return self.nonces[holder]


class KnownRound:
    """One round of transcripts.json: the coordinator's frames are handed to members that have the named randomness."""

    def __init__(self, case, roster):
        self.case = case
        self.frames = {(item["message"], item["from"]): item["frame"] for item in case["messages"] if item["from"] and not item.get("lie")}
        header = wire.Header.read(wire.Reader(bytes.fromhex(TRANSCRIPTS["header"]["bytes"])))
        self.members = {}
        for member in case["members"]:
            preshared = {item["with"]: bytes.fromhex(item["key"]) for item in member["keys"]}
            self.members[member["id"]] = KnownMember(member["id"], crypto.Signer(bytes.fromhex(member["identity"])), roster, header,
                                                     TRANSCRIPTS["cohort"], KnownRandomness(member), preshared)
            self.members[member["id"]].words = [[int(word, 16) for word in lane] for lane in member["words"]]

    def answer(self, member, message):
        handlers = {wire.Offer: lambda _: member.on_offer(), wire.KeyList: member.on_key_list,
                    wire.ShareForward: member.on_share_forward, wire.Complaints: member.on_complaints, wire.Fix: member.on_fix_and_upload,
                    wire.Survivors: member.on_survivors, wire.UnmaskRequest: member.on_unmask_request}
        return handlers[type(message)](message)

    def adopt(self, item):
        """Who complained falsely goes on as if the share had been bad."""
        member = self.members[item["from"]]
        member.bad = set(member.ids(wire.decode_frame(bytes.fromhex(item["frame"]))[2].bad))

    def play(self):
        """(name, sender, what this member makes, what the file says) of each message that a member sent."""
        for item in self.case["messages"]:
            if item.get("lie") and item["message"] == "ShareCheck":
                self.adopt(item)
            if item["from"] or item["message"] == "RoundResult":
                continue
            _, number, message = wire.decode_frame(bytes.fromhex(item["frame"]))
            for to in item["to"]:
                answer = self.answer(self.members[to], message)
                expected = self.frames.get((type(answer).__name__, to))
                if expected is not None:
                    yield type(answer).__name__, to, answer.frame(to, number).hex(), expected


class KnownMember(MemberRound):
    def plain_words(self, codes, metrics):
        return self.words

    def on_fix_and_upload(self, message):
        self.on_fix(message)
        return self.make_upload(None, None)


class VectorRoster:
    """The roster of the vectors; its members sign with keys that the file names."""

    def __init__(self, fields):
        self.coordinator_key = bytes.fromhex(fields["signing_key"])
        self.keys = {member["id"]: bytes.fromhex(member["signing_key"]) for member in fields["members"]}


class Rounds(unittest.TestCase):
    def test_every_message_of_whole_rounds(self):
        roster = VectorRoster(SECAGG["roster"])
        for case in TRANSCRIPTS["rounds"]:
            played = KnownRound(case, roster)
            made = list(played.play())
            self.assertEqual(len(made), len(played.frames), case["name"])
            for name, sender, ours, theirs in made:
                self.assertEqual(ours, theirs, f"{name} of member {sender} in round {case['name']}")
            for member in case["members"]:
                if member["y"]:
                    self.assertEqual(played.members[member["id"]].upload.hex(), member["y"])

    def test_what_the_coordinator_signs(self):
        roster = VectorRoster(SECAGG["roster"])
        signer = crypto.Signer(bytes.fromhex(TRANSCRIPTS["coordinator"]))
        self.assertEqual(signer.public, roster.coordinator_key)
        for case in TRANSCRIPTS["rounds"]:
            h = bytes.fromhex(TRANSCRIPTS["header"]["hash"])
            for item in case["messages"]:
                _, _, message = wire.decode_frame(bytes.fromhex(item["frame"]))
                if isinstance(message, wire.Offer):
                    fields = (message.header.encode(), *[crypto.u64(ms) for ms in message.deadline_ms], message.cohort)
                    self.assertTrue(crypto.verify(signer.public, message.signature, "SA1 sig offer", *fields))
                elif isinstance(message, wire.RoundResult):
                    self.assertEqual(message.aggregate_hash.hex(), case["aggregate_hash"])
                    self.assertTrue(crypto.verify(signer.public, message.signature, "SA1 sig result", h, bytes([message.status]),
                                                  message.d_s, message.aggregate_hash, message.model_hash))

    def test_every_frame_is_encoded_as_it_was_decoded(self):
        frames = json.loads((VECTORS / "wire/frames.json").read_text())
        frames.pop("header")
        known = {(name, text) for name, text in frames.items()}
        known |= {(item["message"], item["frame"]) for case in TRANSCRIPTS["rounds"] for item in case["messages"]}
        for name, text in known:
            sender, number, message = wire.decode_frame(bytes.fromhex(text))
            self.assertEqual(type(message).__name__, name)
            self.assertEqual(message.frame(sender, number).hex(), text)

    def test_hashes_and_thresholds(self):
        for cohort in SECAGG["cohorts"]:
            self.assertEqual(cohort_hash(cohort["ids"]).hex(), cohort["hash"])
        for case in SECAGG["headers"]:
            header = wire.Header.read(wire.Reader(bytes.fromhex(case["bytes"])))
            self.assertEqual(header_hash(header).hex(), case["hash"])
            self.assertEqual(thresholds(header.n, header.C), (header.t, header.Q, header.s_min))

    def test_packing(self):
        for case in SECAGG["packing"]:
            words = [int(word, 16) for word in case["words"]]
            self.assertEqual(encoding.pack(wire.Lane(**shape(case)), words).hex(), case["packed"])

    def test_check_words(self):
        for case in SECAGG["check"]:
            lane = wire.Lane(**shape(case))
            words = [int(word, 16) for word in case["words"]]
            self.assertEqual(encoding.check_words(bytes.fromhex(case["h"]), lane, words), [int(word, 16) for word in case["check"]])


def shape(case):
    return {field: case[field] for field in ("word_bits", "bits", "codec", "length", "chunk_words")}


class Around(unittest.TestCase):
    """What stands around a round: card, federation, job messages, model, upload."""

    def test_card(self):
        case = PROTOCOL["card"]
        fields = json.loads(case["file"])
        made = identity.card(fields["name"], crypto.Signer(bytes.fromhex(case["seed"])), bytes.fromhex(fields["transport_key"]))
        self.assertEqual(json.loads(made), fields)
        self.assertEqual(made.strip(), case["file"].strip())

    def test_federation(self):
        case = PROTOCOL["federation"]
        roster = identity.Roster(case["file"], now=0)
        self.assertEqual((roster.hashed().hex(), roster.hash.hex()), (case["roster_hashed"], case["roster_hash"]))
        self.assertEqual((crypto.label16("SOTTO federation") + b"".join(roster.signed)).hex(), case["signed"])
        card = json.loads(PROTOCOL["card"]["file"])
        self.assertEqual(roster.id_of(card["name"], bytes.fromhex(card["signing_key"]), bytes.fromhex(card["transport_key"])), 2)
        with self.assertRaises(ValueError):
            identity.Roster(case["file"].replace("tcp://coordinator", "tcp://another"), now=0)

    def test_hello(self):
        roster = identity.Roster(PROTOCOL["federation"]["file"], now=0)
        run = bytes.fromhex(PROTOCOL["job_offer"]["run"])
        for name, value in (("without_run", bytes(32)), ("with_run", run)):
            self.assertEqual(wire.Hello(3, value, roster.version, roster.hash).frame(2).hex(), PROTOCOL["hello"][name])

    def test_job_messages(self):
        coordinator = crypto.Signer(bytes.fromhex(PROTOCOL["federation"]["coordinator_seed"]))
        member = crypto.Signer(bytes.fromhex(PROTOCOL["card"]["seed"]))
        case = PROTOCOL["job_offer"]
        run, job = bytes.fromhex(case["run"]), case["job"].encode()
        self.assertEqual(identity.job_offer(coordinator, run, job).frame(0).hex(), case["frame"])
        digest = identity.job_hash(job)
        self.assertEqual(digest.hex(), case["job_hash"])
        for reply in PROTOCOL["job_replies"]:
            made = identity.job_reply(member, 2, run, digest, reply["answer"], reply["training_examples"], reply["evaluation_examples"],
                                      reply["least_sum"], reply["reason"].encode())
            self.assertEqual(made.frame(2).hex(), reply["frame"])
        for end in PROTOCOL["run_finished"]:
            made = identity.run_finished(coordinator, run, end["completed"], bytes.fromhex(end["model_hash"]), end["reason"].encode())
            self.assertEqual(made.frame(0).hex(), end["frame"])

    def test_model(self):
        case = PROTOCOL["model"]
        blob = bytes.fromhex(case["blob"])
        self.assertEqual(model.model_hash(blob).hex(), case["hash"])
        decoded = model.decode(blob)
        self.assertEqual([struct.pack("<f", value) for value in decoded.values], [struct.pack("<f", value) for value in case["values"]])
        self.assertEqual([(item["name"], item["shape"]) for item in case["tensors"]], decoded.tensors)
        self.assertEqual(decoded.encode(), blob)
        for item in case["ranges"]:
            _, number, request = wire.decode_frame(bytes.fromhex(item["request"]))
            data = blob[request.offset:request.offset + request.length]
            sender = wire.decode_frame(bytes.fromhex(item["answer"]))[0]
            self.assertEqual(wire.BlobData(request.blob, len(blob), request.offset, data).frame(sender, number).hex(), item["answer"])

    def test_lanes(self):
        for case in PROTOCOL["lanes"]:
            metrics = 3 if case["task"] == "causal_language_modeling" else 3 + 3 * case["labels"]
            for field, counters in (("lanes", True), ("without_counters", False)):
                lanes = encoding.expected_lanes(metrics, case["values"], case["n"], case["quantization_bits"], counters)
                self.assertEqual([{name: getattr(lane, name) for name in case[field][0]} for lane in lanes], case[field])

    def test_upload_before_masks(self):
        case = PROTOCOL["upload"]
        header = wire.Header.read(wire.Reader(bytes.fromhex(case["header"]["bytes"])))
        uniform = iter(encoding.stream_words(bytes.fromhex(case["rounding_seed"]), 0, 32, len(case["update"])))
        codes = encoding.encode_update(case["update"], case["value_range"], case["quantization_bits"], lambda: next(uniform) / 2**32)
        words = encoding.plain_words(header_hash(header), header.lanes, codes, case["metrics"])
        self.assertEqual([[f"{word:x}" for word in lane] for lane in words], case["words"])
        self.assertEqual(encoding.pack_all(header.lanes, words).hex(), case["packed_unmasked"])


if __name__ == "__main__":
    unittest.main()
