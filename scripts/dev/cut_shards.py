#!/usr/bin/env python3
"""Cuts a labelled text data set into the shards of a demonstration federation.

Usage: cut_shards.py TRAIN.tsv TEST.tsv OUT_DIR [--seed S] [--alpha A] [--table]
Rows are `label TAB text`. Each label's training rows are dealt to four organisations by a share drawn from
Dirichlet(alpha), so each sees mostly some labels; the test rows are dealt evenly (IID) as evaluation splits.
Writes OUT_DIR/shards/NAME/{train,eval}.tsv and OUT_DIR/labels.txt. The same seed gives the same bytes.
"""
import argparse
import random
from collections import Counter
from pathlib import Path

SHARDS = ["aurora", "borealis", "cascade", "delta"]


def read_rows(path):
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert all(len(row) == 2 and row[1].strip() for row in rows), f"{path}: a row is not label TAB text"
    return [tuple(row) for row in rows]


def deal_by_label(rows, alpha, chance):
    """One list of rows per shard; a label's rows go by a Dirichlet(alpha) share, every row to exactly one."""
    shards = {name: [] for name in SHARDS}
    for label in sorted({label for label, _ in rows}):
        mine = [row for row in rows if row[0] == label]
        chance.shuffle(mine)
        weights = [chance.gammavariate(alpha, 1.0) for _ in SHARDS]
        start, reached = 0, 0.0
        for name, weight in zip(SHARDS, weights):
            reached += weight / sum(weights)
            end = len(mine) if name == SHARDS[-1] else round(reached * len(mine))
            shards[name] += mine[start:end]
            start = end
    for shard in shards.values():
        chance.shuffle(shard)
    return shards


def write_rows(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8", newline="\n")


def print_table(labels, shards):
    counts = {name: Counter(label for label, _ in rows) for name, rows in shards.items()}
    print("| intent | " + " | ".join(SHARDS) + " |\n|---|" + "---:|" * len(SHARDS))
    for label in labels:
        print(f"| {label} | " + " | ".join(str(counts[name][label]) for name in SHARDS) + " |")
    print("| **rows** | " + " | ".join(str(len(shards[name])) for name in SHARDS) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=23)
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--table", action="store_true", help="print the label table and write nothing")
    options = parser.parse_args()

    chance = random.Random(options.seed)
    train, test = read_rows(options.train), read_rows(options.test)
    labels = sorted({label for label, _ in train})
    shards = deal_by_label(train, options.alpha, chance)
    chance.shuffle(test)
    if options.table:
        return print_table(labels, shards)
    for index, name in enumerate(SHARDS):
        write_rows(options.out / "shards" / name / "train.tsv", shards[name])
        write_rows(options.out / "shards" / name / "eval.tsv", test[index::len(SHARDS)])
    (options.out / "labels.txt").write_text("".join(label + "\n" for label in labels), encoding="utf-8")
    print_table(labels, shards)


if __name__ == "__main__":
    main()
