#!/usr/bin/env python3
"""The work of scripts/dev/gpu_check.sh, which describes the options. docs/gpu_check.md describes what it writes."""
import argparse
import atexit
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import gpu_check_tests

ROOT = Path(__file__).resolve().parents[2]
MOST_MIB = 64  # of the packages and the working tree together
# Of Debian 12. The runtime libraries come along because another distribution has other versions of them.
PACKAGES = """libsodium-dev libsodium23 nlohmann-json3-dev libfmt-dev libfmt9 libcli11-dev
    libsqlite3-dev libsqlite3-0 libre2-dev libre2-9 libicu-dev libicu72 libkissfft-dev libgtest-dev libgmock-dev libssl-dev
    libssl3 pkgconf-bin libpkgconf3 libjs-chart.js""".split()


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def mib_of(files):
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


def pack(folder):
    """Downloads PACKAGES into the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *PACKAGES], cwd=folder, check=True)
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout
    tree, packages = mib_of(ROOT / name for name in listed.split("\0") if name), mib_of(folder.iterdir())
    say(f"{len(PACKAGES)} packages in {folder}: {packages:.1f} MiB, with the working tree {packages + tree:.1f} MiB")
    if packages + tree > MOST_MIB:
        sys.exit(f"error: more than {MOST_MIB} MiB")


class Check:
    """The phases of one run, their time, and the report, which is written again after each of them."""

    def __init__(self, options):
        self.options, self.end = options, time.monotonic() + options.seconds
        self.log = options.build / "logs"
        self.log.mkdir(parents=True, exist_ok=True)
        self.environment = dict(os.environ)
        self.report = {"format": 1, "budget_seconds": options.seconds, "machine": machine(), "torch": {}, "phases": [],
                       "tests": {}, "comparison": {}, "benchmark": {}, "failed": []}

    def left(self):
        return self.end - time.monotonic()

    def write(self):
        self.options.out.parent.mkdir(parents=True, exist_ok=True)
        draft = self.options.out.with_name(self.options.out.name + ".new")
        draft.write_text(json.dumps(self.report, indent=1) + "\n")
        draft.replace(self.options.out)

    def phase(self, name, least, work, obstacle=None):
        """Runs work(), which returns a status, if `least` seconds are left and nothing is in the way."""
        reason = obstacle or (f"{self.left():.0f} s of the budget are left, it needs {least} s" if self.left() < least else None)
        start = time.monotonic()
        if reason:
            status = "not run"
        else:
            say(f"{name} ({self.left():.0f} s left)")
            try:
                status = work()
            except subprocess.TimeoutExpired:
                status = "timed out"
            except (OSError, subprocess.CalledProcessError) as error:
                status, reason = "failed", str(error)
        entry = {"name": name, "status": status, "seconds": round(time.monotonic() - start, 1)}
        if reason:
            entry["reason"] = reason
        say(f"{name}: {status}" + (f" ({reason})" if reason else f", {entry['seconds']} s"))
        self.report["phases"].append(entry)
        if status in ("failed", "timed out"):
            self.report["failed"].append(name)
        self.write()
        return status == "passed"

    def run(self, name, command):
        """Runs a command with its output in a log, and ends it with all its children when the time is over."""
        with open(self.log / f"{name}.log", "w") as log:
            process = gpu_check_tests.start(command, self.environment, log)
            try:
                code = process.wait(timeout=max(self.left(), 1))
            except subprocess.TimeoutExpired:
                gpu_check_tests.end_group(process)
                raise
        if code != 0:
            print("".join(open(self.log / f"{name}.log", errors="replace").readlines()[-30:]), file=sys.stderr)
        return "passed" if code == 0 else "failed"


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    return {"system": system and system.group(1), "kernel": platform.release(), "processor": cpu and cpu.group(1),
            "cores": len(os.sched_getaffinity(0)), "memory_gib": memory and round(int(memory.group(1)) / 2**20, 1),
            "compiler": first_line("c++", "--version"), "cmake": first_line("cmake", "--version"), "python": platform.python_version(),
            "commit": first_line("git", "-C", str(ROOT), "rev-parse", "HEAD"),
            "device": first_line("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")}


def torch_root(options):
    """The libtorch to build against; None leaves it to CMake: CMAKE_PREFIX_PATH or the system's."""
    if options.torch_root or os.environ.get("SOTTO_TORCH_ROOT"):
        return Path(options.torch_root or os.environ["SOTTO_TORCH_ROOT"]).resolve()
    if os.environ.get("CMAKE_PREFIX_PATH"):
        return None
    # The folder above torch.utils.cmake_prefix_path, without the seconds that importing torch takes.
    found = importlib.util.find_spec("torch")
    folder = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None
    return folder if folder and (folder / "include/ATen/ATen.h").is_file() else None


