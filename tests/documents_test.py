#!/usr/bin/env python3
"""Checks every command that README.md, docs/ and configs/*/README.md show: its program, subcommand and options exist,
and the files of the repository that it names exist. The commands that need nothing but the repository are run as well;
those of docs/your-data.md and docs/three-organisations.md are run as walk-throughs, as they stand there.

Usage: documents_test.py BUILD_FOLDER
"""
import csv
import functools
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "dev"
PROGRAMS = {
    "sotto-coordinator": "coordinator/sotto-coordinator",
    "sotto-participant": "participant/sotto-participant",
    "sotto-simulate": "participant/sotto-simulate",
}
# Commands that the other tests do not run and that need nothing but the repository. They run in the order of the
# documents, in one folder that holds configs/ and scripts/.
RUN = re.compile(
    r"sotto-participant (privacy (configs/quickstart|--sampling)|data (count|check|mask-score|anonymise|mask-key|mask) "
    r"|policy explain configs/quickstart/job.json --site configs)|scripts/table_accuracy.py")


def documents():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "configs").glob("*/README.md"))]


def commands_in(document):
    """Yields (line number, command) of the code blocks of a document; a line that ends with a backslash goes on."""
    lines = document.read_text().split("\n")
    fenced, at = False, 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        at += 1
        if line.startswith("```"):
            fenced = not fenced
            continue
        if not fenced and not line.startswith("    "):
            continue
        text = line.strip()
        while text.endswith("\\"):
            text = text[:-1].rstrip() + " " + lines[at].strip()
            at += 1
        text = re.sub(r"^\./(?=scripts/|build/)", "", text)
        if re.match(r"(scripts/|build/dev/|sotto-|echo .* \| sotto-)", text):
            yield number, text


def every_command():
    return [(f"{document.relative_to(ROOT)}:{number}", text)
            for document in documents() for number, text in commands_in(document)]


def words_of(text):
    """Splits a command; a comment, a redirection and what follows a pipe do not belong to it, nor does `echo TEXT |`."""
    words = shlex.split(re.sub(r"^echo .* \| ", "", text), comments=True)
    for stop in ("<", ">", "|", "&&", ";"):
        if stop in words:
            words = words[:words.index(stop)]
    return words


def program_of(word):
    """Returns the path of one of the three programs, or nothing."""
    name = pathlib.PurePath(word).name
    return BUILD / PROGRAMS[name] if name in PROGRAMS else None


