#!/usr/bin/env python3
"""The rules of this repository that a compiler does not check (docs/architecture.md).

Usage: tests/tidy_test.py [--build DIR] [--root DIR]
  --build DIR   also: DIR/compile_commands.json compiles every source, so that nothing is left out of the build, and
                those of BIT_EXACT with their option
"""
import argparse
import json
import re
import sys
from pathlib import Path

CORE = "base tasks crypto storage model privacy encoding wire secagg config identity job observability"

# What the files of a folder, or one file (without its ending), may include besides files of their own folder.
# "a" in an entry stands for common/a where there is one, and a folder for all folders below it; the longest
# prefix of a path is its place; "*" is everything.
MAY_INCLUDE = {
    "common/base": "",
    "common/tasks": "base",
    "common/crypto": "base",
    "common/storage": "base crypto",
    "common/model": "base crypto storage",
    "common/privacy/mechanisms": "base crypto model",
    "common/privacy/accounting": "base crypto privacy/mechanisms",
    "common/privacy/ledger": "base crypto storage privacy/accounting",
    "common/encoding": "base crypto model privacy",
    "common/wire": "base crypto encoding",
    "common/secagg/shared": "base crypto model privacy encoding wire",
    "common/secagg/shared/abort": "base crypto wire secagg",
    "common/secagg/randomness": "base crypto wire secagg/shared",
    "common/secagg/evidence": "base crypto wire secagg/shared secagg/randomness",
    "common/secagg/client": "base crypto encoding wire secagg/shared secagg/randomness secagg/evidence",
    "common/secagg/server": "base crypto encoding wire secagg/shared secagg/randomness secagg/evidence",
    "common/config": "base tasks crypto storage model privacy encoding wire secagg",
    "common/identity": "base crypto storage config",
    "common/job": "base tasks crypto storage model privacy encoding secagg config",
    "common/observability": "base crypto storage secagg config identity",
    "common/cli": CORE,
    "common/net": "base crypto wire",
    "common/simulation": "base crypto storage wire",
    # The round machine knows no files but the two services that it is given.
    "coordinator/protocol": "base crypto model privacy encoding wire secagg",
    "coordinator/protocol/randomness_exchange": "base crypto storage wire secagg",
    "coordinator/members": CORE + " coordinator/protocol coordinator/observability",
    "coordinator/storage": CORE + " coordinator/protocol coordinator/driver/stopping",
    "coordinator/observability": CORE + " coordinator/protocol coordinator/members",
    "coordinator/driver": CORE + " coordinator/protocol coordinator/members coordinator/storage coordinator/observability",
    "coordinator/driver/stopping": "base config job",
    "coordinator/dashboard": CORE + " coordinator/observability",
    "coordinator/cli": CORE + " cli net coordinator",
    # The session knows no files; the driver keeps its guard.
    "participant/protocol": "base crypto model privacy encoding wire secagg",
    "participant/protocol/guard": "base wire storage",
    "participant/protocol/randomness_log": "base storage secagg",
    "participant/privacy": "base config encoding job privacy participant/protocol participant/admission/policy",
    "participant/admission": CORE + " participant/privacy participant/driver participant/training participant/data",
    "participant/admission/policy": "base config wire job",
    "participant/identity": CORE,
    "participant/data": "base tasks crypto storage model config identity participant/deidentify/tables",
    "participant/inspection": "base tasks storage config participant/data participant/text participant/deidentify/tables",
    "participant/text": "base",
    "participant/deidentify/tables": "base storage",
    "participant/deidentify/anonymisation": "base storage config participant/deidentify/tables",
    "participant/deidentify/redaction": "base crypto storage config participant/text",
    "participant/learning": "base tasks crypto model privacy config participant/data participant/text participant/training",
    "participant/driver": CORE + " participant/protocol participant/privacy participant/admission participant/training participant/data",
    "participant/training": CORE + " participant/data participant/privacy participant/admission participant/driver",
    "participant/cli": CORE + " cli net participant",
    "participant/simulation": CORE + " cli simulation net coordinator participant",
    "tests": "*",
}

