#!/usr/bin/env python3
"""Writes tiny random checkpoints in Hugging Face's layout and the logits and losses that a transformer of that kind gives.

The forward passes below are written from the definitions of the architectures (BERT: Devlin et al. 2018; GPT-2: Radford et al.
2019; Llama: Touvron et al. 2023; Qwen2: Yang et al. 2024; RoPE scaling: the Llama 3.1 model card), in plain PyTorch and double
precision, independently of the C++ code and of the transformers library. Needs Debian's python3-torch.

Usage: /usr/bin/python3 make_transformer_vectors.py
"""
import json
import math
import struct
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent


# ---- checkpoints

def tensor_bytes(t, dtype):
    t = t.detach().contiguous()
    if dtype == "BF16":
        return (t.float().view(torch.int32) >> 16).to(torch.int16).numpy().tobytes()
    return t.numpy().tobytes()


def write_safetensors(path, tensors, dtype="F32"):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, t in tensors.items():
        kind = "I64" if t.dtype == torch.int64 else dtype
        raw = tensor_bytes(t, kind)
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def bf16(t):
    """Rounded to the nearest value that BF16 has."""
    return t.to(torch.bfloat16).float()


class Weights:
    """Draws every tensor on first use, so that the forward pass itself says what the checkpoint holds."""

    def __init__(self, seed, rounding=lambda t: t):
        self.random = torch.Generator().manual_seed(seed)
        self.rounding = rounding
        self.tensors = {}

    def __call__(self, name, *shape, around=0.0, spread=0.3):
        if name not in self.tensors:
            self.tensors[name] = self.rounding(around + spread * torch.randn(shape, generator=self.random))
        assert tuple(self.tensors[name].shape) == shape, name
        return self.tensors[name].double()


# ---- shared mathematics

def layer_norm(x, w, name, eps):
    d = x.shape[-1]
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / torch.sqrt((centred ** 2).mean(-1, keepdim=True) + eps)
    return scaled * w(name + ".weight", d, around=1.0, spread=0.1) + w(name + ".bias", d)


def rms_norm(x, w, name, eps):
    return x / torch.sqrt((x ** 2).mean(-1, keepdim=True) + eps) * w(name + ".weight", x.shape[-1], around=1.0, spread=0.1)


def linear(x, w, name, out, bias=True):
    y = x @ w(name + ".weight", out, x.shape[-1]).T
    return y + w(name + ".bias", out) if bias else y


