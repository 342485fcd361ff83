"""Runs GoogleTest programs in several processes until a given time, and says of every test what became of it. A test
that ends its process or does not finish in time costs no other test its result."""
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque

BAD = ("failed", "crashed")
WORDS = {"OK": "passed", "FAILED": "failed", "SKIPPED": "skipped"}
LONG_SECONDS = 2.0  # a test that is known to take longer has a process of its own
MESSAGE_CHARACTERS = 2000


RUNNING = set()  # processes, which must not outlive the script


def start(command, environment, output):
    """Starts a process in a session of its own, so that end_group() reaches its children."""
    process = subprocess.Popen([str(word) for word in command], env=environment, stdout=output, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    RUNNING.add(process)
    return process


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def end_all():
    for process in list(RUNNING):
        if process.poll() is None:
            end_group(process)


def tests_of(program, environment):
    listed = subprocess.run([str(program), "--gtest_list_tests"], env=environment, capture_output=True, text=True, timeout=120, check=True)
    suite, out = "", []
    for line in listed.stdout.splitlines():
        name = line.split("#")[0].rstrip()
        if line.startswith("  "):
            out.append(suite + name.strip())
        elif name.endswith("."):
            suite = name
    return out


def chunks(names, jobs, known):
    """Tests that share a process: suites in pieces, or by what an earlier run took, the longest first."""
    seconds = {result["name"]: result.get("seconds", 0) for result in known or []}
    long = sorted((n for n in names if seconds.get(n, 0) > LONG_SECONDS), key=lambda n: -seconds[n])
    size = max(1, len(names) // (8 * jobs))
    pieces, last = [], None
    for name in names:
        if name in long:
            continue
        suite = name.split(".")[0]
        if suite != last or len(pieces[-1]) >= size:
            pieces.append([])
        pieces[-1].append(name)
        last = suite
    return [[name] for name in long] + pieces


def from_json(file):
    """The results in GoogleTest's own report; empty if the process did not live to write it."""
    try:
        report = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    out = {}
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            failures = "\n".join(failure["failure"] for failure in test.get("failures", []))
            result = {"name": f"{test['classname']}.{test['name']}", "seconds": float(test["time"].rstrip("s")),
                      "status": "failed" if failures else "skipped" if test["result"] == "SKIPPED" else "passed",
                      "device": test.get("device", "cpu")}
            if failures:
                result["message"] = failures[:MESSAGE_CHARACTERS]
            differences = {key.removeprefix("difference_of_"): float(value) for key, value in test.items()
                           if key.startswith("difference_of_")}
            if differences:
                result["differences"] = differences
            out[result["name"]] = result
    return out


def from_log(text, was_ended):
    """The same from the output of a process that ended within a test; which device a test used is not known then."""
    out, running = {}, None
    for word, name, rest in re.findall(r"^\[ *(RUN|OK|FAILED|SKIPPED) *\] (\S+?)(?:,.*?)?( \(\d+ ms\))?$", text, re.M):
        if word == "RUN":
            running = name
        elif rest:
            out[name] = {"name": name, "status": WORDS[word], "seconds": int(rest.strip(" ()ms")) / 1000, "device": None}
            running = None
    if running is not None:
        out[running] = {"name": running, "status": "timed out" if was_ended else "crashed", "device": None,
                        "message": text[-MESSAGE_CHARACTERS:]}
    return out


class Run:
    def __init__(self, environment, folder, end):
        self.environment, self.folder, self.end = environment, folder, end
        self.queue, self.results, self.lock, self.started, self.busy = deque(), {}, threading.Lock(), 0, 0

    def next_piece(self):
        with self.lock:
            if not self.queue or time.monotonic() >= self.end:
                return None
            self.started += 1
            self.busy += 1
            return self.started, *self.queue.popleft()

    def work(self):
        while True:
            piece = self.next_piece()
            if piece is None:
                with self.lock:
                    done = self.busy == 0 or time.monotonic() >= self.end
                if done:
                    return
                time.sleep(0.05)  # what another worker runs may come back in parts
                continue
            number, program, names, again = piece
            found = self.run_piece(number, program, names)
            with self.lock:
                self.add(program, names, found, again)
                self.busy -= 1

    def run_piece(self, number, program, names):
        report, log = self.folder / f"{number}.json", self.folder / f"{number}.log"
        command = [program, f"--gtest_filter={':'.join(names)}", f"--gtest_output=json:{report}"]
        was_ended = False
        with open(log, "w") as output:
            process = start(command, self.environment, output)
            try:
                process.wait(timeout=max(self.end - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                was_ended = True
                end_group(process)
        text = log.read_text(errors="replace")
        found = from_json(report) or from_log(text, was_ended)
        if not found and not was_ended:
            found = {names[0]: {"name": names[0], "status": "crashed", "device": None, "message": text[-MESSAGE_CHARACTERS:]}}
        return found

    def add(self, program, names, found, again):
        rest = [name for name in names if name not in found]
        if rest and any(result["status"] == "crashed" for result in found.values()):
            self.queue.append((program, rest, again))
        for name, result in found.items():
            # A failure may be the fault of another test in the process: the test is run once more, alone.
            if result["status"] in ("failed", "crashed") and len(names) > 1 and not again:
                self.queue.append((program, [name], True))
            if again and result["status"] == "passed":
                result = {**self.results[name], "passed_alone": True}
            self.results[name] = result


def run(programs, environment, folder, end, jobs, known=None):
    """Returns a result for every test of the programs. They are listed as not run where `end` comes first."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    # The processes are the parallelism: each has one thread.
    environment = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **environment}
    state, names = Run(environment, folder, end), []
    for program in programs:
        own = tests_of(program, environment)
        names += own
        state.queue.extend((program, piece, False) for piece in chunks(own, jobs, known))
    workers = [threading.Thread(target=state.work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [state.results.get(name, {"name": name, "status": "not run", "device": None}) for name in names]
