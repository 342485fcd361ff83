#!/usr/bin/env python3
"""Cuts the tiny Shakespeare corpus into shards, a speaker each: the verse lines of a speech, one a line, every tenth speech for
evaluation. Speeches stay whole, so that no line of a speech is on both sides.

Usage: scripts/dev/cut_speakers.py INPUT.txt FOLDER SPEAKER...
"""
import sys
from pathlib import Path


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    speeches = {}
    for block in Path(sys.argv[1]).read_text().split("\n\n"):
        head, *lines = block.strip().split("\n")
        if head.endswith(":") and lines:
            speeches.setdefault(head[:-1], []).append([line.strip() for line in lines if line.strip()])
    for speaker in sys.argv[3:]:
        folder = Path(sys.argv[2]) / speaker.lower().replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        for file, wanted in (("train.tsv", lambda i: i % 10 != 9), ("eval.tsv", lambda i: i % 10 == 9)):
            lines = [line for i, speech in enumerate(speeches[speaker]) if wanted(i) for line in speech]
            (folder / file).write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