def unpack(check):
    """Unpacks the packages into a prefix of their own, with a pkg-config that looks there alone."""
    prefix = check.options.build / "packages"
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.mkdir(parents=True)
    for package in sorted(check.options.packages.glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, prefix], check=True)
    libraries = prefix / "usr/lib/x86_64-linux-gnu"
    wrapper = prefix / "pkg-config"
    wrapper.write_text(f"""#!/bin/sh
export PKG_CONFIG_SYSROOT_DIR={prefix} PKG_CONFIG_LIBDIR={libraries}/pkgconfig:{prefix}/usr/share/pkgconfig
LD_LIBRARY_PATH={libraries} exec {prefix}/usr/bin/pkgconf "$@"
""")
    wrapper.chmod(0o755)
    return "passed"


def package_options(prefix):
    """Compiler, linker and programs find what was unpacked there and nothing else does."""
    include = f"{prefix}/usr/include"
    # RPATH, and not RUNPATH, also serves the libraries' own libraries. LD_LIBRARY_PATH would change CMake and Python too.
    rpath = "-Wl,--disable-new-dtags"
    return [f"-DCMAKE_PREFIX_PATH={prefix}/usr", f"-DOPENSSL_ROOT_DIR={prefix}/usr", f"-DPKG_CONFIG_EXECUTABLE={prefix}/pkg-config",
            f"-DCHART_JS={prefix}/usr/share/javascript/chart.js/chart.min.js",
            f"-DCMAKE_CXX_FLAGS=-isystem {include} -isystem {include}/x86_64-linux-gnu",
            f"-DCMAKE_EXE_LINKER_FLAGS={rpath}", f"-DCMAKE_MODULE_LINKER_FLAGS={rpath}"]


def configure(check):
    options = check.options
    command = ["cmake", "-S", ROOT, "-B", options.build, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DSOTTO_NET=OFF",
               "-DSOTTO_WERROR=OFF",  # a newer compiler warns of more; the report has the number of warnings
               f"-DSOTTO_TORCH_JOBS={options.jobs}"]
    if shutil.which("ninja"):
        command += ["-G", "Ninja"]
    if options.packages:
        command += package_options(options.build / "packages")
    root = torch_root(options)
    command.append(f"-DSOTTO_TORCH_ROOT={root or ''}")
    status = check.run("configure", command)
    if status == "passed":
        note_torch(check)
    return status


def cached(check):
    """The variables of CMake's cache."""
    lines = (check.options.build / "CMakeCache.txt").read_text().splitlines()
    return dict(re.match(r"([^:#/]+):\w+=(.*)", line).groups() for line in lines if re.match(r"([^:#/]+):\w+=", line))


def note_torch(check):
    cache = cached(check)
    cuda = cache.get("SOTTO_TORCH_CUDA_LIBRARY", "")
    check.report["torch"] = {"version": cache["SOTTO_TORCH_VERSION"], "library": cache["SOTTO_TORCH_LIBRARY"],
                             "cuda": bool(cuda) and not cuda.endswith("NOTFOUND")}


def build(check, name, targets):
    jobs = check.options.jobs
    go_on = ["-k", "0"] if shutil.which("ninja") else ["-k"]  # every error in one run
    status = check.run(name, ["cmake", "--build", check.options.build, "-j", jobs, "--target", *targets, "--", *go_on])
    text = (check.log / f"{name}.log").read_text(errors="replace")
    check.report["warnings"] = check.report.get("warnings", 0) + len(set(re.findall(r"^.*warning: .*\[-W.*\]$", text, re.M)))
    return status


