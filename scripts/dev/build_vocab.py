#!/usr/bin/env python3
"""Builds a WordPiece vocabulary from public text.

Usage: build_vocab.py CLINC150.json BANKING77.csv WORDS.tsv... OUT.txt [--size N] [--cased]
Text is split as BERT's tokenizer splits it (white space and punctuation; unless --cased, lower case and accents off).
Pieces: the five special ones, single characters, ## characters, then merges: the most frequent pair of
neighbouring pieces is joined until N pieces exist; ties go to the pair that sorts first, so the same text
gives the same file.
"""
import argparse
import csv
import json
import string
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MIN_CHARACTER_COUNT = 5  # rarer characters outside printable ASCII become [UNK]


def utterances(path):
    """Texts of a CLINC150 JSON file (every part: [text, intent]), of a Banking77 CSV file (text,category) or of tagged words
    (word TAB tag)."""
    if path.suffix == ".tsv":
        return [line.split("\t")[0] for line in path.read_text(encoding="utf-8").split("\n")]
    if path.suffix == ".json":
        return [text for part in json.loads(path.read_text(encoding="utf-8")).values() for text, _ in part]
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def uncased(text):
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")


def words(plain):
    is_mark = lambda c: c in string.punctuation or unicodedata.category(c).startswith("P")
    return "".join(f" {c} " if is_mark(c) else c for c in plain).split()


def join(left, right):
    return left + right.removeprefix("##")


def merge_pair(pieces, left, right):
    merged, i = [], 0
    while i < len(pieces):
        both = i + 1 < len(pieces) and (pieces[i], pieces[i + 1]) == (left, right)
        merged.append(join(left, right) if both else pieces[i])
        i += 2 if both else 1
    return merged


def learn(counts, size):
    """The vocabulary in order: special pieces, characters, merges as they were made."""
    characters = Counter()
    for word, count in counts.items():
        for c in word:
            characters[c] += count
    kept = set(string.ascii_lowercase + string.digits + string.punctuation)
    kept |= {c for c in string.ascii_uppercase if c in characters}
    kept |= {c for c, count in characters.items() if count >= MIN_CHARACTER_COUNT}
    vocabulary = SPECIAL + sorted(kept) + ["##" + c for c in sorted(kept - set(string.punctuation))]
    known = set(vocabulary)

    spelled = {word: [word[0]] + ["##" + c for c in word[1:]] for word in counts if set(word) <= kept}
    pairs, where = Counter(), defaultdict(set)
    for word, pieces in spelled.items():
        for pair in zip(pieces, pieces[1:]):
            pairs[pair] += counts[word]
            where[pair].add(word)
    while len(vocabulary) < size and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if (piece := join(*best)) not in known:
            vocabulary.append(piece)
            known.add(piece)
        for word in where.pop(best):
            for pair in zip(spelled[word], spelled[word][1:]):
                pairs[pair] -= counts[word]
            spelled[word] = merge_pair(spelled[word], *best)
            for pair in zip(spelled[word], spelled[word][1:]):
                pairs[pair] += counts[word]
                where[pair].add(word)
        pairs = +pairs  # drops what no longer occurs
    return vocabulary


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--cased", action="store_true")
    options = parser.parse_args()

    plain = (lambda text: text) if options.cased else uncased
    counts = Counter(word for path in options.texts for text in utterances(path) for word in words(plain(text)))
    vocabulary = learn(counts, options.size)
    assert len(set(vocabulary)) == len(vocabulary)
    options.out.write_text("".join(piece + "\n" for piece in vocabulary), encoding="utf-8", newline="\n")
    print(f"{len(vocabulary)} pieces from {sum(counts.values())} words ({len(counts)} distinct)")


if __name__ == "__main__":
    main()
