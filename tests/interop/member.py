#!/usr/bin/env python3
"""A participant of a Sotto federation that was written from its documents alone.

  member.py init --dir FOLDER --name NAME                       make keys and NAME.card.json
  member.py run --dir FOLDER --federation FILE [--delta X]      take part until the run has ended
                [--examples N] [--as MISBEHAVIOUR]

Its update is the same number for every parameter. Its guard is in memory alone, so a member takes part in a run once.
"""

import argparse
import json
import os
import pathlib
import random
import sys
import time

import zmq
import zmq.utils.z85

import encoding
import identity
import model
import wire
from crypto import Signer, verify, u64, x25519_public
from round import MemberRound, Refused, cohort_hash, thresholds

RANGE = 262144
HELLO_EVERY_S = REPEAT_EVERY_S = 5.0
NO_RUN = bytes(32)


class Keys:
    """Name, signing key and CURVE pair, in keys.json of a folder."""

    def __init__(self, folder):
        fields = json.loads((pathlib.Path(folder) / "keys.json").read_text())
        self.name, self.signer = fields["name"], Signer(bytes.fromhex(fields["signing"]))
        self.transport_secret = bytes.fromhex(fields["transport"])
        self.transport_public = x25519_public(self.transport_secret)

    @staticmethod
    def make(folder, name):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        secrets = {"name": name, "signing": os.urandom(32).hex(), "transport": os.urandom(32).hex()}
        with open(os.open(folder / "keys.json", os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            json.dump(secrets, file)
        keys = Keys(folder)
        (folder / f"{name}.card.json").write_text(identity.card(name, keys.signer, keys.transport_public))
        return keys


class Link:
    """A DEALER socket with CURVE; one frame is one message of one part."""

    def __init__(self, context, keys, roster):
        self.socket = context.socket(zmq.DEALER)
        self.socket.curve_secretkey = zmq.utils.z85.encode(keys.transport_secret)
        self.socket.curve_publickey = zmq.utils.z85.encode(keys.transport_public)
        self.socket.curve_serverkey = zmq.utils.z85.encode(roster.coordinator_transport_key)
        self.socket.setsockopt(zmq.LINGER, 1000)
        self.socket.setsockopt(zmq.SNDHWM, 64)
        self.socket.setsockopt(zmq.RCVHWM, 64)
        self.socket.setsockopt(zmq.MAXMSGSIZE, 8 << 20)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, 15000)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 30000)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 10000)
        self.socket.connect(roster.endpoint)

    def send(self, data, wait_ms=2000):
        """False where the queue stays full."""
        if not self.socket.poll(wait_ms, zmq.POLLOUT):
            return False
        self.socket.send(data)
        return True

    def receive(self, wait_ms):
        return self.socket.recv() if self.socket.poll(wait_ms) else None


class Download:
    """The round's model, asked for in ranges: the first answer tells the total."""

    IN_FLIGHT = 8

    def __init__(self, name):
        self.name, self.total, self.parts, self.asked = name, None, {}, set()

    def next_requests(self):
        if self.total is None:
            offsets = [0]
        else:
            missing = [offset for offset in range(0, self.total, RANGE) if offset not in self.parts]
            offsets = missing[:self.IN_FLIGHT]
        fresh = [offset for offset in offsets if offset not in self.asked]
        self.asked.update(fresh)
        return [wire.BlobRequest(self.name, offset, RANGE if self.total is None else min(RANGE, self.total - offset)) for offset in fresh]

    def take(self, message):
        self.total = message.total
        self.parts[message.offset] = message.data

    def whole(self):
        if self.total is None or sum(map(len, self.parts.values())) != self.total:
            return None
        return b"".join(self.parts[offset] for offset in sorted(self.parts))