# Third-party headers: who may include them. A place is a folder, or one file; a folder ending in "/*.cc" admits source
# files only.
THIRD_PARTY = {
    r"(torch|ATen|c10)/": ["participant/learning", "tests/participant/learning", "tests/bench"],
    r"unicode/": ["participant/text/*.cc"],
    r"re2/": ["participant/deidentify/redaction/*.cc"],
    r"zmq(_utils)?\.h": ["common/net/*.cc", "tests/common/net"],
    r"boost/(asio|beast|system)": ["common/net", "coordinator", "participant", "tests/common/net", "tests/coordinator/dashboard", "tests/bench/net", "tests/process"],
    r"nlohmann/": ["common/*.cc", "coordinator/*.cc", "participant/*.cc", "tests"],
    r"sodium": ["common/crypto/*.cc", "tests/common", "tests/participant"],
    r"openssl/": ["common/crypto/*.cc", "coordinator/dashboard/*.cc", "tests/common", "tests/bench"],
    r"(intel-)?ipsec-mb": ["common/crypto/*.cc", "tests/bench"],
    r"kissfft/": ["common/privacy/*.cc"],
    r"sqlite3\.h": ["common/privacy/*.cc", "common/storage/*.cc"],
    r"valgrind/": ["common/crypto/*.cc", "tests/constant_time"],
    r"fmt/": ["coordinator/*.cc"],
    r"CLI/": ["common/cli/command.cc"],
    r"gtest/": ["tests"],
    r"gmock/": ["tests"],
}
SYSTEM = r"(sys|netinet|arpa|net|linux|asm)/|(unistd|fcntl|poll|signal|pthread|sched|dlfcn|errno|termios|spawn|pwd|ftw|cpuid|netdb|immintrin|emmintrin|wmmintrin|fenv|string|stdlib|stdint|malloc)\.h$"

# (name, pattern in code without comments and strings, where it is looked for, where it is allowed)
BANS = [
    ("a clock read outside the files that own time", r"::now\s*\(", "",
     r"^tests/|main\.cc$|clock\.cc$|/net/(asio_host|zap_handler)\.cc$|/base/log\.cc$|simulation/simulation\.cc$"),
    ("randomness outside SecureRandom", r"\bstd::(mt19937|random_device|minstd_rand|default_random_engine)|\bs?rand\s*\(", "", r"^tests/"),
    ("a comparison that is not constant-time", r"\bmemcmp\b", r"^common/(crypto|secagg)/", r"^$"),
    ("console output outside main and the command line", r"\bstd::cout\b", "", r"main\.cc$|cli|^tests/"),
    ("using namespace", r"\busing\s+namespace\b(?![\w\s:]*literals\s*;)", "", r"^$"),
    ("a switch on torch's version outside torch_compat.h", r"\bTORCH_VERSION", "", r"^participant/learning/torch_compat\.h$"),
    ("a disabled test", r"\bDISABLED_", "", r"^$"),
]
# The sources whose results are the same to the bit on every processor, and the option that ensures it.
BIT_EXACT = re.compile(r"common/encoding/(decoded_sum|noisy_encoding|quantizer|rotation|sum_bounds)\.cc$|"
                       r"common/model/optimizers/.*\.cc$|common/privacy/mechanisms/gaussian_block\.cc$")
