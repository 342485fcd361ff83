#include "common/job/saved_config.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "common/config/model_files.h"
#include "common/model/architecture.h"
#include "common/storage/atomic_file.h"

namespace sotto::job {

namespace {

using Object = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::string_view kOwnClass = "BertMeanPoolingForSequenceClassification";
constexpr std::uint64_t kMostBytes = 64 << 20;

Result<Object> read_object(const fs::path& file) {
  SOTTO_ASSIGN_OR_RETURN(const Bytes text, storage::read_file(file, kMostBytes));
  auto object = Object::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Error{file.string() + " is not a JSON object"};
  return object;
}

std::string text_in(const Object& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

bool lacks(const Object& object, const char* key) {
  const auto at = object.find(key);
  return at == object.end() || at->is_null();
}

bool is_place(const std::string& text) {
  const bool drive = text.size() > 2 && text[1] == ':' && (text[2] == '\\' || text[2] == '/');
  return drive || text.starts_with('/') || text.starts_with("~/") || text.starts_with("./") ||
         text.starts_with("../") || text.starts_with("\\\\") || text.starts_with("file:");
}

/// Removes the keys in which the library notes where it found a file, and every text that is a
/// path.
void drop_places(Object& object) {
  for (const char* key :
       {"_name_or_path", "name_or_path", "tokenizer_file", "vocab_file", "merges_file",
        "special_tokens_map_file", "added_tokens_file", "full_tokenizer_file",
        "tokenizer_config_file", "is_local", "local_files_only"})
    object.erase(key);
  std::vector<std::string> found;
  for (const auto& [key, value] : object.items())
    if (value.is_string() && !key.ends_with("_token") && is_place(value.get<std::string>()))
      found.push_back(key);
  for (const std::string& key : found)
    object.erase(key);
}

/// Returns the name on a model hub that an earlier version of the library noted in config.json:
/// "NAME" or "OWNER/NAME".
std::string hub_name(const Object& config) {
  const std::string name = text_in(config, "_name_or_path");
  const bool plain = std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
  });
  return plain && !is_place(name) && std::ranges::count(name, '/') <= 1 ? name : std::string();
}

bool pools_by_mean(const Object& config, const Architecture& family, const tasks::Task& task) {
  return family.layers == LayerFamily::kBert && task.peft_type() == "SEQ_CLS" &&
         text_in(config, "classifier_pooling") == "mean";
}

std::string class_of(const Architecture& family, const tasks::Task& task) {
  if (task.peft_type() == "CAUSAL_LM") return std::string(family.language_model);
  return std::string(family.class_prefix) +
         (task.peft_type() == "TOKEN_CLS" ? "ForTokenClassification" : "ForSequenceClassification");
}

void put_labels(Object& config, const tasks::Task& task) {
  for (const char* key : {"id2label", "label2id", "num_labels", "_num_labels", "problem_type"})
    config.erase(key);
  const std::vector<std::string> classes = task.classes();
  for (std::size_t i = 0; i < classes.size(); ++i) {
    config["id2label"][std::to_string(i)] = classes[i];
    config["label2id"][classes[i]] = i;
  }
  if (!classes.empty() && task.peft_type() == "SEQ_CLS")
    config["problem_type"] = "single_label_classification";
  if (!task.saved_config().empty()) config.merge_patch(Object::parse(task.saved_config()));
}

/// A causal model that classifies texts looks for the last token that is no padding.
void put_padding(Object& config, const Architecture& family, const tasks::Task& task) {
  if (family.layers == LayerFamily::kBert || task.peft_type() == "CAUSAL_LM") return;
  if (!lacks(config, "pad_token_id") || lacks(config, "eos_token_id")) return;
  const Object end = config["eos_token_id"];
  config["pad_token_id"] = end.is_array() && !end.empty() ? end.front() : end;
}

/// Returns the special tokens of a tokenizer.json by their usual contents.
Object usual_special_tokens(const fs::path& file) {
  constexpr std::array<std::pair<const char*, const char*>, 12> kUsual{
      {{"<s>", "bos_token"},
       {"</s>", "eos_token"},
       {"<unk>", "unk_token"},
       {"<pad>", "pad_token"},
       {"<mask>", "mask_token"},
       {"[UNK]", "unk_token"},
       {"[CLS]", "cls_token"},
       {"[SEP]", "sep_token"},
       {"[PAD]", "pad_token"},
       {"[MASK]", "mask_token"},
       {"<|endoftext|>", "eos_token"},
       {"<|end_of_text|>", "eos_token"}}};
  Object out = Object::object();
  const Result<Object> tokenizer = read_object(file);
  if (!tokenizer.ok() || !tokenizer->contains("added_tokens")) return out;
  for (const Object& token : (*tokenizer)["added_tokens"])
    for (const auto& [content, role] : kUsual)
      if (token.is_object() && text_in(token, "content") == content) out[role] = content;
  return out;
}

}  // namespace