class Member:
    """An honest member; hostile.py overrides the methods under "what a misbehaviour changes"."""

    def __init__(self, keys, roster, delta=0.5, examples=20, verbose=True):
        self.keys, self.roster, self.delta, self.examples, self.verbose = keys, roster, delta, examples, verbose
        self.id = roster.id_of(keys.name, keys.signer.public, keys.transport_public)
        self.context = zmq.Context()
        self.link = Link(self.context, keys, roster)
        self.run, self.job, self.job_digest = NO_RUN, None, None
        self.offered_at = 0
        self.round = self.round_number = None
        self.download = self.last_message = None
        self.last_heard = self.last_hello = 0.0
        self.burnable = {}  # a guard in memory: rounds by number
        self.last_round = 0
        self.counted = {}  # server rounds in which this member has endorsed: the attempt
        self.finished = None
        self.results, self.certificates = {}, set()

    # ---- what a misbehaviour changes

    def send(self, message, number=0):
        """Everything that this member says goes through here."""
        return self.link.send(message.frame(self.id, number))

    def reply(self, digest, answer=identity.ACCEPT, reason=b""):
        return identity.job_reply(self.keys.signer, self.id, self.run, digest, answer, self.examples, self.examples, 3, reason)

    def make_round(self, header, cohort):
        return MemberRound(self.id, self.keys.signer, self.roster, header, cohort)

    def update(self, values):
        return [self.delta] * values

    def metrics(self, count):
        """Counters of an evaluation in which nothing was right: examples, right, loss, and nothing found of any class."""
        return ([self.examples, 0, round(0.7 * 1000 * self.examples)] + [0] * count)[:count] if count <= 3 else \
            self.classification_metrics((count - 3) // 3)

    def classification_metrics(self, labels):
        """All examples are of the first class and were said to be of the second."""
        figures = [[0, 0, 0] for _ in range(labels)]
        figures[0][2] = figures[1][1] = self.examples
        return [self.examples, 0, round(0.7 * 1000 * self.examples)] + sum(figures, [])

    def blob_answer(self, request):
        """The answer to a request for a range of the upload."""
        data = self.round.upload if self.has_upload(request.blob) else None
        if data is None:
            return wire.BlobData(request.blob, 0, 0, b"")
        return wire.BlobData(request.blob, len(data), request.offset, data[request.offset:request.offset + request.length])

    def on_tick(self):
        """Called some twenty times a second."""

    # ---- the loop

    def log(self, text):
        if self.verbose:
            print(f"{time.strftime('%H:%M:%S')} {self.keys.name}: {text}", flush=True)

    def take_part(self, limit_s=3600):
        """Returns RunFinished, or None after limit_s."""
        end = time.monotonic() + limit_s
        while self.finished is None and time.monotonic() < end:
            self.step()
        self.context.destroy(linger=1000)
        return self.finished

    def step(self):
        now = time.monotonic()
        if now - self.last_hello >= HELLO_EVERY_S:
            self.hello()
        if self.last_message is not None and now - self.last_heard >= REPEAT_EVERY_S:
            self.last_heard = now
            self.send(self.last_message, self.round_number)
        data = self.link.receive(50)
        if data is not None:
            self.handle(data)
        self.on_tick()

    def reconnect(self):
        self.link.socket.close(linger=1000)
        self.link = Link(self.context, self.keys, self.roster)
        self.hello()

    def hello(self):
        self.last_hello = time.monotonic()
        self.send(wire.Hello(wire.VERSION, self.run, self.roster.version, self.roster.hash))

    def handle(self, data):
        try:
            _, number, message = wire.decode_frame(data)
        except wire.Malformed as problem:
            self.log(f"a frame was dropped: {problem}")
            return
        handler = getattr(self, "on_" + type(message).__name__, None)
        if handler is not None:
            handler(message, number)

    # ---- around the rounds

    def on_Hello(self, message, _number):
        self.log(f"the coordinator speaks protocol {message.protocol} with roster version {message.roster_version}")

    def on_JobOffer(self, offer, _number):
        if not identity.offer_is_signed(self.roster, offer):
            return
        self.run, self.job, self.job_digest = offer.run, json.loads(offer.job), identity.job_hash(offer.job)
        self.send(self.reply(self.job_digest))

    def on_RunFinished(self, message, _number):
        if identity.finish_is_signed(self.roster, message) and message.run == self.run:
            self.log(f"the run has ended: completed {message.completed}, {message.reason.decode()}")
            self.finished = message

    # ---- a round

    def on_Offer(self, offer, number):
        header = offer.header
        if self.round is not None and header.encode() == self.round.header.encode():
            self.repeat()
            return
        cohort = self.accepted_cohort(offer, number)
        if cohort is None:
            return
        self.last_round = number
        self.round = self.make_round(header, cohort)
        self.round_number = number
        self.burnable[number] = self.round
        self.download, self.fixed, self.answered = Download(header.model_hash), False, {}
        self.deadlines = offer.deadline_ms
        self.log(f"round {number >> 16}, attempt {number & 65535}")
        self.say(self.round.on_offer())
        self.ask()

    def accepted_cohort(self, offer, number):
        """The ids of the cohort, or None where an Offer is not what the documents allow."""
        header = offer.header
        fields = (header.encode(), *[u64(duration) for duration in offer.deadline_ms], offer.cohort)
        places = wire.places(offer.cohort)
        if not verify(self.roster.coordinator_key, offer.signature, "SA1 sig offer", *fields) or self.job is None:
            return None
        if (header.run, header.config_hash, header.roster_hash) != (self.run, self.job_digest, self.roster.hash):
            return None
        if number != header.round or number <= self.last_round or len(places) != header.n or places[-1] >= len(self.roster.ids):
            return None
        cohort = [self.roster.ids[place] for place in places]
        t, quorum, least = thresholds(header.n, header.C)
        fits = (header.t, header.Q, header.k, header.q, header.witnesses, header.graph, header.prg_id) == \
            (t, quorum, header.n - 1, 0, header.n, 0, 1)
        if self.id not in cohort or header.cohort_hash != cohort_hash(cohort) or not fits or not least <= header.s_min <= header.n:
            return None
        return cohort if self.lanes_follow(header, number) else None

    def lanes_follow(self, header, number):
        metrics = encoding.metrics_of(self.job)
        update = next((lane for lane in header.lanes if lane.codec == encoding.UPDATE), None)
        closing = number >> 16 > self.job["rounds"]["num_server_rounds"]
        if closing != (update is None):
            return False
        bits = self.job["secure_aggregation"]["quantization_bits"]
        for counters in (True, False):
            expected = encoding.expected_lanes(metrics, 0 if closing else update.length, header.n, bits, counters)
            if encoding.same_lanes(header.lanes, expected):
                return counters is False and not closing or counters and number >> 16 not in self.counted
        return False

    def say(self, message):
        """Sends a message of the present round and keeps it to be said again."""
        if message is not None:
            self.last_message, self.last_heard = message, time.monotonic()
            self.send(message, self.round_number)

    def repeat(self):
        if self.last_message is not None:
            self.send(self.last_message, self.round_number)

    def leave(self, reason):
        self.log(f"leaves the round: {reason}")
        self.send(wire.LeaveRound(str(reason).encode()), self.round_number)
        self.forget()

    def forget(self):
        self.round = self.last_message = self.download = None

    def in_round(self, number):
        return self.round is not None and number == self.round_number

    def step_of_round(self, handler, message, number):
        """A step before the upload: what fails a check is answered with LeaveRound."""
        if not self.in_round(number):
            return
        self.last_heard = time.monotonic()
        heard, answer = self.answered.get(handler, (None, None))
        if heard is not None:  # the same message gets the same answer, byte for byte; another one of its kind gets none
            if heard == message.encode():
                self.say(answer)
            return
        try:
            answer = getattr(self.round, handler)(message)
        except Refused as problem:
            self.leave(problem)
            return
        self.answered[handler] = message.encode(), answer
        self.say(answer)

    def on_KeyList(self, message, number):
        self.step_of_round("on_key_list", message, number)

    def on_ShareForward(self, message, number):
        self.step_of_round("on_share_forward", message, number)

    def on_Complaints(self, message, number):
        self.step_of_round("on_complaints", message, number)

    def on_Fix(self, message, number):
        if self.in_round(number) and not self.fixed:
            self.step_of_round("on_fix", message, number)
            self.fixed = self.round is not None
            self.upload_when_ready()
        elif self.in_round(number):
            self.repeat()

    def on_Survivors(self, message, number):
        if self.in_round(number):
            answer = self.round.on_survivors(message)
            if answer is not None:
                self.counted[number >> 16] = number
            self.say(answer)

    def on_UnmaskRequest(self, message, number):
        if self.in_round(number):
            self.say(self.round.on_unmask_request(message))

    def on_RoundResult(self, message, number):
        if self.in_round(number) and self.round.verify_result(message):
            self.results[number] = message.status
            self.log(f"round {number >> 16}, attempt {number & 65535}: {('done', 'cancelled', 'burnt', 'lost')[message.status]}")
            self.forget()

    def on_BurnRequest(self, message, _number):
        number = message.header.round
        if number in self.burnable:
            vote = self.burnable[number].on_burn_request(message)
            if vote is not None:
                self.send(vote, number)

    def on_BurnCertificate(self, message, number):
        if number in self.burnable and self.burnable[number].verify_burn_certificate(message):
            self.counted.pop(number >> 16, None)
            self.certificates.add(number)
            self.log(f"round {number >> 16}, attempt {number & 65535}: burnt by {len(message.votes)} votes")

    # ---- blobs

    def ask(self):
        for request in self.download.next_requests() if self.download else []:
            self.send(request, self.round_number)

    def on_BlobData(self, message, number):
        if not self.in_round(number) or self.download is None or message.blob != self.download.name:
            return
        self.download.take(message)
        self.ask()
        blob = self.download.whole()
        if blob is not None and model.model_hash(blob) != message.blob:
            self.leave("the model differs from the one of the offer")
        elif blob is not None:
            self.model, self.download = model.decode(blob), None
            self.upload_when_ready()

    def upload_when_ready(self):
        """Training has ended at once here, so the upload waits for U2 and the model alone."""
        if self.round is None or not self.fixed or self.download is not None or self.round.upload is not None:
            return
        lanes = self.round.header.lanes
        settings = self.job["secure_aggregation"]
        values = next((lane.length for lane in lanes if lane.codec == encoding.UPDATE), 0)
        counters = next(lane.length for lane in lanes if lane.codec == encoding.COUNTERS) - 6
        codes = self.codes(encoding.clip(self.update(values), settings["max_update_norm"]), settings) if values else []
        self.say(self.round.make_upload(codes, self.metrics(counters) if counters else []))

    def codes(self, update, settings):
        return encoding.encode_update(update, settings["value_range"], settings["quantization_bits"], random.SystemRandom().random)

    def has_upload(self, name):
        return self.round is not None and isinstance(self.last_message, wire.UploadHeader) and self.last_message.hash_y == name

    def on_BlobRequest(self, request, number):
        if not self.in_round(number):
            return
        self.last_heard = time.monotonic()
        answer = self.blob_answer(request)
        if answer is not None:
            self.send(answer, number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["init", "run"])
    parser.add_argument("--dir", required=True)
    parser.add_argument("--name")
    parser.add_argument("--federation")
    parser.add_argument("--delta", type=float, default=0.5)
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--as", dest="misbehaviour", help="a name out of misbehaviours.py")
    arguments = parser.parse_args()
    if arguments.command == "init":
        Keys.make(arguments.dir, arguments.name)
        return 0
    kind = Member
    if arguments.misbehaviour:
        import hostile  # it builds on this module
        kind = hostile.always(arguments.misbehaviour)
    roster = identity.Roster(pathlib.Path(arguments.federation).read_text())
    finished = kind(Keys(arguments.dir), roster, arguments.delta, arguments.examples).take_part()
    return 0 if finished is not None and finished.completed else 3


if __name__ == "__main__":
    sys.exit(main())
