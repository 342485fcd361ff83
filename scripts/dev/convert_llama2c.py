#!/usr/bin/env python3
"""Turns a llama2.c model (FILE.bin, tokenizer .bin) into a folder in Hugging Face's layout: config.json, model.safetensors,
tokenizer.json. llama2.c rotates neighbouring pairs of a head, Hugging Face's Llama the two halves, so the rows of the query
and key projections change places.

Usage: scripts/dev/convert_llama2c.py MODEL.bin TOKENIZER.bin FOLDER
"""
import array
import json
import struct
import sys
from pathlib import Path


def read_model(path):
    raw = path.read_bytes()
    dim, wide, layers, heads, kv_heads, vocabulary, positions = struct.unpack("<7i", raw[:28])
    tied, vocabulary = vocabulary > 0, abs(vocabulary)
    values = array.array("f", raw[28:])
    at = 0

    def take(*shape):
        nonlocal at
        count = 1
        for n in shape:
            count *= n
        at += count
        return shape, values[at - count:at]

    e = dim // heads
    words = take(vocabulary, dim)
    kinds = [("input_layernorm", (dim,)), ("self_attn.q_proj", (dim, dim)), ("self_attn.k_proj", (kv_heads * e, dim)),
             ("self_attn.v_proj", (kv_heads * e, dim)), ("self_attn.o_proj", (dim, dim)), ("post_attention_layernorm", (dim,)),
             ("mlp.gate_proj", (wide, dim)), ("mlp.down_proj", (dim, wide)), ("mlp.up_proj", (wide, dim))]
    tensors = {"model.embed_tokens.weight": words}
    for kind, shape in kinds:
        for layer in range(layers):
            tensors[f"model.layers.{layer}.{kind}.weight"] = take(*shape)
    tensors["model.norm.weight"] = take(dim)
    at += positions * e  # tables of cosines and sines
    if not tied:
        tensors["lm_head.weight"] = take(vocabulary, dim)
    for name, (shape, data) in tensors.items():
        if "q_proj" in name or "k_proj" in name:
            tensors[name] = shape, halves(data, shape, e)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": vocabulary, "hidden_size": dim,
              "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
              "intermediate_size": wide, "max_position_embeddings": positions, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "hidden_act": "silu", "tie_word_embeddings": tied, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32"}
    return config, tensors


def halves(data, shape, e):
    """Row 2 i + j of a head goes to row i + j e / 2."""
    rows, width = shape
    out = array.array("f", bytes(4 * len(data)))
    for row in range(rows):
        head, within = divmod(row, e)
        to = head * e + within // 2 + (within % 2) * (e // 2)
        out[to * width:(to + 1) * width] = data[row * width:(row + 1) * width]
    return out


def write_safetensors(path, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + 4 * len(data)]}
        at += 4 * len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data.tobytes() for _, data in tensors.values()))


def read_pieces(path, count):
    raw, at, pieces = path.read_bytes(), 4, []
    for _ in range(count):
        score, length = struct.unpack_from("<fi", raw, at)
        pieces.append((raw[at + 8:at + 8 + length].decode(), score))
        at += 8 + length
    return pieces


def tokenizer(pieces):
    """As Hugging Face spells a SentencePiece BPE with byte fallback: merges in the order of the merged piece's score."""
    names = ["<unk>", "<s>", "</s>"] + [p if p.startswith("<0x") else p.replace(" ", "\u2581") for p, _ in pieces[3:]]
    vocabulary = {name: i for i, name in enumerate(names)}
    assert len(vocabulary) == len(names)
    merges = []
    for name, (_, score) in zip(names, pieces):
        if name.startswith("<"):
            continue
        for cut in range(1, len(name)):
            if name[:cut] in vocabulary and name[cut:] in vocabulary:
                merges.append((-score, vocabulary[name[:cut]], vocabulary[name[cut:]], name[:cut], name[cut:]))
    special = [{"id": i, "content": names[i], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for i in range(3)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
                                                           {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
        "pre_tokenizer": None,
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                    {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "vocab": vocabulary,
                  "merges": [f"{a} {b}" for *_, a, b in sorted(merges)]}}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    model, pieces, folder = map(Path, sys.argv[1:])
    config, tensors = read_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    write_safetensors(folder / "model.safetensors", tensors)
    text = json.dumps(tokenizer(read_pieces(pieces, config["vocab_size"])), ensure_ascii=False, indent=1)
    (folder / "tokenizer.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
