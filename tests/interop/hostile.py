"""A member that misbehaves: a Trick changes single steps of the honest member, one trick a round that it takes part in."""

from member import Member
from round import MemberRound


class Expect:
    """What has to hold of a run in which a trick is played.

    named      regular expression: how console, status, metrics or evidence name the culprit; None: it cannot be named, or need not be
    in_sum     whether the member is in the sum of the round of the trick; None: either
    lost       attempts that the trick may cost; the honest sites are charged for each once more
    everybody  whether all three sites have to be in every sum
    shift      how far the mean of all parameters may move because of it
    void       the evaluation of the round has to be void, and its update has to count
    """

    def __init__(self, named=None, in_sum=None, lost=0, everybody=True, shift=5e-4, void=False):
        self.named, self.in_sum, self.lost, self.everybody, self.shift, self.void = named, in_sum, lost, everybody, shift, void


class Trick:
    """The base of all: an honest member. `me` is the Hostile member, whose round, link and id it uses."""

    EXPECT = Expect()
    ROUND = MemberRound  # the steps inside the round

    def __init__(self, me):
        self.me = me

    def send(self, message, number):
        """A message that the honest member would send now."""
        self.me.deliver(message, number)

    def sends(self, message, *kinds):
        return type(message).__name__ in kinds

    def blob_answer(self, request):
        return self.me.honest_blob_answer(request)

    def update(self, values):
        return [0.0] * values

    def codes(self, codes):
        return codes

    def metrics(self, figures):
        return figures

    def begin(self):
        """At the Offer, before M1."""

    def tick(self):
        """Some twenty times a second, from the Offer on."""


class Hostile(Member):
    """Plays TRICKS one after the other, one a round; then it is honest."""

    TRICKS = []
    REPEATED = False  # the last one again and again

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.played = []  # (trick, round number)
        self.said, self.saying = [], []  # messages of the round before, and of this one
        self.trick = Trick(self) if not self.starts_at_once() else self.TRICKS[0](self)

    def starts_at_once(self):
        return bool(self.TRICKS) and getattr(self.TRICKS[0], "BEFORE_ROUNDS", False)

    def next_trick(self):
        if len(self.played) < len(self.TRICKS):
            return self.TRICKS[len(self.played)](self)
        return self.TRICKS[-1](self) if self.REPEATED else Trick(self)

    def make_round(self, header, cohort):
        if not self.starts_at_once() or self.played:
            self.trick = self.next_trick()
        self.played.append((self.trick, header.round))
        self.said, self.saying = self.saying, []
        self.log(f"plays {type(self.trick).__name__}")
        made = self.trick.ROUND(self.id, self.keys.signer, self.roster, header, cohort)
        made.me = self
        return made

    def say(self, message):
        if type(message).__name__ == "Advertise":
            self.trick.begin()
        super().say(message)

    def deliver(self, message, number=0):
        if number:
            self.saying.append(message)
        return super().send(message, number)

    def send(self, message, number=0):
        return self.trick.send(message, number)

    def honest_blob_answer(self, request):
        return super().blob_answer(request)

    def blob_answer(self, request):
        return self.trick.blob_answer(request)

    def update(self, values):
        return self.trick.update(values)

    def codes(self, update, settings):
        return self.trick.codes(super().codes(update, settings))

    def metrics(self, count):
        return self.trick.metrics(super().metrics(count))

    def on_tick(self):
        self.trick.tick()


def playing(tricks, repeated=False):
    """The class of a member that plays these."""
    return type("Playing", (Hostile,), {"TRICKS": list(tricks), "REPEATED": repeated})


def always(name):
    import misbehaviours  # the table of all tricks, which are subclasses of Trick
    return playing([misbehaviours.BY_NAME[name]], repeated=True)