def conv1d(x, w, name, out):
    return x @ w(name + ".weight", x.shape[-1], out) + w(name + ".bias", out)


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def gelu_new(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def silu(x):
    return x / (1 + torch.exp(-x))


def attend(q, k, v, heads, kv_heads, causal):
    """One text: q [T, heads * e], k and v [T, kv_heads * e]."""
    n, e = q.shape[0], q.shape[1] // heads
    out = torch.zeros_like(q)
    for h in range(heads):
        shared = h // (heads // kv_heads)
        qh, kh, vh = q[:, h * e:(h + 1) * e], k[:, shared * e:(shared + 1) * e], v[:, shared * e:(shared + 1) * e]
        for t in range(n):
            last = t + 1 if causal else n
            weights = torch.softmax(kh[:last] @ qh[t] / math.sqrt(e), 0)
            out[t, h * e:(h + 1) * e] = weights @ vh[:last]
    return out


def rope(x, heads, frequencies):
    """Pair (i, i + e/2) of every head turns by position * frequency i."""
    n, e = x.shape[0], x.shape[1] // heads
    out = torch.zeros_like(x)
    for h in range(heads):
        for i, f in enumerate(frequencies):
            a, b = h * e + i, h * e + i + e // 2
            for t in range(n):
                c, s = math.cos(t * f), math.sin(t * f)
                out[t, a] = x[t, a] * c - x[t, b] * s
                out[t, b] = x[t, b] * c + x[t, a] * s
    return out


def frequencies(config, e):
    plain = [config.get("rope_theta", 10000.0) ** (-2 * i / e) for i in range(e // 2)]
    scaling = config.get("rope_scaling")
    if not scaling:
        return plain
    out = []
    for f in plain:
        wavelength, old = 2 * math.pi / f, scaling["original_max_position_embeddings"]
        if wavelength < old / scaling["high_freq_factor"]:
            out.append(f)
        elif wavelength > old / scaling["low_freq_factor"]:
            out.append(f / scaling["factor"])
        else:
            smooth = (old / wavelength - scaling["low_freq_factor"]) / (scaling["high_freq_factor"] - scaling["low_freq_factor"])
            out.append((1 - smooth) * f / scaling["factor"] + smooth * f)
    return out


# ---- the architectures, one text at a time

def bert(config, w, ids):
    d, eps = config["hidden_size"], config["layer_norm_eps"]
    n = len(ids)
    x = (w("bert.embeddings.word_embeddings.weight", config["vocab_size"], d)[ids]
         + w("bert.embeddings.position_embeddings.weight", config["max_position_embeddings"], d)[:n]
         + w("bert.embeddings.token_type_embeddings.weight", config["type_vocab_size"], d)[0])
    x = layer_norm(x, w, "bert.embeddings.LayerNorm", eps)
    for i in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{i}."
        q, k, v = (linear(x, w, layer + "attention.self." + part, d) for part in ("query", "key", "value"))
        a = attend(q, k, v, config["num_attention_heads"], config["num_attention_heads"], causal=False)
        x = layer_norm(x + linear(a, w, layer + "attention.output.dense", d), w, layer + "attention.output.LayerNorm", eps)
        inner = gelu(linear(x, w, layer + "intermediate.dense", config["intermediate_size"]))
        x = layer_norm(x + linear(inner, w, layer + "output.dense", d), w, layer + "output.LayerNorm", eps)
    pooled = torch.tanh(linear(x[0], w, "bert.pooler.dense", d))
    return linear(pooled, w, "classifier", 3)


def gpt2(config, w, ids):
    d, eps = config["n_embd"], config["layer_norm_epsilon"]
    words = w("wte.weight", config["vocab_size"], d)
    x = words[ids] + w("wpe.weight", config["n_positions"], d)[:len(ids)]
    for i in range(config["n_layer"]):
        layer = f"h.{i}."
        qkv = conv1d(layer_norm(x, w, layer + "ln_1", eps), w, layer + "attn.c_attn", 3 * d)
        a = attend(qkv[:, :d], qkv[:, d:2 * d], qkv[:, 2 * d:], config["n_head"], config["n_head"], causal=True)
        x = x + conv1d(a, w, layer + "attn.c_proj", d)
        inner = gelu_new(conv1d(layer_norm(x, w, layer + "ln_2", eps), w, layer + "mlp.c_fc", 4 * d))
        x = x + conv1d(inner, w, layer + "mlp.c_proj", d)
    return layer_norm(x, w, "ln_f", eps) @ words.T


def llama(config, w, ids):
    d, eps, heads, kv = (config[k] for k in ("hidden_size", "rms_norm_eps", "num_attention_heads", "num_key_value_heads"))
    e = config.get("head_dim", d // heads)
    qkv_bias = config["model_type"] == "qwen2"
    turns = frequencies(config, e)
    words = w("model.embed_tokens.weight", config["vocab_size"], d)
    x = words[ids]
    for i in range(config["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        h = rms_norm(x, w, layer + "input_layernorm", eps)
        q = linear(h, w, layer + "self_attn.q_proj", heads * e, qkv_bias)
        k = linear(h, w, layer + "self_attn.k_proj", kv * e, qkv_bias)
        v = linear(h, w, layer + "self_attn.v_proj", kv * e, qkv_bias)
        a = attend(rope(q, heads, turns), rope(k, kv, turns), v, heads, kv, causal=True)
        x = x + linear(a, w, layer + "self_attn.o_proj", d, False)
        h = rms_norm(x, w, layer + "post_attention_layernorm", eps)
        wide = config["intermediate_size"]
        inner = silu(linear(h, w, layer + "mlp.gate_proj", wide, False)) * linear(h, w, layer + "mlp.up_proj", wide, False)
        x = x + linear(inner, w, layer + "mlp.down_proj", d, False)
    x = rms_norm(x, w, "model.norm", eps)
    if config["tie_word_embeddings"]:
        return x @ words.T
    return linear(x, w, "lm_head", config["vocab_size"], False)


# ---- the fixtures

def rounded(t):
    return [rounded(row) for row in t] if t.dim() else round(t.item(), 7)


def texts(seed, lengths, vocabulary):
    random = torch.Generator().manual_seed(seed)
    return [torch.randint(vocabulary, (n,), generator=random).tolist() for n in lengths]


def make(name, config, forward, seed, lengths, rounding=lambda t: t):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    w = Weights(seed, rounding)
    ids = texts(seed + 100, lengths, config["vocab_size"])
    logits = [forward(config, w, text) for text in ids]
    expected = {"ids": ids, "logits": [rounded(x) for x in logits]}
    if forward is not bert:
        expected["losses"] = [
            round(-sum(torch.log_softmax(x[t], 0)[text[t + 1]].item() for t in range(len(text) - 1)) / (len(text) - 1), 9)
            for x, text in zip(logits, ids)]
    (folder / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    return folder, w.tensors


def main():
    torch.set_num_threads(1)
    folder, tensors = make("bert", {
        "model_type": "bert", "architectures": ["BertForSequenceClassification"], "vocab_size": 29, "hidden_size": 16,
        "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24, "max_position_embeddings": 12,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}, bert, 1, (9, 4, 1))
    # As older checkpoints have it: a constant that is no weight.
    write_safetensors(folder / "model.safetensors", {"bert.embeddings.position_ids": torch.arange(12)[None], **tensors})

    folder, tensors = make("gpt2", {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 31, "n_embd": 16, "n_layer": 2, "n_head": 2,
        "n_positions": 12, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"}, gpt2, 2, (10, 3))
    masks = {f"h.{i}.attn.bias": torch.ones(12, 12).tril()[None, None] for i in range(2)}
    write_safetensors(folder / "model.safetensors", {**tensors, **masks})  # the first GPT-2 files: no prefix, masks inside

    folder, tensors = make("llama", {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 6, "num_key_value_heads": 2, "intermediate_size": 20, "max_position_embeddings": 32,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False}, llama, 3, (11, 2))
    first = {n: t for n, t in tensors.items() if not n.startswith("model.layers.1")}
    second = {n: t for n, t in tensors.items() if n.startswith("model.layers.1")}
    places = {}
    for number, part in ((1, first), (2, second)):
        file = f"model-0000{number}-of-00002.safetensors"
        write_safetensors(folder / file, part)
        places.update({n: file for n in part})
    size = sum(4 * t.numel() for t in tensors.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": places}, indent=1) + "\n")

    folder, tensors = make("qwen2", {
        "model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "vocab_size": 31, "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 20, "max_position_embeddings": 32,
        "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "hidden_act": "silu", "tie_word_embeddings": True,
        "use_sliding_window": False, "sliding_window": 4096}, llama, 4, (8, 5), bf16)
    write_safetensors(folder / "model.safetensors", tensors, "BF16")

    folder, tensors = make("llama3", {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 23, "hidden_size": 12, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "intermediate_size": 16, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5, "rope_theta": 100.0, "hidden_act": "silu", "tie_word_embeddings": True,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64}}, llama, 5, (40, 7))
    write_safetensors(folder / "model.safetensors", tensors)


if __name__ == "__main__":
    main()
