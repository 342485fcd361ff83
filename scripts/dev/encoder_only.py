#!/usr/bin/env python3
"""Takes the classification head off a model, as a pretrained encoder for another task, in half precision.

Usage: encoder_only.py MODEL.safetensors OUT.safetensors
"""
import array
import json
import struct
import sys
from pathlib import Path


def half(floats):
    return struct.pack(f"<{len(floats)}e", *floats)


def main():
    source, target = map(Path, sys.argv[1:])
    data = source.read_bytes()
    end = 8 + struct.unpack_from("<Q", data)[0]
    header, body = {}, b""
    for name, tensor in sorted(json.loads(data[8:end]).items()):
        if name == "__metadata__" or name.startswith("classifier."):
            continue
        assert tensor["dtype"] == "F32", f"{name} is {tensor['dtype']}"
        begin, stop = tensor["data_offsets"]
        values = half(array.array("f", data[end + begin:end + stop]))
        header[name] = {"dtype": "F16", "shape": tensor["shape"], "data_offsets": [len(body), len(body) + len(values)]}
        body += values
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + body)


if __name__ == "__main__":
    main()
