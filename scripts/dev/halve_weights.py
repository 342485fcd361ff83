#!/usr/bin/env python3
"""Rounds a model's F32 weights to F16, as the ones that lie in configs/.

Usage: scripts/dev/halve_weights.py IN.safetensors OUT.safetensors [--without PREFIX]
  --without PREFIX   leaves out what begins so: the head of a model that is to be an encoder for another task
What is noted beside the tensors is kept.
"""
import argparse
import json
import struct
from pathlib import Path


def read(path):
    """(notes, {name: (dtype, shape, bytes)})"""
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + length])
    notes = header.pop("__metadata__", {})
    data = raw[8 + length :]
    return notes, {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def write(path, notes, tensors):
    header, data = {"__metadata__": notes}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def halved(tensor):
    dtype, shape, values = tensor
    assert dtype == "F32", dtype
    floats = struct.unpack(f"<{len(values) // 4}f", values)
    return "F16", shape, struct.pack(f"<{len(floats)}e", *floats)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", metavar="PREFIX")
    options = parser.parse_args()
    notes, tensors = read(options.source)
    left_out = lambda name: options.without is not None and name.startswith(options.without)
    write(options.out, notes, {name: halved(tensor) for name, tensor in tensors.items() if not left_out(name)})


if __name__ == "__main__":
    main()
