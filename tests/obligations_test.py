#!/usr/bin/env python3
"""Every test that docs/secure-aggregation-tests.md names exists, and every row names one or says why not.

Usage: tests/obligations_test.py [--root DIR]
"""
import argparse
import re
import sys
from pathlib import Path


def existing_tests(root):
    found = set()
    for source in (root / "tests").rglob("*.cc"):
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", source.read_text(), re.M):
            found.add(f"{suite}.{name}")
    for cmake in (root / "tests").rglob("CMakeLists.txt"):
        text = cmake.read_text()
        for name in re.findall(r"add_test\(NAME (\S+)", text):
            values = re.search(r"foreach\((\w+) ([\w ]+)\)", text)
            if values and "${" + values[1] + "}" in name:
                found |= {name.replace("${" + values[1] + "}", value) for value in values[2].split()}
            else:
                found.add(name)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    known, errors, rows = existing_tests(root), [], 0
    document = root / "docs/secure-aggregation-tests.md"
    for number, line in enumerate(document.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or cells[0] in ("Name", "---"):
            continue
        rows += 1
        if len(cells) != 2:
            errors.append(f"{number}: a row is a name and its tests")
        elif not re.match(r"none: \S", cells[1]):
            errors += [f"{number}: {cells[0]}: there is no test {test}"
                       for test in cells[1].split(", ") if test not in known]
    for error in errors:
        print(f"{document.relative_to(root)}:{error}")
    print(f"obligations: {rows} rows, {len(known)} tests, {len(errors)} errors")
    sys.exit(1 if errors or rows == 0 else 0)


if __name__ == "__main__":
    main()
