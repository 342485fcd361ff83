#!/usr/bin/env python3
"""Asks Hugging Face's transformers library about tokenizers and saved models.

The library is no dependency of the project: its answers are kept in two files of vectors, which the tests compare with.
Run this where the library is installed (for example Debian's python3-transformers, python3-torch, python3-safetensors):

    python3 scripts/dev/transformers_check.py tokenizers
    python3 scripts/dev/transformers_check.py results build/dev/learning_test/results

"tokenizers" makes the folders that tests/vectors/tokenizer/settings.json describes and compares the library's ids.
"results" loads the model folders that the test program participant_learning_tests (Results.*) wrote and compares labels,
ids and logits with tests/vectors/transformers/results.json. --write replaces the answers in the files.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = ROOT / "tests/vectors/tokenizer/settings.json"
RESULTS = ROOT / "tests/vectors/transformers/results.json"
TOLERANCE = 1e-4
CLASSES = {
    "sequence": transformers.AutoModelForSequenceClassification,
    "token": transformers.AutoModelForTokenClassification,
    "language": transformers.AutoModelForCausalLM,
}


def tokenizer_answers(vectors):
    for case in vectors["cases"]:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in {**vectors["files"], **case["files"]}.items():
                text = content if isinstance(content, str) else json.dumps(content)
                pathlib.Path(folder, name).write_text(text, encoding="utf-8")
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            yield case, [tokenizer(text)["input_ids"] for text in vectors["texts"]]


def check_tokenizers(write):
    vectors = json.loads(SETTINGS.read_text(encoding="utf-8"))
    wrong = 0
    for case, ids in tokenizer_answers(vectors):
        if not write and case.get("ids") != ids:
            wrong += 1
            print(f"{case['name']}: {ids}, the file has {case.get('ids')}")
        case["ids"] = ids
    if write:
        SETTINGS.write_text(json.dumps(vectors, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return wrong


def answer(folder, kind, texts):
    """What the library makes of a folder: class, labels, and the ids and logits of each text."""
    model, loaded = CLASSES[kind].from_pretrained(folder, trust_remote_code=True, output_loading_info=True)
    for key in ("missing_keys", "mismatched_keys"):
        if loaded[key]:
            raise SystemExit(f"{folder}: {key}: {loaded[key]}")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    cases = []
    for text in texts:
        ids = tokenizer(text, truncation=True)["input_ids"]
        with torch.no_grad():
            logits = model.eval()(input_ids=torch.tensor([ids])).logits[0]
        rows = logits if kind == "token" else logits[-1:, :8] if kind == "language" else logits.unsqueeze(0)
        cases.append({"text": text, "ids": ids, "logits": [[round(float(x), 6) for x in row] for row in rows]})
    labels = [] if kind == "language" else [model.config.id2label[i] for i in range(model.config.num_labels)]
    return {"kind": kind, "class": type(model).__name__, "dtype": str(model.dtype), "labels": labels, "cases": cases}


def differences(name, found, kept):
    if {**found, "cases": 0} != {**kept, "cases": 0}:
        yield f"{name}: class or labels: {found['class']} {found['labels']}, the file has {kept['class']} {kept['labels']}"
    for ours, theirs in zip(kept["cases"], found["cases"], strict=True):
        if ours["ids"] != theirs["ids"]:
            yield f"{name}: {ours['text']!r}: ids {theirs['ids']}, the file has {ours['ids']}"
        elif any(abs(a - b) > TOLERANCE for x, y in zip(ours["logits"], theirs["logits"]) for a, b in zip(x, y)):
            yield f"{name}: {ours['text']!r}: logits {theirs['logits']}, the file has {ours['logits']}"


def check_results(folders, write):
    vectors = json.loads(RESULTS.read_text(encoding="utf-8"))
    wrong = 0
    for name, kept in vectors["results"].items():
        found = answer(folders / name, kept["kind"], vectors["texts"])
        for line in [] if write else differences(name, found, kept):
            wrong += 1
            print(line)
        vectors["results"][name] = found
        print(f"{name}: {found['class']}, {found['dtype']}, {len(found['labels'])} labels")
    if write:
        RESULTS.write_text(json.dumps(vectors, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tokenizers", "results"])
    parser.add_argument("folders", nargs="?", type=pathlib.Path)
    parser.add_argument("--write", action="store_true", help="replace the answers in the file of vectors")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    if arguments.what == "results" and arguments.folders is None:
        parser.error("results needs the folder with the saved models")
    wrong = check_tokenizers(arguments.write) if arguments.what == "tokenizers" else check_results(
        arguments.folders, arguments.write)
    print("written" if arguments.write else f"{wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
