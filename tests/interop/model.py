"""The bytes of a round's model (docs/protocol.md, section 8)."""

import array
import struct

from crypto import H

LARGEST = 2.0**20


class Model:
    """tensors: (name, shape) in the order of the blob; values: all numbers one behind the other."""

    def __init__(self, tensors, values):
        self.tensors, self.values = tensors, values

    def encode(self):
        parts = [struct.pack("<I", len(self.tensors))]
        for name, shape in self.tensors:
            parts.append(struct.pack("<H", len(name.encode())) + name.encode() + bytes([len(shape)]))
            parts += [struct.pack("<Q", size) for size in shape]
        return b"".join(parts) + struct.pack("<Q", len(self.values)) + array.array("f", self.values).tobytes()


def decode(blob):
    at = 4
    tensors, expected = [], 0
    for _ in range(struct.unpack_from("<I", blob)[0]):
        length = struct.unpack_from("<H", blob, at)[0]
        name = blob[at + 2:at + 2 + length].decode()
        at += 2 + length
        dimensions = blob[at]
        shape = list(struct.unpack_from(f"<{dimensions}Q", blob, at + 1))
        at += 1 + 8 * dimensions
        size = 1
        for dimension in shape:
            size *= dimension
        tensors.append((name, shape))
        expected += size
    count = struct.unpack_from("<Q", blob, at)[0]
    values = array.array("f")
    values.frombytes(blob[at + 8:])
    if count != expected or len(values) != count or any(not abs(value) <= LARGEST for value in values):
        raise ValueError("the blob is not a model")
    return Model(tensors, values)


def model_hash(blob):
    return H("SOTTO model", blob)
