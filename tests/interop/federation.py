"""A federation of real processes on loopback: a coordinator, three sites, and a place for the member in Python."""

import json
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

import identity
from member import Keys, Member

SITES = ["aurora", "borealis", "cascade"]
PYTHON = "python"
LABELS = ["no", "yes"]
NORMAL = ["accepts the job", "running in", "takes part only in sums of"]  # what the coordinator says about every member
EXAMPLES = 20  # of each site's two files

JOB = {
    "name": "interop",
    "model": {"path": "model", "max_length": 8, "initial": "random"},
    "task": {"type": "sequence_classification", "labels": LABELS},
    "rounds": {"num_server_rounds": 2, "min_available_participants": 3, "phase_timeout_s": 16, "training_timeout_s": 16},
    "secure_aggregation": {"max_colluders": 1, "quantization_bits": 16, "value_range": 1.0},
    "differential_privacy": {"target_epsilon": 8, "target_delta": 1e-5, "clipping_norm": 1.0},
    # Steps are so small that only the member in Python moves the model.
    "local_training": {"local_steps": 1, "sampling_rate": 0.5, "optimizer": "sgd", "learning_rate": 1e-9},
    "seed": 1,
}
MODEL = {
    "model_type": "bert", "architectures": ["BertForSequenceClassification"], "vocab_size": 32, "hidden_size": 8,
    "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 16, "type_vocab_size": 1,
    "layer_norm_eps": 1e-5, "hidden_act": "gelu", "initializer_range": 0.18, "classifier_pooling": "mean",
}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(ord("a") + i) for i in range(26)] + ["##a"]


def site_configuration(name):
    return {
        "label": "interop",
        "model": {"path": "../../job/model"},
        "data": {"dataset_id": name, "train": "train.tsv", "evaluation": "eval.tsv", "training_examples": EXAMPLES,
                 "evaluation_examples": EXAMPLES},
        "policy": {"max_epsilon": 1000, "max_epsilon_per_job": 1000, "delta": 1e-5, "min_cohort": 3, "max_colluders": 1,
                   "allowed_tasks": ["sequence_classification"], "max_jobs_judged_per_day": 100000},
        "resources": {"device": "cpu", "threads": 1},
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Programs:
    def __init__(self, build):
        self.coordinator = str(pathlib.Path(build) / "coordinator/sotto-coordinator")
        self.participant = str(pathlib.Path(build) / "participant/sotto-participant")

    @staticmethod
    def call(*arguments):
        result = subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=300)
        if result.returncode != 0:
            raise RuntimeError(f"{arguments} ended with {result.returncode}: {result.stdout}{result.stderr}")
        return result.stdout


