#!/usr/bin/env python3
"""Makes configs/adult/data from UCI's Adult files: a header line, cells without the spaces around them, test labels
without their full stop, and eleven of the fifteen columns (census weight, capital gains and losses and the second
coding of education are left out). Nothing is dropped or reordered among the rows.

Usage: scripts/dev/cut_adult.py FOLDER     # holds adult.data and adult.test
"""
import csv
import sys
from pathlib import Path

COLUMNS = {"age": 0, "workclass": 1, "education": 3, "marital_status": 5, "occupation": 6, "relationship": 7, "race": 8, "sex": 9,
           "hours_per_week": 12, "native_country": 13, "income": 14}


def main():
    source, out = Path(sys.argv[1]), Path(__file__).resolve().parents[2] / "configs/adult/data"
    for name, target in (("adult.data", "train.csv"), ("adult.test", "test.csv")):
        with open(source / name, newline="") as lines, open(out / target, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in csv.reader(lines, skipinitialspace=True):
                if len(row) == 15:
                    writer.writerow([row[i].strip().rstrip(".") for i in COLUMNS.values()])


if __name__ == "__main__":
    main()
