#!/usr/bin/env python3
"""Cuts the Broad Twitter Corpus into the shards of a federation, a section each, and public sentences apart.

Usage: scripts/dev/cut_tweets.py CORPUS FOLDER SECTION=NAME... [--public OUT.tsv SECTION... [--more WORDS.bio]]
CORPUS holds a.conll to h.conll: word TAB tag, an empty line after each tweet. Of the tweets of a section every fifth is for
evaluation. Rows without a word are left out; so are handles and links, whose words become @USER and URL: nobody learns a name
from them. Writes FOLDER/NAME/{train,eval}.tsv. The public sentences, from which the example's vocabulary is made (build_vocab.py
--cased --size 3000), are those of whole sections and of another file of tagged words, here of SNIPS.
"""
import argparse
from pathlib import Path


def tweets(path):
    """Lists of (word, tag)."""
    out, words = [], []
    for line in path.read_text(encoding="utf-8").split("\n") + [""]:
        word, _, tag = line.rstrip("\r").partition("\t")
        if word.strip() and tag:
            words.append((word.strip(), tag))
        elif not line.strip() and words:
            out.append(words)
            words = []
    return out


def masked(tweet):
    """A handle is `@` and the word behind it, or one word."""
    out = []
    for word, tag in tweet:
        if word.startswith("http"):
            word = "URL"
        elif (out and out[-1][0] == "@") or (word.startswith("@") and len(word) > 1):
            word = "@USER" if word.startswith("@") else "USER"
        out.append((word, tag))
    return out


def iob2(tweet):
    """An entity that lost its first word begins with its second."""
    out, before = [], "O"
    for word, tag in tweet:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            tag = "B-" + tag[2:]
        out.append((word, tag))
        before = tag
    return out


def write(path, some):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ("".join(f"{word}\t{tag}\n" for word, tag in tweet) for tweet in some)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sections", nargs="+")
    parser.add_argument("--public", nargs="+", default=[])
    parser.add_argument("--more", type=Path)
    options = parser.parse_args()
    read = lambda section: [iob2(masked(tweet)) for tweet in tweets(options.corpus / f"{section}.conll")]
    for section, _, name in (entry.partition("=") for entry in options.sections):
        some = read(section)
        folder = options.folder / name
        write(folder / "train.tsv", [t for i, t in enumerate(some) if i % 5 != 4])
        write(folder / "eval.tsv", [t for i, t in enumerate(some) if i % 5 == 4])
    if options.public:
        public = [t for section in options.public[1:] for t in read(section)]
        write(Path(options.public[0]), public + (tweets(options.more) if options.more else []))


if __name__ == "__main__":
    main()
