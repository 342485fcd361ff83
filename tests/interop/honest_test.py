#!/usr/bin/env python3
"""Honest rounds: a real coordinator, three real sites and the member in Python.

  honest_test.py BUILD_FOLDER     (build/dev)
"""

import pathlib
import sys
import tempfile
import unittest

import federation
import identity
from member import Member

BUILD = None
DELTA = 0.5


class SilentAtTheFirstUpload(Member):
    """Trains and masks, and keeps its first upload for itself; one of the three sites is stopped in the same moment, so that
    two uploads of four are whole and the coordinator has the round burnt."""

    stop_a_site = None

    def say(self, message):
        if type(message).__name__ == "UploadHeader" and self.stop_a_site is not None:
            self.stop_a_site()
            self.stop_a_site = None
            self.last_message = None
            return
        super().say(message)


class Honest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sotto-interop-"))
        self.template = federation.Template(federation.Programs(BUILD), self.folder / "template")

    def play(self, kind, overrides=(), **arguments):
        run = federation.Federation(self.template, self.folder / "run", overrides)
        outcome, member = run.play(kind, delta=DELTA, **arguments)
        print(outcome.console, outcome.status.get("members"), outcome.ledgers, outcome.shift, sep="\n")
        return outcome, member

    def test_whole_run(self):
        outcome, member = self.play(Member)
        self.assertEqual(outcome.code, 0)
        self.assertEqual([status for _, status in sorted(member.results.items())], [0, 0, 0])
        done = [line for line in outcome.rounds if line["status"] == "done"]
        self.assertEqual(len(done), 3)
        for line in done:
            self.assertEqual(len(line["survivors"]), 4, line)
        # Two rounds, in each of which one member of four moves every parameter by DELTA.
        self.assertAlmostEqual(outcome.shift, 2 * DELTA / 4, delta=1e-4)


if __name__ == "__main__":
    BUILD = sys.argv.pop(1)
    unittest.main()
