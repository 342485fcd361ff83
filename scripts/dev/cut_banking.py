#!/usr/bin/env python3
"""Writes Banking77 and CLINC150 as `label TAB text`: the private questions of configs/banking, and the public ones
that its encoder was pretrained on.

Usage: cut_banking.py BANKING77_FOLDER CLINC150.json OUT_DIR
Writes OUT_DIR/{train,test}.tsv, which cut_shards.py cuts, and OUT_DIR/public/{train,test}.tsv with the job of their
pretraining, OUT_DIR/public/job.json; its model is to lie in OUT_DIR/public/model.
"""
import csv
import json
import random
import sys
from pathlib import Path

HELD_OUT = 1000


def write(path, rows):
    path.write_text("".join(f"{label}\t{' '.join(text.split())}\n" for label, text in rows), encoding="utf-8")


def write_public(out, rows):
    out.mkdir(exist_ok=True)
    random.Random(1).shuffle(rows)
    write(out / "train.tsv", rows[:-HELD_OUT])
    write(out / "test.tsv", rows[-HELD_OUT:])
    job = {
        "name": "public-intents",
        "model": {"path": "model", "max_length": 48, "initial": "random"},
        "task": {"type": "sequence_classification", "labels": sorted({intent for intent, _ in rows})},
        "rounds": {"num_server_rounds": 30, "min_available_participants": 3},
        "differential_privacy": {"enabled": False},
        "local_training": {"local_steps": 20, "sampling_rate": 0.03, "physical_batch_size": 256, "optimizer": "adam",
                           "learning_rate": 0.003, "learning_rate_schedule": "linear"},
        "seed": 1,
    }
    (out / "job.json").write_text(json.dumps(job, indent=2) + "\n", encoding="utf-8")


def main():
    banking, clinc, out = map(Path, sys.argv[1:])
    out.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        with (banking / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            write(out / f"{part}.tsv", [(row["category"], row["text"]) for row in csv.DictReader(file)])
    parts = json.loads(clinc.read_text(encoding="utf-8"))
    write_public(out / "public", [(intent, text) for part in ("train", "val", "test") for text, intent in parts[part]])


if __name__ == "__main__":
    main()