BIT_EXACT_OPTION = "-ffp-contract=off"
UNNUMBERED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(?!\s*\(?#\d+)")
MAX_FUNCTION_LINES = 80
SOURCE_FOLDERS = ["common", "coordinator", "participant", "tests"]

COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)


def blank(text):
    """The text without the insides of comments and strings; lines keep their numbers."""
    return COMMENT_OR_STRING.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def places(entry):
    return [word if word.startswith(("coordinator", "participant")) else "common/" + word for word in entry.split()]


def home(path):
    """The key of MAY_INCLUDE that a path without its ending falls under; None when there is no such key."""
    fits = [key for key in MAY_INCLUDE if path == key or path.startswith(key + "/")]
    return max(fits, key=len, default=None)


def admits(place, path):
    folder, _, ending = place.partition("/*")
    return path == place or path.startswith(folder + "/") and path.endswith(ending)


def include_errors(path, text):
    here = home(path.rsplit(".", 1)[0])
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^">]+)', line)
        if not match:
            continue
        quote, header = match.groups()
        if quote == '"':
            there = home(header.rsplit(".", 1)[0])
            allowed = MAY_INCLUDE[here]
            if there is None:
                yield number, f'"{header}" is not a path from the root of the repository'
            elif there == "tests" and here != "tests":
                yield number, f"{here} may not include tests"
            elif there != here and allowed != "*" and not any(there == p or there.startswith(p + "/") for p in [here, *places(allowed)]):
                yield number, f"{here} may not include {there} ({header}); allowed: {allowed or 'nothing'}"
            continue
        if re.match(SYSTEM, header) or re.fullmatch(r"[a-z0-9_]+", header):
            continue
        rule = next((r for r in THIRD_PARTY if re.match(r, header)), None)
        if rule is None:
            yield number, f"<{header}> is in no list of tests/tidy_test.py"
        elif not any(admits(place, path) for place in THIRD_PARTY[rule]):
            yield number, f"<{header}> belongs only in {', '.join(THIRD_PARTY[rule])}"


def long_functions(code):
    """(line, length) of every outermost function body longer than a screen, by matching braces."""
    stack, prelude, line = [], "", 1
    code = re.sub(r"^[ \t]*#.*(\\\n.*)*", lambda m: "\n" * m.group().count("\n"), code, flags=re.M)
    for character in code:
        line += character == "\n"
        if character == "{":
            words = prelude.strip()
            if any(kind == "function" for kind, _, _ in stack):
                kind = "inner"
            elif re.search(r"\b(namespace|class|struct|union|enum|extern)\b[^()]*$", words):
                kind = "scope"
            elif re.search(r"\)\s*(const|noexcept(\(.*\))?|override|final|mutable|&|&&|->[^;]*)*\s*$", words, re.S) or re.search(
                    r"\)\s*(noexcept)?\s*:[^:].*[)}]$", words, re.S):
                kind = "function"
            else:
                kind = "braces"  # an initialiser: what comes after it still belongs to the prelude
            stack.append((kind, line, prelude))
            prelude = ""
        elif character == "}" and stack:
            kind, start, before = stack.pop()
            if kind == "function" and line - start + 1 > MAX_FUNCTION_LINES:
                yield start, line - start + 1
            prelude = before + "{}" if kind == "braces" else ""
        elif character == ";":
            prelude = ""
        else:
            prelude += character


def file_errors(path, text):
    code = blank(text)
    # Strings are blanked too, so includes are read from the text itself.
    yield from include_errors(path, text)
    for number, line in enumerate(text.splitlines(), 1):
        if UNNUMBERED.search(line):
            yield number, "a TODO without the number of its issue, as in TODO(#12)"
    for name, pattern, only, allowed in BANS:
        if re.search(only, path) and not re.search(allowed, path):
            for match in re.finditer(pattern, code):
                yield code.count("\n", 0, match.start()) + 1, f"{name}: {match.group().strip()}"
    for start, length in long_functions(code):
        yield start, f"a function of {length} lines; {MAX_FUNCTION_LINES} fit a screen"
    if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.M):
        yield 1, "a header without #pragma once"


def compile_commands(build):
    """The command that compiles each source. A unity build compiles a file that CMake made and that includes sources."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = Path(entry["file"])
        sources = re.findall(r'#include "(/[^"]+)"', file.read_text()) if file.parent.name == "Unity" else [entry["file"]]
        commands.update((source, entry["command"]) for source in sources)
    return commands


def build_errors(path, source, commands):
    # The fuzz targets need Clang and are a preset of their own.
    if not path.endswith(".cc") or path.startswith("tests/fuzz/"):
        return
    if source not in commands:
        yield 1, "is in no target of the build"
    elif BIT_EXACT.match(path) and BIT_EXACT_OPTION not in commands[source].split():
        yield 1, f"is compiled without {BIT_EXACT_OPTION}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--build", type=Path)
    options = parser.parse_args()

    files = sorted(p for folder in SOURCE_FOLDERS for p in (options.root / folder).rglob("*") if p.suffix in (".h", ".cc"))
    errors = 0
    commands = compile_commands(options.build) if options.build else None
    for file in files:
        path = file.relative_to(options.root).as_posix()
        found = [(1, "belongs to no folder of MAY_INCLUDE")] if home(path) is None else file_errors(path, file.read_text())
        found = list(found)
        if commands is not None:
            found += build_errors(path, str(file), commands)
        for number, message in found:
            print(f"{path}:{number}: {message}")
            errors += 1
    print(f"tidy: {len(files)} files, {errors} errors")
    if not files:
        sys.exit("tidy: no source files found")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