def test(check, name, programs, environment=None, known=None, share=1.0, jobs=None):
    """Runs test programs; `known` are results of an earlier run, for the order. Returns the phase's status."""
    end = time.monotonic() + share * check.left()
    results = gpu_check_tests.run(programs, {**check.environment, **(environment or {})}, check.log / name,
                                  min(end, check.end), jobs or check.options.jobs, known)
    check.report["tests"][name] = results
    counts = {}
    for result in results:
        counts[result["status"]] = counts.get(result["status"], 0) + 1
    say(f"{name}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    for result in results:
        if result["status"] in gpu_check_tests.BAD:
            say(f"  {result['status']}: {result['name']}")
    if any(counts.get(bad) for bad in gpu_check_tests.BAD):
        return "failed"
    return "incomplete" if counts.get("timed out") or counts.get("not run") else "passed"


def compare(check):
    """What a test gave on the device and on the CPU, and the differences that the tests themselves recorded."""
    tests = check.report["tests"]
    on_cpu = {result["name"]: result["status"] for result in tests.get("tests on the CPU", [])}
    on_device = tests.get("tests on the device", [])
    failed_there = [r["name"] for r in on_device if r["status"] in gpu_check_tests.BAD and on_cpu.get(r["name"]) == "passed"]
    check.report["comparison"] = {
        "ran_on_the_device": sum(r.get("device") == "cuda" for r in on_device),
        "ran_on_the_cpu_alone": [r["name"] for r in on_device if r.get("device", "cpu") == "cpu"],
        "passed_on_the_cpu_and_failed_on_the_device": failed_there,
        "relative_differences": {r["name"]: r["differences"] for r in on_device or tests.get("tests on the CPU", [])
                                 if r.get("differences")},
        "differences_are_of": "device and CPU" if on_device else "CPU and CPU (no device)"}
    return "failed" if failed_there else "passed"


def measure(check, device):
    program = check.options.build / "tests/bench/bench_training"
    name = f"benchmark_{device}"
    try:
        status = check.run(name, [program, "--json", *(["--device", device] if device != "cpu" else [])])
    except subprocess.TimeoutExpired:
        status = "incomplete"
    lines = (check.log / f"{name}.log").read_text(errors="replace").splitlines()
    check.report["benchmark"][device] = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return status


def core_programs(build):
    """The test programs of tests/common: one a folder, except what needs the network."""
    folders = {source.parent.relative_to(ROOT / "tests") for source in (ROOT / "tests/common").rglob("*_test.cc")}
    return [build / "tests" / ("_".join(folder.parts) + "_tests") for folder in sorted(folders) if "net" not in folder.parts]


def check_all(options):
    check = Check(options)
    if options.packages:
        if not check.phase("unpack the packages", 5, lambda: unpack(check)):
            return check
    configured = check.phase("configure", 15, lambda: configure(check))
    built = check.phase("build", 30, lambda: build(check, "build", ["participant_learning_tests", "bench_training"]),
                        None if configured else "the configuration failed")
    unbuilt = None if built else "there is no build"
    device = unbuilt or device_obstacle(check)
    learning = [options.build / "tests/participant_learning_tests"]
    check.phase("tests on the CPU", 20, lambda: test(check, "tests on the CPU", learning, share=0.5), unbuilt)
    known = check.report["tests"].get("tests on the CPU")
    check.phase("tests on the device", 20, lambda: test(check, "tests on the device", learning, {"SOTTO_TEST_DEVICE": "cuda"}, known,
                                                        share=0.6, jobs=min(options.jobs, 6)), device)
    check.phase("comparison", 0, lambda: compare(check), unbuilt)
    check.phase("benchmark on the device", 15, lambda: measure(check, "cuda"), device)
    check.phase("benchmark on the CPU", 15, lambda: measure(check, "cpu"), unbuilt)
    programs = core_programs(options.build)
    core = check.phase("build of the core's tests", 30, lambda: build(check, "build_core", [p.name for p in programs]), unbuilt)
    check.phase("tests of the core", 10, lambda: test(check, "tests of the core", programs), None if core else "there is no build")
    return check


def device_obstacle(check):
    if not check.report["torch"].get("cuda"):
        return "this libtorch has no CUDA"
    if check.report["machine"]["device"] is None and not Path("/dev/nvidia0").exists():
        return "this machine has no device"
    return None


def parsed():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, nargs="?", const=ROOT / "build/gpu-packages")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--torch-root", type=Path)
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--build", type=Path, default=ROOT / "build/gpu-check")
    parser.add_argument("--jobs", type=int)
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.out = (options.out or options.build / "gpu-check.json").resolve()
    usual = ROOT / "build/gpu-packages"
    options.packages = options.packages or (usual if usual.is_dir() else None)
    if options.packages and not any(options.packages.glob("*.deb")):
        parser.error(f"{options.packages} holds no packages: make it with --pack")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    options.jobs = options.jobs or max(1, min(len(os.sched_getaffinity(0)), int(memory / 1.5e9)))
    return options


def main():
    options = parsed()
    if options.pack:
        return pack(options.pack.resolve())
    atexit.register(gpu_check_tests.end_all)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(gpu_check_tests.end_all() or 143))
    check = check_all(options)
    say(f"{options.out}: " + (f"failed: {', '.join(check.report['failed'])}" if check.report["failed"] else "nothing that ran failed"))
    sys.exit(1 if check.report["failed"] else 0)


if __name__ == "__main__":
    main()
