#!/usr/bin/env python3
"""Honest rounds: a real coordinator, three real sites and the member in Python.

  honest_test.py BUILD_FOLDER     (build/dev)
"""

import pathlib
import shutil
import sys
import tempfile
import unittest

import federation
from member import Member

BUILD = None
DELTA = 0.5


class SilentAtTheFirstUpload(Member):
    """Trains and masks, and keeps its first upload for itself."""

    silent_in = None

    def say(self, message):
        if type(message).__name__ == "UploadHeader" and self.silent_in in (None, self.round_number):
            self.silent_in, self.last_message = self.round_number, None
            return
        super().say(message)


class Honest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sotto-interop-"))
        self.federation = federation.Federation(federation.Programs(BUILD), self.folder)

    def tearDown(self):
        self.federation.stop()
        shutil.rmtree(self.folder)

    def play(self, kind, dies=None):
        self.federation.start_sites(dies)
        outcome, member = self.federation.run("run", kind, delta=DELTA)
        self.federation.stop()
        print(outcome.console, f"mean moved by {outcome.shift}, {outcome.seconds:.1f} s", sep="\n", flush=True)
        self.assertEqual(outcome.code, 0)
        # The steps of the sites are so small that this member alone moves the parameters, each by DELTA over the survivors,
        # in the rounds that it is in.
        done = {number for number, status in member.results.items() if status == 0}
        moved = sum(DELTA / line["survivors"] for line in outcome.done()
                    if line["server_round"] * 65536 + line["attempt"] in done and not line["closing_evaluation"])
        self.assertAlmostEqual(outcome.shift, moved, delta=1e-4)
        return outcome, member

    def test_whole_run(self):
        outcome, member = self.play(Member)
        self.assertEqual([line["survivors"] for line in outcome.done()], [4, 4, 4])
        self.assertEqual([status for _, status in sorted(member.results.items())], [0, 0, 0])
        self.assertEqual({site: ledger["entries"] for site, ledger in self.federation.ledgers().items()}, dict.fromkeys(federation.SITES, 3))

    def test_a_round_that_is_burnt(self):
        """One site is killed before its upload and this member is silent: two uploads of four are whole, and three votes burn."""
        outcome, member = self.play(SilentAtTheFirstUpload, dies=("cascade", "round 1: joined"))
        burnt = next(number for number, status in sorted(member.results.items()) if status == 2)
        self.assertEqual(burnt, member.silent_in)
        self.assertIn(burnt, member.certificates)
        ledgers = self.federation.ledgers()
        # The update that was freed is sent again and charged once; the coordinator's figure counts the burnt attempt too.
        for site in ("aurora", "borealis"):
            self.assertLess(ledgers[site]["epsilon"], outcome.status["epsilon"])


if __name__ == "__main__":
    BUILD = sys.argv.pop(1)
    unittest.main()
