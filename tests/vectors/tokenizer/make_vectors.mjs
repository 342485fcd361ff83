// Writes differential.json: what the JavaScript tokenizers of the library's own authors answer for tokenizers in
// the shapes of today's models, made of the vocabularies in this folder. Needs npm once; the tests need only its answer:
//   npm install @huggingface/tokenizers && node make_vectors.mjs           (writes differential.json)
//   node make_vectors.mjs --corpus FILE --out ANSWERS.json                 (a line of FILE is a text; for
//                                                                           SOTTO_TOKENIZER_VECTORS=ANSWERS.json)
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const read = (...path) => readFileSync(join(here, ...path), "utf8");
const { Tokenizer } = createRequire(resolve("package.json"))("@huggingface/tokenizers");

const token = (id, content, special = true) =>
  ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });

function base(name) {
  if (name === "gpt2") {
    const merges = read("gpt2", "merges.txt").split("\n").slice(1).filter((line) => line);
    return { added_tokens: [token(50256, "<|endoftext|>")], normalizer: null, pre_tokenizer: null, post_processor: null,
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab: JSON.parse(read("gpt2", "vocab.json")), merges } };
  }
  if (name === "bert") {
    const vocab = Object.fromEntries(read("bert_uncased_vocab.txt").split("\n").filter((line) => line)
      .map((line, id) => [line, id]));
    return { added_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map((t) => token(vocab[t], t)),
      normalizer: null, pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: { type: "BertProcessing", sep: ["[SEP]", 102], cls: ["[CLS]", 101] },
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab } };
  }
  return JSON.parse(read("..", "..", "..", "configs", "tinyshakespeare", "model", "tokenizer.json"));
}

const byteLevel = (use_regex, add_prefix_space = false) => ({ type: "ByteLevel", add_prefix_space, trim_offsets: true, use_regex });
const split = (Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
const qwen2 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const llama3 = qwen2.replace("|\\p{N}|", "|\\p{N}{1,3}|");
const metaspace = (prepend_scheme, split) => ({ type: "Metaspace", replacement: "▁", prepend_scheme, split });

// Each: the base, and the keys of tokenizer.json that differ from it (model: those inside of it).
const shapes = [
  { name: "bert-uncased", base: "bert", differ: { normalizer:
    { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true } } },
  { name: "bert-cased", base: "bert", differ: { normalizer:
    { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: false } } },
  { name: "gpt2", base: "gpt2", differ: { pre_tokenizer: byteLevel(true) } },
  { name: "gpt2-space-before", base: "gpt2", differ: { pre_tokenizer: byteLevel(true, true) } },
  { name: "qwen2", base: "gpt2", differ: { normalizer: { type: "NFC" },
    pre_tokenizer: { type: "Sequence", pretokenizers: [split(qwen2), byteLevel(false)] } } },
  { name: "llama3", base: "gpt2", differ: { model: { ignore_merges: true },
    pre_tokenizer: { type: "Sequence", pretokenizers: [split(llama3), byteLevel(false)] },
    post_processor: { type: "Sequence", processors: [byteLevel(true), { type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<|endoftext|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [], special_tokens: { "<|endoftext|>": { id: "<|endoftext|>", ids: [50256], tokens: ["<|endoftext|>"] } } }] } } },
  // SmolLM2 has "Digits", which is \\p{N} in the library and \\d in its JavaScript: spelled out here.
  { name: "smollm2", base: "gpt2", differ: { pre_tokenizer: { type: "Sequence",
    pretokenizers: [split("\\p{N}"), byteLevel(true)] } } },
  { name: "llama2", base: "llama", differ: {} },
  { name: "llama2-metaspace", base: "llama", differ: { normalizer: null, pre_tokenizer: metaspace("always", false),
    decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " },
      { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] } } },
];

function made({ base: from, differ }) {
  const out = { version: "1.0", truncation: null, padding: null, ...base(from) };
  for (const [key, value] of Object.entries(differ)) out[key] = key === "model" ? { ...out.model, ...value } : value;
  return out;
}

function texts(corpus) {
  if (corpus) return readFileSync(corpus, "utf8").split("\n").filter((line) => line);
  const ours = read("..", "..", "..", "configs", "quickstart", "data", "test.tsv").split("\n").slice(0, 12)
    .map((line) => line.split("\t").at(-1));
  return [...read("texts.inp").split("\n__ggml_vocab_test__\n").filter((text) => text), ...ours,
    "a<|endoftext|>b", "one [MASK] of </s> them", "it's 12345 o'clock, WE'LL see", "naïve cafe\u0301 ﬁne Ⅻ ½"];
}

const option = (name) => process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined;
const all = texts(option("--corpus"));
const answers = shapes.map((shape) => {
  const tokenizer = new Tokenizer(made(shape), {});
  return { ...shape, framed: tokenizer.encode(all[0]).ids,
    answers: all.map((text) => {
      const ids = tokenizer.encode(text, { add_special_tokens: false }).ids;
      const how = { skip_special_tokens: true, clean_up_tokenization_spaces: false };
      return { ids, decoded: ids.length ? tokenizer.decode(ids, how) : "" };
    }) };
});
writeFileSync(option("--out") ?? join(here, "differential.json"), JSON.stringify({ texts: all, shapes: answers }) + "\n");
