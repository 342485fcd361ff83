#!/usr/bin/env python3
"""What a simple classifier learns from a table, before and after it was anonymised.

Naive Bayes over one-hot values, deterministic, without a setting to tune. A generalised cell counts for each value it
may stand for, in equal parts: "25 to 34" for each age in between, a group of a hierarchy for each of its members, "*"
for every value. Held-out rows are original ones.

Usage: scripts/table_accuracy.py TRAIN.csv HELD_OUT.csv --label COLUMN [--columns A,B,...] [--hierarchy COLUMN=FILE ...]
"""
import argparse
import csv
import math
import re
from collections import Counter, defaultdict

RANGE = re.compile(r"(-?[\d.]+) to (below )?(-?[\d.]+)")


def read(file):
    with open(file, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def members_of(cell, values, groups):
    """The values that a cell may stand for."""
    if cell in values:
        return (cell,)
    if cell == "*":
        return tuple(values)
    if cell in groups:
        return groups[cell]
    low, below, high = RANGE.fullmatch(cell).groups()
    low, high = float(low), float(high)
    return tuple(v for v in values if low <= float(v) and (float(v) < high if below else float(v) <= high))


def train(rows, label, columns, values, groups):
    labels = Counter(row[label] for row in rows)
    counts = {column: defaultdict(Counter) for column in columns}
    for (column, target, cell), count in Counter((c, row[label], row[c]) for row in rows for c in columns).items():
        members = members_of(cell, values[column], groups[column])
        for member in members:
            counts[column][target][member] += count / len(members)
    return labels, {column: {target: {v: math.log((counts[column][target][v] + 1) / (labels[target] + len(values[column])))
                                      for v in values[column]} for target in labels} for column in columns}


def accuracies(labels, weights, rows, label, columns):
    """Of all rows, and the mean over the labels of the part that is right."""
    total, right, seen = sum(labels.values()), Counter(), Counter(row[label] for row in rows)
    for row in rows:
        score = {t: math.log(labels[t] / total) + sum(weights[c][t].get(row[c], 0) for c in columns) for t in labels}
        right[row[label]] += max(sorted(score), key=score.get) == row[label]
    return sum(right.values()) / len(rows), sum(right[t] / seen[t] for t in seen) / len(seen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("held_out")
    parser.add_argument("--label", required=True)
    parser.add_argument("--columns", help="with commas; all but the label unless given")
    parser.add_argument("--hierarchy", action="append", default=[], metavar="COLUMN=FILE")
    options = parser.parse_args()
    rows, held_out = read(options.train), read(options.held_out)
    columns = options.columns.split(",") if options.columns else [c for c in rows[0] if c != options.label]
    # The values are those of the held-out rows, which are original, and of the hierarchies.
    values = {c: dict.fromkeys(sorted({row[c] for row in held_out})) for c in columns}
    groups = {c: {} for c in columns}
    for column, file in (text.split("=", 1) for text in options.hierarchy):
        if column not in columns:
            continue
        with open(file, newline="", encoding="utf-8") as lines:
            tree = list(csv.reader(lines))[1:]
        values[column].update(dict.fromkeys(row[0] for row in tree))
        for row in tree:
            for group in row[1:]:
                groups[column][group] = groups[column].get(group, ()) + (row[0],)
    # An exact number that no held-out row has is a value too.
    for column in columns:
        for cell in {row[column] for row in rows}:
            if cell != "*" and cell not in groups[column] and not RANGE.fullmatch(cell):
                values[column].setdefault(cell)
    labels, weights = train(rows, options.label, columns, values, groups)
    right, balanced = accuracies(labels, weights, held_out, options.label, columns)
    print(f"accuracy {100 * right:.1f} %, balanced {100 * balanced:.1f} %")


if __name__ == "__main__":
    main()