Result<SavedConfig> saved_config(const config::JobConfig& job) {
  SOTTO_ASSIGN_OR_RETURN(Object config, read_object(fs::path(job.model.path) / "config.json"));
  const std::string type = text_in(config, "model_type");
  const Architecture* family = find_architecture(type.empty() ? "bert" : type);
  const auto task = job.make_task();
  SavedConfig out{.text = {}, .base_model = hub_name(config)};
  drop_places(config);
  put_labels(config, *task);
  config.erase("auto_map");
  if (family != nullptr) {
    out.own_module = pools_by_mean(config, *family, *task);
    const std::string name = out.own_module ? std::string(kOwnClass) : class_of(*family, *task);
    if (!name.empty()) config["architectures"] = Object::array({name});
    if (out.own_module)
      config["auto_map"]["AutoModelForSequenceClassification"] =
          "modeling_sotto." + std::string(kOwnClass);
    put_padding(config, *family, *task);
  }
  config["dtype"] = "float32";
  if (config.contains("torch_dtype")) config["torch_dtype"] = "float32";
  out.text = config.dump(2, ' ', false, Object::error_handler_t::replace) + "\n";
  return out;
}

Result<std::string> saved_tokenizer_config(const config::JobConfig& job) {
  const fs::path folder = job.model.path, file = folder / "tokenizer_config.json";
  Object config = Object::object();
  if (fs::exists(file)) {
    SOTTO_ASSIGN_OR_RETURN(config, read_object(file));
    drop_places(config);
  } else if (fs::exists(folder / "tokenizer.json")) {
    config = usual_special_tokens(folder / "tokenizer.json");
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
  } else if (!fs::exists(folder / "vocab.json")) {
    config = {
        {"do_lower_case", true}, {"strip_accents", nullptr}, {"tokenize_chinese_chars", true}};
  }
  if (lacks(config, "tokenizer_class") && !fs::exists(folder / "tokenizer.json"))
    config["tokenizer_class"] =
        fs::exists(folder / "vocab.json") ? "GPT2Tokenizer" : "BertTokenizer";
  config["model_max_length"] = job.model.max_length;
  const bool classifies = job.make_task()->peft_type() != "CAUSAL_LM";
  if (classifies && lacks(config, "pad_token") && !lacks(config, "eos_token"))
    config["pad_token"] = Object(config["eos_token"]);
  return config.dump(2, ' ', false, Object::error_handler_t::replace) + "\n";
}

std::string_view own_module() {
  return R"(# The class of this model, which the transformers library does not have: BERT whose classifier reads
# the mean over the tokens of a text. AutoModelForSequenceClassification.from_pretrained(FOLDER,
# trust_remote_code=True) finds it by auto_map in config.json.
import torch
from torch import nn
from transformers import BertModel, BertPreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class BertMeanPoolingForSequenceClassification(BertPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.bert = BertModel(config, add_pooling_layer=False)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, position_ids=None,
                inputs_embeds=None, labels=None, return_dict=None, **kwargs):
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids,
                           position_ids=position_ids, inputs_embeds=inputs_embeds)[0]
        if attention_mask is None:
            attention_mask = torch.ones(hidden.shape[:2], device=hidden.device)
        mask = attention_mask.to(hidden.dtype).unsqueeze(-1)
        logits = self.classifier((hidden * mask).sum(1) / mask.sum(1).clamp(min=1))
        loss = None
        if labels is not None and self.config.problem_type == "regression":
            loss = nn.functional.mse_loss(logits.squeeze(-1), labels.to(logits.dtype))
        elif labels is not None:
            loss = nn.functional.cross_entropy(logits, labels)
        if return_dict is False:
            return (logits,) if loss is None else (loss, logits)
        return SequenceClassifierOutput(loss=loss, logits=logits)
)";
}

}  // namespace sotto::job
