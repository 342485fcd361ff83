"""Cards, federation.json and the answers to jobs (docs/protocol.md, sections 2, 3 and 5)."""

import json
import time

import crypto
from crypto import H, u32, u64, verify
from wire import JobOffer, JobReply, RunFinished

DECLINE, ACCEPT, POSTPONE = 0, 1, 2


def text32(text):
    return u32(len(text.encode())) + text.encode()


def card(name, signer, transport_public):
    """The text of NAME.card.json."""
    signature = signer.sign("SOTTO card", text32(name), signer.public, transport_public)
    fields = {"name": name, "signing_key": signer.public.hex(), "transport_key": transport_public.hex(), "signature": signature.hex()}
    return json.dumps(fields, indent=2) + "\n"


class Roster:
    """What a participant keeps of federation.json after it has checked it."""

    def __init__(self, text, now=None):
        document = json.loads(text)
        roster = document["roster"]
        self.name, self.endpoint, self.version = document["name"], document["endpoint"], roster["version"]
        self.expiry = roster["expiry_unix_s"]
        self.coordinator_key = bytes.fromhex(roster["coordinator_signing_key"])
        self.coordinator_transport_key = bytes.fromhex(roster["coordinator_transport_key"])
        self.members = roster["members"]
        self.keys = {member["id"]: bytes.fromhex(member["signing_key"]) for member in self.members}
        self.ids = sorted(self.keys)
        self.hash = H("SA1 roster", self.hashed())
        self.signed = (text32(self.name), text32(self.endpoint), self.hash)
        if not verify(self.coordinator_key, bytes.fromhex(document["signature"]), "SOTTO federation", *self.signed):
            raise ValueError("the signature of federation.json is bad")
        if self.expiry <= (time.time() if now is None else now):
            raise ValueError("the roster has expired")

    def hashed(self):
        fields = [u32(self.version), u64(self.expiry), self.coordinator_key, self.coordinator_transport_key, u32(len(self.members))]
        for member in self.members:
            fields += [u32(member["id"]), bytes([member["role"]]), bytes.fromhex(member["signing_key"]),
                       bytes.fromhex(member["transport_key"]), H("SA1 name", member["name"].encode())]
        return b"".join(fields)

    def id_of(self, name, signing_key, transport_key):
        """The own id; both of the own keys have to stand there."""
        for member in self.members:
            if (member["name"], member["signing_key"], member["transport_key"]) == (name, signing_key.hex(), transport_key.hex()):
                return member["id"]
        raise ValueError(f"{name} is not in the roster with these keys")


def job_hash(job):
    return H("SOTTO job", job)


def job_offer(signer, run, job):
    return JobOffer(run, job, signer.sign("SOTTO sig job", run, job_hash(job)))


def offer_is_signed(roster, offer):
    return verify(roster.coordinator_key, offer.signature, "SOTTO sig job", offer.run, job_hash(offer.job))


def job_reply(signer, member_id, run, digest, answer, training, evaluation, least_sum, reason=b""):
    fields = (run, digest, u32(member_id), bytes([answer]), u64(training), u64(evaluation), u32(least_sum), reason)
    return JobReply(run, digest, member_id, answer, training, evaluation, least_sum, reason, signer.sign("SOTTO sig reply", *fields))


def run_finished(signer, run, completed, model_hash, reason):
    signature = signer.sign("SOTTO sig finish", run, bytes([completed]), model_hash, reason)
    return RunFinished(run, completed, model_hash, reason, signature)


def finish_is_signed(roster, message):
    return verify(roster.coordinator_key, message.signature, "SOTTO sig finish", message.run, bytes([message.completed]),
                  message.model_hash, message.reason)


def new_keys():
    """(Signer, CURVE secret, CURVE public)."""
    import os
    secret = os.urandom(32)
    return crypto.Signer(os.urandom(32)), secret, crypto.x25519_public(secret)
