#!/usr/bin/env python3
"""Makes the public sentences that the tagger of configs/ner is pretrained on: people, places and organisations.

Usage: scripts/dev/make_public_entities.py CORPUS SNIPS.bio NAMES.txt KNOWN.txt FOLDER SECTION... [--copies N]
CORPUS holds a.conll to h.conll of the Broad Twitter Corpus; the SECTIONs named are used, none of which may be a shard. SNIPS.bio
has `word TAB tag`; slots that name somebody or something become PER, LOC and ORG, all others O. NAMES.txt is a dictionary of
`given` and `family` lines (configs/masking), KNOWN.txt one of `ORG` and `LOC` lines (known_names.txt beside this script). Writes FOLDER/{one,two,three}/{train,eval}.tsv, because secure aggregation takes
three sites at least. Of the tweets every tenth and of SNIPS every fiftieth is for evaluation, as it is. Every other sentence comes N times (a tweet eight times as often), all but the first
with other entities of the same kind in place of its own, so that what stands around a name is learnt. The same input gives the
same files.
"""
import argparse
import random
from pathlib import Path

from cut_tweets import iob2, masked, tweets, write

KIND_OF_SLOT = {"artist": "PER", "playlist_owner": "PER", "city": "LOC", "state": "LOC", "country": "LOC",
                "geographic_poi": "LOC", "poi": "LOC", "location_name": "ORG", "restaurant_name": "ORG", "service": "ORG"}
NAMES_NOBODY = {"my", "our", "your", "his", "her", "their", "in", "here"}  # as the first word of a slot: "my", "in town"
NAMES_UNTAGGED = "party_size_description"  # "me and hannah": sentences with such a slot are left out
MARKS = ("'s", "’s", ".", "?", "!", ",", ";", ":")
SHARDS = ("one", "two", "three")
COPIES_OF_A_TWEET = 8  # for one of SNIPS, which has ten times as many sentences


def without_marks(sentence):
    """SNIPS's words carry what stands behind them, `Paris?` and `anna's`; the corpus has it apart, inside an entity as a part of it."""
    out = []
    for i, (word, tag) in enumerate(sentence):
        mark = next((m for m in MARKS if word.endswith(m) and len(word) > len(m)), None)
        following = sentence[i + 1][1] if i + 1 < len(sentence) else "O"
        rest = following if following.startswith("I-") else "O"
        out += [(word, tag)] if mark is None else [(word.removesuffix(mark), tag), (mark, rest)]
    return out


def entities(sentence):
    """[begin, end, kind] of each."""
    out = []
    for i, (_, tag) in enumerate(sentence):
        if tag.startswith("B-"):
            out.append([i, i + 1, tag[2:]])
        elif tag.startswith("I-"):
            out[-1][1] = i + 1
    return out


def as_kinds(sentence):
    """Slots of SNIPS to kinds of entities."""
    out = [(word, "O") for word, _ in sentence]
    for begin, end, slot in entities(iob2(sentence)):
        if slot in KIND_OF_SLOT and sentence[begin][0].lower() not in NAMES_NOBODY:
            for i in range(begin, end):
                out[i] = (sentence[i][0], ("B-" if i == begin else "I-") + KIND_OF_SLOT[slot])
    return out


def commands(path):
    some = (sentence for sentence in tweets(path) if not any(tag.endswith(NAMES_UNTAGGED) for _, tag in sentence))
    return [without_marks(as_kinds(sentence)) for sentence in some]


def people(path):
    """Given and family names; a title or a common word is neither."""
    names = {"given": [], "family": []}
    for line in path.read_text(encoding="utf-8").split("\n"):
        kind, *words = line.split() or [""]
        names.get(kind.removesuffix("?"), []).extend(words)
    return names


def known_names(path):
    """{kind: [words of a name]}"""
    known = {"ORG": [], "LOC": []}
    for line in path.read_text(encoding="utf-8").split("\n"):
        kind, _, names = line.partition(" ")
        if kind in known:
            known[kind] += [name.split() for name in names.split(",")]
    return known


def capital(words):
    return [word if word != word.lower() else word[:1].upper() + word[1:] for word in words]


class Exchange:
    """Entities of each kind that stand in the sentences, people of the dictionary, and what most people know."""

    def __init__(self, sentences, names, known):
        self.random, self.names, self.known = random.Random(1), names, known
        self.pool = {kind: [] for kind in ("PER", "LOC", "ORG")}
        for sentence in sentences:
            for begin, end, kind in entities(sentence):
                words = [word for word, _ in sentence[begin:end]]
                if "USER" not in words and "@" not in words:
                    self.pool[kind].append(words)

    def another(self, kind):
        if kind == "PER" and self.random.random() < 0.5:
            given, family = (self.random.choice(self.names[part]) for part in ("given", "family"))
            return self.random.choice([[given], [given, family], [given, family]])
        if kind != "PER" and self.random.random() < 0.5:
            return self.random.choice(self.known[kind])
        return self.random.choice(self.pool[kind])

    def other(self, sentence):
        """Most names get their capital letters back: people write them so more often than those who spoke to SNIPS."""
        out, at = [], 0
        for begin, end, kind in entities(sentence):
            words = [word for word, _ in sentence[begin:end]]
            if self.random.random() < 0.7 and "USER" not in words:
                words = self.another(kind)
            if self.random.random() < 0.8:
                words = capital(words)
            out += sentence[at:begin] + [(word, ("I-" if i else "B-") + kind) for i, word in enumerate(words)]
            at = end
        return out + sentence[at:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("snips", type=Path)
    parser.add_argument("names", type=Path)
    parser.add_argument("known", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sections", nargs="+")
    parser.add_argument("--copies", type=int, default=2)
    options = parser.parse_args()

    posts = [iob2(masked(t)) for section in options.sections for t in tweets(options.corpus / f"{section}.conll")]
    spoken = commands(options.snips)
    held = [t for i, t in enumerate(posts) if i % 10 == 9] + [t for i, t in enumerate(spoken) if i % 50 == 49]
    posts = [t for i, t in enumerate(posts) if i % 10 != 9]
    spoken = [t for i, t in enumerate(spoken) if i % 50 != 49]
    exchange = Exchange(posts + spoken, people(options.names), known_names(options.known))
    train = []
    for sentences, copies in ((posts, COPIES_OF_A_TWEET * options.copies), (spoken, options.copies)):
        for sentence in sentences:
            train += [sentence] + [exchange.other(sentence) for _ in range(copies - 1)]
    exchange.random.shuffle(train)
    for first, name in enumerate(SHARDS):
        write(options.folder / name / "train.tsv", train[first::len(SHARDS)])
        write(options.folder / name / "eval.tsv", held[first::len(SHARDS)])


if __name__ == "__main__":
    main()
