#!/usr/bin/env python3
"""Plays misbehaviours against a real coordinator and three real sites, and checks what a run must keep to.

  misbehaviours.py --list                     the names, and the groups that ctest runs
  misbehaviours.py BUILD [NAME_OR_GROUP...]   each name in a run of its own; the tricks of a group one after the other in one run;
                                              without a name, all of them
                   [--keep FOLDER]            keep the folders and logs of the runs there

Of every run is checked: it ends with status 0; each honest site is in every sum and is charged at most once a round and once for
each attempt that the trick may cost; the log is not filled; the mean of all parameters moves no further than the trick may move it; the member in
Python is in the sum of the trick's round or is not; and the culprit is named in the console, status, metrics or evidence.
"""

import argparse
import multiprocessing
import pathlib
import re
import shutil
import sys
import tempfile

import federation
import hostile
import tricks_round
import tricks_upload
import tricks_wire

BY_NAME = {**tricks_round.TRICKS, **tricks_upload.TRICKS, **tricks_wire.TRICKS}

# Tricks that leave everybody in place share one run, a round each. Tricks after which a member is left out for a while come in
# threes, with rounds between them. What loses attempts, or lasts for the whole run, has a run of its own.
GROUPS = {
    "frames": ["lying_frame", "other_id", "coordinators_words", "genesis_uncalled", "duplicates", "early_everything", "replay"],
    "keys_twice": ["two_m1"],
    "voting_twice": ["two_votes"],
    "burning": ["endorse_and_burn"],
    "burning_early": ["early_burn"],
    "answering_wrong": ["wrong_answer"],
    "answering_twice": ["two_answers"],
    "uploading_twice": ["two_uploads"],
    "counters": ["huge_counters", "negative_metrics", "faked_metrics", "spoils_evaluation", "early_upload", "blob_requests"],
    "handshake": ["other_protocol", "yesterdays_roster"],
}
LOUD = {name for names in GROUPS.values() for name in names}
GROUPS.update({name: [name] for name in BY_NAME if name not in LOUD})
LASTING = {"wrong_mask", "sentinel", "count_two", "heavy_weight", "check_word_forged", "last_moment", "silent_job", "false_complaint", "false_key_complaint"}


# So many federations play beside each other: nearly all of a run's time is waiting for deadlines.
FEDERATIONS = 6
# They begin first, so that no federation plays on alone at the end.
LONGEST = ["last_moment", "flood_advertise", "flood_job_reply", "many_links", "silent_job", "flood_hello", "flapping"]
MOST_LINES = 200  # about one member; each kind is named at the 1st, 2nd, 4th, 8th ... time


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


def judge(outcome, member, tricks):
    """Raises Failure where something does not hold that has to."""
    expected = [trick.EXPECT for trick in tricks]
    check(outcome.code == 0, f"the run ended with {outcome.code}")
    done = outcome.done()
    for line in done if all(each.everybody for each in expected) else []:
        missing = [site for site in federation.SITES if not outcome.endorsed(site, line["server_round"])]
        check(not missing, f"{missing} missed in the sum of round {line['server_round']}")
    allowed = len(done) + sum(each.lost for each in expected)
    for site in federation.SITES:
        check(outcome.releases(site) <= allowed, f"{site} released {outcome.releases(site)} times, {allowed} are allowed")
    bound = sum(each.shift for each in expected) if tricks[0].__name__ not in LASTING else expected[0].shift * len(done)
    check(outcome.shift is not None and abs(outcome.shift) <= bound, f"the mean moved by {outcome.shift}, by {bound} at most")
    check(len(outcome.about(federation.PYTHON)) <= MOST_LINES, f"{len(outcome.about(federation.PYTHON))} lines about the member")
    played = {type(trick).__name__: number for trick, number in reversed(member.played)}
    for trick in tricks:
        judge_trick(outcome, trick, played)


def judge_trick(outcome, trick, played):
    name, expect = trick.__name__, trick.EXPECT
    check(name in played or getattr(trick, "BEFORE_ROUNDS", False), f"{name} was not played: the member was in too few rounds")
    about = outcome.about(federation.PYTHON)
    named = expect.named is None or any(re.search(expect.named, line, re.IGNORECASE) for line in about)
    check(named, f"{name}: {expect.named!r} is nowhere in {about}")
    for line in outcome.done():
        if line["server_round"] == played.get(name, 0) >> 16:
            survivors = len(federation.SITES) + bool(expect.in_sum)
            check(expect.in_sum is None or line["survivors"] == survivors, f"{name}: {line['survivors']} in the sum, {survivors} have to be")
            check(not expect.void or line.get("no_evaluation", "").startswith("void"), f"{name}: the figures are not void")


def run(federation_, name, tricks):
    lasting = tricks[0].__name__ in LASTING
    rounds = 2 if lasting or len(tricks) == 1 else len(tricks) + 3
    return federation_.run(name, hostile.playing(tricks, repeated=lasting), [f"rounds.num_server_rounds={rounds}"], delta=0.0, verbose=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep")
    arguments = parser.parse_intermixed_args()
    if arguments.list:
        for group, names in GROUPS.items():
            print(group if group == names[0] else f"{group}: {' '.join(names)}")
        return 0
    names = sorted(arguments.names or GROUPS, key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))
    folder = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="sotto-misbehaviours-"))
    try:
        return play(names, arguments.build, folder)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


def play(names, build, folder):
    """Plays the names in several federations, each of which takes the next name when it is free. Returns the exit status."""
    queue = multiprocessing.Queue()
    players = [multiprocessing.Process(target=play_from, args=(queue, build, folder / f"federation-{i + 1}"))
               for i in range(min(FEDERATIONS, len(names)))]
    for player in players:
        player.start()
    for name in names + [None] * len(players):
        queue.put(name)
    for player in players:
        player.join()
    return int(any(player.exitcode != 0 for player in players))


def play_from(queue, build, folder):
    """Plays the names of the queue up to None in a federation of its own. Exits with 1 if any failed."""
    folder.mkdir(parents=True)
    sites = federation.Federation(federation.Programs(build), folder)
    try:
        sites.start_sites()
        results = [passes(sites, name) for name in iter(queue.get, None)]
    finally:
        sites.stop()
    sys.exit(0 if all(results) else 1)


def passes(sites, name):
    """Plays a trick or a group and prints a line about it."""
    tricks = [BY_NAME[each] for each in GROUPS.get(name, [name])]
    outcome, member = run(sites, name, tricks)
    failure = None
    try:
        judge(outcome, member, tricks)
    except Failure as problem:
        failure = problem
    result = "passed" if failure is None else f"FAILED: {failure}"
    lines = [f"{name:26} {outcome.seconds:5.1f} s  {result}", *outcome.about(federation.PYTHON)[:5]]
    print("\n    ".join(lines) + "\n", end="", flush=True)
    return failure is None


if __name__ == "__main__":
    sys.exit(main())
