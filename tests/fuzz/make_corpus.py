#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into tests/fuzz/corpus: a body of every message for wire_fuzz (from
tests/vectors/wire/frames.json), the vectors of safetensors_fuzz, small tokenizers for tokenizer_fuzz, and small programs for session_fuzz
and round_fuzz. Files that are there already (found by fuzzing) stay.

A program is a list of operations, each a byte and its arguments; the tables are those at the end of the targets. In an
argument 0 is the honest choice, and for a set it is everybody.
"""
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
TYPES = [*range(15), *range(32, 39), *range(48, 53)]
FRAME_HEAD = 24


def write(target, name, octets):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(bytes(octets))


def wire():
    frames = json.loads((HERE.parent / "vectors/wire/frames.json").read_text())
    header = bytes.fromhex(frames.pop("header"))
    for name, hexed in frames.items():
        frame = bytes.fromhex(hexed)
        kind = int.from_bytes(frame[2:4], "little")
        write("wire", name, bytes([TYPES.index(kind)]) + frame[FRAME_HEAD:])
    write("wire", "frame", bytes([len(TYPES)]) + bytes.fromhex(frames["Fix"]))
    write("wire", "header", bytes([len(TYPES) + 1]) + header)
    write("wire", "bitmap", bytes([len(TYPES) + 2, 0x09, 0xb6, 0x01]))


def safetensors():
    for file in sorted((HERE.parent / "vectors/safetensors").glob("*.safetensors")):
        write("safetensors", file.stem, bytes([0]) + file.read_bytes())
    index = {"metadata": {"total_size": 8}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    write("safetensors", "index", bytes([1]) + json.dumps(index).encode())
    write("safetensors", "index_outside", bytes([1]) + b'{"weight_map": {"a": "../a.safetensors"}}')
    write("safetensors", "index_twice", bytes([1]) + b'{"weight_map": {"a": "a.safetensors", "a": "b.safetensors"}}')


TEXT = "Hello world, it's 123 \u4f60\u597d \u00e9 <s> a\u0301"


def ids(*tokens):
    return {token: i for i, token in enumerate(tokens)}


def added(content, number, **more):
    return {"id": number, "content": content, "special": True, **more}


def sequence(members, *steps):
    return {"type": "Sequence", members: list(steps)}


def tokenizers():
    byte_level = {
        "added_tokens": [added("<|endoftext|>", 9, lstrip=True, rstrip=True)],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": sequence("pretokenizers", {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|\\s+"}, "behavior": "Isolated"},
                                  {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False}),
        "post_processor": {"type": "ByteLevel"},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": ids("H", "e", "l", "o", "w", "he", "ll", "llo", "1"), "ignore_merges": True,
                  "merges": ["l l", ["ll", "o"]]}}
    llama = {
        "added_tokens": [added("<unk>", 0), added("<s>", 1), added("</s>", 2)],
        "normalizer": sequence("normalizers", {"type": "Prepend", "prepend": "\u2581"},
                               {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}),
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
                           "special_tokens": {"<s>": {"ids": [1]}}},
        "decoder": sequence("decoders", {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                            {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1}),
        "padding": {"pad_id": 0},
        "model": {"type": "BPE", "vocab": ids("<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", "\u2581", "a", "b", "ab", "\u2581a"),
                  "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "merges": ["a b", "\u2581 a"]}}
    bert = {
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": ids("[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "w", "##orld", "'", "it")}}
    metaspace = dict(llama, normalizer=sequence("normalizers", {"type": "NFKC"}, {"type": "Lowercase"}, {"type": "StripAccents"}),
                     pre_tokenizer=sequence("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Metaspace", "prepend_scheme": "always"}),
                     decoder={"type": "Metaspace"})
    for name, file in (("byte_level", byte_level), ("llama", llama), ("bert", bert), ("metaspace", metaspace)):
        write("tokenizer", name, b"\0" + json.dumps(file, ensure_ascii=False).encode() + b"\0" + TEXT.encode())
    write("tokenizer", "gpt2_files", b"\1" + json.dumps(ids("h", "e", "he", "<|endoftext|>")).encode() + b"\0#version: 0.2\nh e\n\0" +
          TEXT.encode())
    write("tokenizer", "bert_files", b'\2[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\n##lo\n\0{"do_lower_case": false}\0' + TEXT.encode())
    # Found by fuzzing and reading.
    write("tokenizer", "pad_outside", b"\0" + json.dumps(dict(bert, padding={"pad_id": -1})).encode() + b"\0a")
    outside = dict(llama["post_processor"], special_tokens={"<s>": {"ids": [4294967297]}})
    write("tokenizer", "frame_truncated", b"\0" + json.dumps(dict(llama, post_processor=outside)).encode() + b"\0a")
    outside = dict(llama["post_processor"], special_tokens={"<s>": {"ids": [77]}})
    write("tokenizer", "frame_outside", b"\0" + json.dumps(dict(llama, post_processor=outside)).encode() + b"\0a")
    empty = {"type": "Replace", "pattern": {"String": ""}, "content": "x"}
    write("tokenizer", "empty_literal", b"\0" + json.dumps(dict(llama, normalizer=empty)).encode() + b"\0a b")
    backtracks = {"type": "Split", "pattern": {"Regex": "(?:a+)+$"}, "behavior": "Isolated"}
    write("tokenizer", "backtracks", b"\0" + json.dumps(dict(llama, normalizer=None, pre_tokenizer=backtracks)).encode() + b"\0" +
          b"a" * 40 + b"b")


# ---- session_fuzz

OFFER, MODEL, KEYS, SHARES, COMPUTED, FIX, MASKED, SURVIVORS, UNMASK, RESULT, LATER, AGAIN, RAW, PULL, TIME, LINK, \
    GUARD, RESTART, BURN, BURNT, AGAIN_LATER, COMPLAINTS = range(22)


def joined(u1=0, v=0):
    return [OFFER, 0, 0, 0, MODEL, 0, KEYS, u1, 0, SHARES, v, 0]


def uploaded(u1=0, v=0, u2=0):
    return joined(u1, v) + [COMPUTED, 0, FIX, u2, 0, MASKED, 0]


def honest(u1=0, v=0, u2=0, s=0, signers=0):
    return uploaded(u1, v, u2) + [SURVIVORS, s, 0, UNMASK, signers, 0, RESULT, 0, 0]


def session():
    programs = {
        "honest": honest(),
        "dropout_at_advertise": honest(7, 7, 7, 7),
        "dropout_at_shares": honest(0, 7, 7, 7),
        "dropout_at_check": honest(0, 0, 7, 7),
        "dropout_at_upload": honest(0, 0, 0, 7),
        "dropout_at_endorse": honest(signers=7),
        "two_rounds": honest() + [LATER] + honest(),
        "evaluation": [LATER, LATER, LATER, OFFER, 0, 0, 0, MODEL, 0, KEYS, 0, 0, SHARES, 0, 0, COMPUTED, 0, FIX, 0, 0,
                       MASKED, 0, SURVIVORS, 7, 0, UNMASK, 0, 0],
        "late_round_wipes": uploaded() + [LATER, OFFER, 0, 0, 0],
        "every_message_again": [op for step in (joined(), [AGAIN], [COMPUTED, 0, FIX, 0, 0, MASKED, 0, AGAIN],
                                                [SURVIVORS, 0, 0, AGAIN, UNMASK, 0, 0, AGAIN, LINK]) for op in step],
        "second_u2": uploaded() + [FIX, 7, 0],
        "second_s": uploaded() + [SURVIVORS, 0, 0, SURVIVORS, 7, 0, UNMASK, 0, 1, 7],
        "s_too_small": uploaded() + [SURVIVORS, 3, 0],
        "s_without_me": uploaded() + [SURVIVORS, 14, 0],
        "s_of_another_u2": uploaded() + [SURVIVORS, 7, 1, 7],
        "certificate_one_short": uploaded() + [SURVIVORS, 7, 0, UNMASK, 3, 0],
        "certificate_duplicate": uploaded() + [SURVIVORS, 7, 0, UNMASK, 3, 4],
        "certificate_outsider": uploaded() + [SURVIVORS, 0, 0, UNMASK, 0, 64],
        "certificate_other_round": uploaded() + [SURVIVORS, 0, 0, UNMASK, 13, 16],
        "upload_under_other_u2": uploaded() + [SURVIVORS, 0, 0, UNMASK, 0, 8, UNMASK, 0, 32, UNMASK, 0, 0],
        "complaint": joined()[:-2] + [0, 2, 5, COMPUTED, 0, FIX, 13, 0, MASKED, 0, SURVIVORS, 13, 0, UNMASK, 13, 0],
        "complaint_ignored": joined()[:-2] + [0, 2, 5, COMPUTED, 0, FIX, 0, 0, MASKED, 0],
        "opened": joined() + [COMPLAINTS, 8, 0, COMPLAINTS, 8, 0, COMPUTED, 0, FIX, 0, 0, MASKED, 0, SURVIVORS, 0, 0, UNMASK, 0, 0],
        "opened_twice": joined() + [COMPLAINTS, 8, 0, COMPLAINTS, 4, 0, COMPUTED, 0, FIX, 0, 0, MASKED, 0],
        "opened_too_many": joined() + [COMPLAINTS, 6, 0, COMPUTED, 0, FIX, 0, 0, MASKED, 0],
        "opened_late": uploaded() + [COMPLAINTS, 8, 0],
        "complaints_bent": [op for how in (1, 2, 4) for op in joined() + [COMPLAINTS, 8, how, LATER]],
        "reflected_share": joined()[:-2] + [0, 16],
        "forged_keys": [OFFER, 0, 0, 0, KEYS, 0, 8, LATER, OFFER, 0, 0, 0, KEYS, 0, 16, LATER, OFFER, 0, 0, 0, KEYS, 0, 32],
        "bent_headers": [op for field in range(1, 18) for op in (OFFER, field, 1, 0, 0)],
        "guard_fails": uploaded() + [GUARD, SURVIVORS, 0, 0],
        "time_runs_out": uploaded() + [TIME, 255, TIME, 255, TIME, 255, SURVIVORS, 0, 0],
        "training_fails": joined() + [COMPUTED, 7],
        "no_budget": joined() + [COMPUTED, 0, FIX, 0, 0, MASKED, 7],
        "pulls": uploaded() + [PULL, 0, 100, 0, PULL, 3, 0, 0, PULL, 1, 1, 7],
        "model_absent": [OFFER, 0, 0, 0, MODEL, 1],
        "model_bent": [OFFER, 0, 0, 0, MODEL, 2],
        "burn": uploaded() + [BURN, 0, BURNT, 0, 0, SURVIVORS, 0, 0],
        "burn_by_others": uploaded() + [BURNT, 14, 0],
        "burn_one_short": uploaded() + [BURN, 0, BURNT, 3, 2],
        "burn_other_round": uploaded() + [BURNT, 14, 1],
        "burn_then_endorse": uploaded() + [BURN, 0, SURVIVORS, 0, 0, UNMASK, 0, 0],
        "endorse_then_burn": uploaded() + [SURVIVORS, 0, 0, BURN, 0, UNMASK, 0, 0],
        "burn_never_joined": [BURN, 1, OFFER, 0, 0, 0, BURN, 2, BURN, 4, BURN, 8],
        "burn_after_restart": uploaded() + [RESTART, BURN, 0, BURNT, 0, 0],
        "burnt_and_used_again": uploaded() + [BURN, 0, BURNT, 0, 0, AGAIN_LATER] + uploaded() + [SURVIVORS, 0, 0],
        "locked_and_trained_again": uploaded() + [AGAIN_LATER] + uploaded() + [SURVIVORS, 0, 0],
        "raw": [OFFER, 0, 0, 0, RAW, 0, 10, *range(40)],
    }
    whole = honest()
    for at, name in ((4, "advertised"), (9, "dealt"), (12, "checked"), (19, "uploaded"), (22, "endorsed"), (25, "unmasked")):
        programs[f"restart_{name}"] = whole[:at] + [RESTART] + whole + [LATER] + whole
    for name, program in programs.items():
        write("session", name, program)


# ---- round_fuzz

ANSWER, BENT, CLOCK, OUT_OF_TURN, POOL, CLOSE, LEAVE, CONNECT, LOSE, FRAME = range(10)


def answers(count, members=0):
    return [ANSWER, members] * count


def rounds():
    end = [POOL, CLOSE]
    programs = {"honest": answers(16) + end}
    for phase in range(9):
        # Member 3 is silent from a phase on; then all deadlines pass.
        silent = answers(phase)
        for _ in range(8):
            silent += answers(3, 7) + [CLOCK, 255]
        programs[f"silent_from_{phase}"] = silent + end
        for how in (0, 3, 70, 255):
            bent = answers(phase) + [BENT, 2, how]
            for _ in range(4):
                bent += answers(4) + [CLOCK, 255]
            programs[f"bent_{phase}_{how}"] = bent + end
    programs["leaves"] = answers(3) + [LEAVE, 1] + answers(4) + [LEAVE, 2] + answers(10) + end
    programs["reconnects"] = [op for k in range(12) for op in (ANSWER, 0, CONNECT, 10, k % 4)] + end
    programs["loses"] = [op for k in range(14) for op in (ANSWER, 0, LOSE, k % 4, CLOCK, 30)] + end
    programs["out_of_turn"] = [op for k in range(28) for op in (OUT_OF_TURN, k % 4, (k + 1) % 4, k % 7, ANSWER, 0)] + end
    programs["everything_closed_again"] = answers(16) + end + answers(3) + end
    programs["raw"] = answers(2) + [FRAME, 0, 10, *range(40)]
    for name, program in programs.items():
        write("round", name, program)


if __name__ == "__main__":
    wire()
    safetensors()
    tokenizers()
    session()
    rounds()