@functools.lru_cache(maxsize=None)
def help_of(program, *path):
    done = subprocess.run([program, *path, "--help"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def subcommands(text):
    """Returns the names in the list of subcommands of a help text."""
    listed = re.search(r"^(?:Subcommands|SUBCOMMANDS):\n((?:  .*\n|\n)*)", text, re.M)
    return set(re.findall(r"^  ([a-z][\w-]*)", listed.group(1), re.M)) if listed else set()


def mistakes_of_program(program, words):
    path, found = [], []
    while (names := subcommands(help_of(program, *path))):
        if not words or words[0] not in names:
            return [f"{' '.join([program.name, *path])} has no subcommand {words[0] if words else '(none given)'}"]
        path.append(words.pop(0))
    text = help_of(program, *path)
    for word in words:
        option = word.split("=")[0]
        if re.fullmatch(r"--[a-z][\w-]*", option) and not re.search(rf"(?<![\w-]){option}(?![\w-])", text):
            found.append(f"{' '.join([program.name, *path])} has no option {option}")
    return found


def mistakes_of_script(words):
    script = ROOT / words[0]
    if not script.is_file():
        return [f"{words[0]} does not exist"]
    text = script.read_text()
    return [f"{words[0]} has no option {option}" for option in (word.split("=")[0] for word in words[1:])
            if re.fullmatch(r"--[a-z][\w-]*", option) and option not in text and words[0] not in PASSING_ON]


# Scripts that pass options on to the program whose name follows.
PASSING_ON = {"scripts/simulate.sh": "sotto-simulate", "scripts/test.sh": None, "scripts/bench.sh": None}


def mistakes_of(text):
    words = words_of(text)
    program = program_of(words[0])
    found = mistakes_of_program(program, words[1:]) if program else mistakes_of_script(words)
    if PASSING_ON.get(words[0]):
        passed = [word for word in words[1:] if word.split("=")[0] not in (ROOT / words[0]).read_text()]
        found += mistakes_of_program(BUILD / PROGRAMS[PASSING_ON[words[0]]], passed)
    found += [f"{word} does not exist" for word in words[1:]
              if re.match(r"(configs|scripts|tests)/", word) and not (ROOT / word).exists()]
    return found


class Documents(unittest.TestCase):
    def test_there_are_commands(self):
        self.assertGreater(len(every_command()), 90)

    def test_every_command_exists_with_its_options(self):
        found = [f"{place}: {mistake}" for place, text in every_command() for mistake in mistakes_of(text)]
        self.assertEqual([], found)

    def test_a_wrong_command_is_found(self):
        for text in ("sotto-participant data examine FILE", "sotto-coordinator run --jobb job.json",
                     "scripts/launch.sh --jobs job.json", "scripts/missing.sh", "sotto-coordinator enrol --dir x",
                     "sotto-participant data count configs/missing.tsv"):
            self.assertNotEqual([], mistakes_of(text), text)

    def test_the_commands_that_need_only_the_repository_run(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("configs", "scripts"):
                (pathlib.Path(folder) / name).symlink_to(ROOT / name)
            shutil.copy(ROOT / "configs" / "masking" / "sample.txt", pathlib.Path(folder) / "tickets.txt")
            ran = 0
            for place, text in every_command():
                text = text.removeprefix("build/dev/participant/")
                if not RUN.match(text) or "/tmp/" in text:
                    continue
                with self.subTest(place):
                    done = subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, text=True, check=False,
                                          env={"PATH": f"{BUILD}/coordinator:{BUILD}/participant:/usr/bin:/bin"})
                    self.assertEqual(0, done.returncode, f"{place}: {text}\n{done.stderr}")
                    ran += 1
            self.assertGreater(ran, 8)


def rows_of(labels, shard, most):
    """Returns (text, label) of questions of the worked example banking; `labels` maps its labels to those wanted."""
    found = {}
    for line in (ROOT / "configs/banking/data/shards" / shard / "train.tsv").read_text().splitlines():
        label, text = line.split("\t", 1)
        if label in labels:
            found.setdefault(label, []).append((text, labels[label]))
    return [row for rows in found.values() for row in rows[:most]]


def write_csv(file, rows):
    with open(file, "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("text", "label"), *rows])


class WalkThroughs(unittest.TestCase):
    """Runs the commands of a document in a folder whose name has a blank and an apostrophe."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name) / "a user's folder"
        self.folder.mkdir()
        self.environment = {**os.environ, "PATH": f"{BUILD}/coordinator:{BUILD}/participant:/usr/bin:/bin"}

    def tearDown(self):
        self.temporary.cleanup()

    def run_in(self, folder, text):
        done = subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, text=True, check=False,
                              env=self.environment, stdin=subprocess.DEVNULL)
        self.assertEqual(0, done.returncode, f"{text}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_your_data(self):
        for name in ("configs", "scripts"):
            (self.folder / name).symlink_to(ROOT / name)
        (self.folder / "build").mkdir()
        (self.folder / "build" / "dev").symlink_to(BUILD)
        labels = ["card_arrival", "exchange_rate", "lost_or_stolen_card", "pending_transfer", "change_pin", "atm_support"]
        write_csv(self.folder / "questions.csv",
                  [row for shard in ("aurora", "borealis", "cascade", "delta")
                   for row in rows_of({label: label for label in labels}, shard, 40)])
        commands = [text for _, text in commands_in(ROOT / "docs/your-data.md")]
        self.assertLessEqual(len(commands), 5)
        answers = [self.run_in(self.folder, text.replace("launch.sh", "launch.sh --no-build")) for text in commands]
        summary = json.loads((self.folder / "tickets/run/summary.json").read_text())
        self.assertGreater(summary["accuracy"], 2 * 0.17, "chance is 17 %")
        self.assertAlmostEqual(summary["epsilon"], 4, delta=0.02)
        self.assertIn("lost_or_stolen_card", answers[3])
        self.assertIn(answers[4].split("\t")[0], labels)

    def test_three_organisations(self):
        sites = ("aurora", "borealis", "cascade")
        labels = {"card_arrival": "delivery", "exchange_rate": "billing", "change_pin": "other"}
        machines = {name: self.folder / f"machine of {name}" for name in (*sites, "coordinator")}
        for name, machine in machines.items():
            machine.mkdir()
            shutil.copytree(ROOT / "configs/banking/model", machine / "model")
            if name in sites:
                write_csv(machine / "train.csv", rows_of(labels, name, 60))
                write_csv(machine / "evaluation.csv", rows_of(labels, "delta", 10))
        for _, text in commands_in(ROOT / "docs/three-organisations.md"):
            self.play(machines, sites, text)
        self.assertGreater(json.loads((machines["coordinator"] / "runs/first/summary.json").read_text())["epsilon"], 3.9)
        self.assertTrue((machines["coordinator"] / "runs/first/model/model.safetensors").is_file())

    def play(self, machines, sites, text):
        """Plays one command of the walk-through where it belongs, and carries what it makes to the others."""
        coordinator = machines["coordinator"]
        if text.startswith("sotto-coordinator"):
            if " init " in text:
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    text = text.replace("coordinator.example:7010", f"127.0.0.1:{free.getsockname()[1]}")
            self.run_in(coordinator, text)
            if " enroll " in text:
                for name in sites:
                    shutil.copy(coordinator / "coordinator/federation.json", machines[name])
            return
        if "aurora" not in text:  # the data scientist's
            self.run_in(coordinator, text)
            for name in sites:
                if (coordinator / "job").is_dir():
                    shutil.copytree(coordinator / "job", machines[name] / "job", dirs_exist_ok=True)
            return
        for name in sites:
            own = text.replace("aurora", name)
            if own.startswith("sotto-participant run"):
                site = subprocess.Popen(["bash", "-c", "exec " + own], cwd=machines[name], env=self.environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.addCleanup(lambda site=site: (site.terminate(), site.wait()))
                continue
            self.run_in(machines[name], own)
            for card in (machines[name] / name).glob("*.card.json"):
                shutil.copy(card, coordinator)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
