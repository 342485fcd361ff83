#!/usr/bin/env python3
"""First and last step of the weights of configs/ner/model: what pretraining begins with, and how its result is stored.

Usage: scripts/dev/tagger_weights.py begin CONFIG.json OUT.safetensors
       scripts/dev/tagger_weights.py halve IN.safetensors OUT.safetensors
`begin` writes weights in which words are random and positions are sines and cosines, and in which each head of the first layer
looks at one neighbour, one or two words before or behind, as do two heads of the others: from random attention a model
of this size learns from a few thousand sentences what a word means, but not what stands around it. All of it is trained afterwards.
The same config.json gives the same file. `halve` rounds F32 to F16 and keeps what is noted beside the tensors.
"""
import json
import math
import random
import struct
import sys
from pathlib import Path

NEIGHBOURS = (-1, 1, -2, 2)  # of a first layer's heads
SHARPNESS = 1.4  # how much of a head's attention its neighbour gets at first
WORD_DEVIATION = 0.7  # as large as a sine: neither words nor positions drown in their sum


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


class Beginning:
    def __init__(self, config):
        self.config, self.random, self.tensors = config, random.Random(1), {}
        self.width = config["hidden_size"]
        self.head = self.width // config["num_attention_heads"]
        self.first = self.width - self.head  # positions are in as many elements as a head has, the last ones
        self.frequencies = [math.pi / 1.6**i for i in range(self.head // 2)]

    def add(self, name, rows):
        flat = [value for row in rows for value in row]
        shape = [len(rows), len(rows[0])] if len(rows) > 1 else [len(flat)]
        self.tensors[name] = ("F32", shape, struct.pack(f"<{len(flat)}f", *flat))

    def normal(self, rows, columns, deviation):
        return [[self.random.gauss(0, deviation) for _ in range(columns)] for _ in range(rows)]

    def norm(self, name):
        self.add(name + ".weight", [[1.0] * self.width])
        self.add(name + ".bias", [[0.0] * self.width])

    def linear(self, name, rows):
        self.add(name + ".weight", rows)
        self.add(name + ".bias", [[0.0] * len(rows)])

    def embeddings(self):
        c, name = self.config, "bert.embeddings."
        words = [row + [0.0] * self.head for row in self.normal(c["vocab_size"], self.first, WORD_DEVIATION)]
        self.add(name + "word_embeddings.weight", words)
        sines = lambda at: [f(at * w) for w in self.frequencies for f in (math.sin, math.cos)]
        positions = [[0.0] * self.first + sines(at) for at in range(c["max_position_embeddings"])]
        self.add(name + "position_embeddings.weight", positions)
        self.add(name + "token_type_embeddings.weight", [[0.0] * self.width])
        self.tensors[name + "token_type_embeddings.weight"] = ("F32", [1, self.width], bytes(4 * self.width))
        self.norm(name + "LayerNorm")

    def turned(self, by):
        """What makes of the sines of a position those of the position `by` further on: rows of one head."""
        rows = []
        for i, w in enumerate(self.frequencies):
            sine, cosine = math.sin(by * w) * SHARPNESS, math.cos(by * w) * SHARPNESS
            for pair in ((cosine, sine), (-sine, cosine)):
                row = [0.0] * self.width
                row[self.first + 2 * i : self.first + 2 * i + 2] = pair
                rows.append(row)
        return rows

    def attention(self, name, neighbours):
        deviation = 1 / math.sqrt(self.width)
        query, key = self.normal(self.width, self.width, deviation), self.normal(self.width, self.width, deviation)
        for head, by in enumerate(neighbours):
            rows = slice(head * self.head, (head + 1) * self.head)
            query[rows], key[rows] = self.turned(by), self.turned(0)
        self.linear(name + "self.query", query)
        self.linear(name + "self.key", key)
        self.linear(name + "self.value", self.normal(self.width, self.width, deviation))
        self.linear(name + "output.dense", self.normal(self.width, self.width, deviation))
        self.norm(name + "output.LayerNorm")

    def layer(self, index):
        name, inner = f"bert.encoder.layer.{index}.", self.config["intermediate_size"]
        heads = self.config["num_attention_heads"]
        self.attention(name + "attention.", (NEIGHBOURS if index == 0 else NEIGHBOURS[:2])[:heads])
        self.linear(name + "intermediate.dense", self.normal(inner, self.width, 1 / math.sqrt(self.width)))
        self.linear(name + "output.dense", self.normal(self.width, inner, 1 / math.sqrt(inner)))
        self.norm(name + "output.LayerNorm")

    def all(self):
        self.embeddings()
        for index in range(self.config["num_hidden_layers"]):
            self.layer(index)
        return self.tensors


def halved(tensor):
    dtype, shape, values = tensor
    assert dtype == "F32", dtype
    floats = struct.unpack(f"<{len(values) // 4}f", values)
    return "F16", shape, struct.pack(f"<{len(floats)}e", *floats)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("begin", "halve"):
        sys.exit(__doc__)
    source, out = Path(sys.argv[2]), Path(sys.argv[3])
    if sys.argv[1] == "begin":
        return write(out, {"format": "pt"}, Beginning(json.loads(source.read_text(encoding="utf-8"))).all())
    notes, tensors = read(source)
    write(out, notes, {name: halved(tensor) for name, tensor in tensors.items()})


if __name__ == "__main__":
    main()