class Federation:
    """Keys, cards, roster, job and model in a folder, and the processes. Sites stay up from run to run, as daemons do."""

    def __init__(self, programs, folder):
        self.programs, self.folder, self.processes = programs, pathlib.Path(folder), {}
        self.make_job()
        programs.call(programs.coordinator, "init", "--dir", self.folder / "coordinator", "--name", "interop", "--endpoint",
                      f"tcp://127.0.0.1:{free_port()}")
        cards = [self.make_site(name) for name in SITES]
        self.keys = Keys.make(self.folder / PYTHON, PYTHON)
        cards.append(self.folder / PYTHON / f"{PYTHON}.card.json")
        programs.call(programs.coordinator, "enroll", "--dir", self.folder / "coordinator", *cards)
        for name in SITES:
            programs.call(programs.participant, "join", "--dir", self.folder / "sites" / name, self.folder / "coordinator/federation.json")
        self.roster = identity.Roster((self.folder / "coordinator/federation.json").read_text())
        (self.folder / "logs").mkdir()

    def make_job(self):
        job = self.folder / "job"
        (job / "model").mkdir(parents=True)
        (job / "job.json").write_text(json.dumps(JOB))
        (job / "model/config.json").write_text(json.dumps(MODEL))
        (job / "model/vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
        self.programs.call(self.programs.participant, "model", "init", "--job", job / "job.json", "--out", job / "initial")

    def make_site(self, name):
        folder = self.folder / "sites" / name
        self.programs.call(self.programs.participant, "init", "--dir", folder, "--name", name)
        (folder / "site.json").write_text(json.dumps(site_configuration(name)))
        lines = [f"{LABELS[i % 2]}\t{'abcdefgh'[i % 8]} {'xyz'[i % 3]}\n" for i in range(EXAMPLES)]
        (folder / "train.tsv").write_text("".join(lines))
        (folder / "eval.tsv").write_text("".join(reversed(lines)))  # a site refuses a copy of its training data
        return folder / f"{name}.card.json"


    def start(self, name, log_name, *arguments):
        with open(self.log_path(log_name), "a") as log:
            self.processes[name] = subprocess.Popen([str(argument) for argument in arguments], stdout=log, stderr=subprocess.STDOUT)
        return self.processes[name]

    def log_path(self, name):
        return self.folder / f"logs/{name}.log"

    def start_site(self, name):
        return self.start(name, name, self.programs.participant, "run", "--dir", self.folder / "sites" / name)

    def start_sites(self, dies=None):
        """`dies`: (site, line): that site is killed once, when its log has the line."""
        for name in SITES:
            if dies is not None and dies[0] == name:
                threading.Thread(target=self.killed_once, args=dies, daemon=True).start()
            else:
                self.start_site(name)

    def killed_once(self, name, line):
        process = self.start_site(name)
        while line not in self.log_path(name).read_text():
            time.sleep(0.002)
        process.kill()
        process.wait()
        self.start_site(name)

    def run(self, name, kind=Member, overrides=(), limit_s=240, **arguments):
        """One run with a member of the class `kind`, to its end; returns the Outcome and the member."""
        began = time.monotonic()
        before = {site: self.log_path(site).stat().st_size for site in SITES if self.log_path(site).exists()}
        job = self.folder / "job"
        sets = [argument for override in overrides for argument in ("--set", override)]
        coordinator = self.start("coordinator", f"coordinator-{name}", self.programs.coordinator, "run", "--dir", self.folder / "coordinator",
                                 "--job", job / "job.json", *sets, "--out", self.folder / name,
                                 "--initial-model", job / "initial/model.safetensors", "--gather", "8")
        member = kind(self.keys, self.roster, **arguments)
        thread = threading.Thread(target=member.take_part, kwargs={"limit_s": limit_s}, daemon=True)
        thread.start()
        try:
            code = coordinator.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
            end(coordinator)
        member.finished = member.finished or True
        thread.join(5)
        return Outcome(self, name, code, time.monotonic() - began, before), member

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            end(process)

    def ledgers(self):
        """Of each site, which has to have ended."""
        asked = {name: subprocess.Popen([self.programs.participant, "ledger", "--dir", self.folder / "sites" / name, "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for name in SITES}
        return {name: json.loads(process.communicate()[0]) for name, process in asked.items()}


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Outcome:
    """What a run left behind."""

    def __init__(self, federation, name, code, seconds, before):
        run = federation.folder / name
        self.code, self.seconds = code, seconds
        self.console = federation.log_path(f"coordinator-{name}").read_text(errors="replace")
        self.status = json.loads((run / "status.json").read_text()) if (run / "status.json").exists() else {}
        metrics = run / "metrics.jsonl"
        self.rounds = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
        self.evidence = sorted(path.name for path in (run / "evidence").glob("*")) if (run / "evidence").exists() else []
        self.sites = {site: federation.log_path(site).read_bytes()[before.get(site, 0):].decode(errors="replace") for site in SITES}
        # How far the mean of all parameters has moved since the first model; None where there is no model at the end.
        first, last = mean(federation.folder / "job/initial/model.safetensors"), mean(run / "model/model.safetensors")
        self.shift = None if last is None else last - first

    def about(self, name):
        """All that an operator is shown about a member, apart from its acceptance; what is normal is left out."""
        lines = [line for line in self.console.splitlines() if name in line and not any(text in line for text in NORMAL)]
        for member in self.status.get("members", []):
            if member["name"] == name:
                normal = {"connected", "id", "name"}
                lines += [f"{name}: status {key}: {value}" for key, value in member.items()
                          if key not in normal and value not in (0, "", [], "accepted", "uploaded")]
        return lines + [f"{name} or another: evidence {file}" for file in self.evidence]

    def done(self):
        return [line for line in self.rounds if line["status"] == "done"]

    def releases(self, site):
        """Masked updates and counters that left a site, each of them in its ledger before."""
        return self.sites[site].count("released the masked update")

    def endorsed(self, site, server_round):
        """A site signs for survivors only where it is one of them."""
        return f"round {server_round}: endorsed the survivors" in self.sites[site]


def mean(path):
    """Of all values of a file of safetensors with float32 values."""
    if not os.path.exists(path):
        return None
    data = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack_from("<Q", data)[0]
    values = struct.unpack(f"<{(len(data) - start) // 4}f", data[start:])
    return sum(values) / len(values)
