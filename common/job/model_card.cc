#include "common/job/model_card.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <sstream>

#include "common/storage/atomic_file.h"
#include "common/tasks/words.h"

namespace sotto::job {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFirstRunSection = "## Training\n", kAfterRunSections = "## Use\n";

/// Returns an epsilon with two decimals, rounded up.
std::string epsilon_text(double epsilon) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", std::ceil(epsilon * 100) / 100);
  return text.data();
}

std::string delta_text(double delta) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", delta);
  return text.data();
}

std::string date_of(std::uint64_t unix_s) {
  const auto time = static_cast<std::time_t>(unix_s);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

std::string read_text(const fs::path& file) {
  const auto bytes = storage::read_file(file, 1 << 22);
  return bytes.ok() ? std::string(bytes->begin(), bytes->end()) : std::string();
}

/// Returns the lines of the front matter of a card that say under which licence the model is.
std::string licence_lines(const fs::path& card) {
  std::istringstream in(read_text(card));
  std::string line, out;
  if (!std::getline(in, line) || !line.starts_with("---")) return {};
  while (std::getline(in, line) && !line.starts_with("---"))
    if (line.starts_with("license: ") || line.starts_with("license_name: ") ||
        line.starts_with("license_link: "))
      out += line + "\n";
  return out;
}

std::string_view pipeline_of(const tasks::Task& task) {
  if (task.peft_type() == "TOKEN_CLS") return "token-classification";
  return task.peft_type() == "CAUSAL_LM" ? "text-generation" : "text-classification";
}

std::string front_matter(const config::JobConfig& job, const CardFacts& facts) {
  std::string out = "---\n";
  out += facts.adapter ? "library_name: peft\n" : "library_name: transformers\n";
  if (!facts.base_model.empty()) out += "base_model: " + facts.base_model + "\n";
  out += licence_lines(fs::path(job.model.path) / "README.md");
  out += "pipeline_tag: " + std::string(pipeline_of(*job.make_task())) + "\n";
  out += "tags:\n- sotto\n- federated-learning\n";
  if (job.differential_privacy.enabled) out += "- differential-privacy\n";
  if (job.lora.r > 0) out += "- lora\n";
  return out + "---\n\n";
}

std::string privacy_section(const config::JobConfig& job, const RunFacts& facts) {
  const auto& dp = job.differential_privacy;
  std::string out = "## Privacy\n\n";
  if (dp.enabled)
    out += "The training has (epsilon, delta)-differential privacy for adding or removing " +
           std::string(job.make_task()->example_noun()) +
           " of one member, against everybody outside that member's site: epsilon " +
           (facts.epsilon ? epsilon_text(*facts.epsilon)
                          : "at most " + epsilon_text(dp.target_epsilon)) +
           " at delta " + delta_text(dp.target_delta) +
           " for the whole run. Somebody with several examples is protected less. The examples of "
           "the evaluation are not covered.\n";
  else
    out +=
        "The run had no differential privacy: the model may reveal examples that it was trained "
        "with.\n";
  if (facts.participant_epsilon)
    out += "\nEverything that one member sent is protected with epsilon " +
           epsilon_text(*facts.participant_epsilon) + " at delta " +
           delta_text(job.distributed_privacy.target_delta) + ".\n";
  if (job.secure_aggregation.enabled)
    out +=
        "\nThe members' updates were summed by secure aggregation; the coordinator saw sums "
        "alone.\n";
  return out + "\n";
}

std::string_view auto_class_of(const tasks::Task& task) {
  if (task.peft_type() == "CAUSAL_LM") return "AutoModelForCausalLM";
  return task.peft_type() == "TOKEN_CLS" ? "AutoModelForTokenClassification"
                                         : "AutoModelForSequenceClassification";
}

/// Returns the statements that load the model, in Python.
std::string loading_in_python(const tasks::Task& task, const CardFacts& facts) {
  const std::string auto_class(auto_class_of(task));
  std::string out = "```python\nfrom transformers import AutoTokenizer, " + auto_class + "\n";
  if (facts.adapter) {
    const std::size_t outputs = std::max<std::size_t>(task.classes().size(), 1);
    const std::string labels =
        task.peft_type() == "CAUSAL_LM" ? "" : ", num_labels=" + std::to_string(outputs);
    out += "from peft import PeftModel\n\nmodel = PeftModel.from_pretrained(" + auto_class +
           ".from_pretrained(BASE" + labels + "), FOLDER)\n";
  } else {
    out += "\nmodel = " + auto_class + ".from_pretrained(FOLDER" +
           (facts.own_module ? ", trust_remote_code=True" : "") + ")\n";
  }
  return out + "tokenizer = AutoTokenizer.from_pretrained(FOLDER)\n```\n\n";
}

std::string use_section(const tasks::Task& task, const CardFacts& facts) {
  std::string out = std::string(kAfterRunSections) + "\nFOLDER is the folder of this file.";
  const bool needs_merge = facts.adapter && facts.own_module;
  if (!needs_merge) out += " With Hugging Face's library:\n\n" + loading_in_python(task, facts);
  if (facts.adapter)
    out += std::string(needs_merge ? " It has an adapter. "
                                   : "BASE is the base model, with the "
                                     "weights that the run adapted. ") +
           "`sotto-participant model merge` makes a whole model of the adapter and its base model, "
           "which loads without PEFT.\n\n";
  if (facts.own_module)
    out +=
        "The classifier reads the mean over a text's tokens. The library has no such class, so "
        "the folder of a whole model brings it along in `modeling_sotto.py`, which "
        "`trust_remote_code=True` executes; it is short enough to be read first.\n\n";
  if (facts.adapter) return out;
  return out + "With Sotto: `sotto-participant " +
         (task.peft_type() == "CAUSAL_LM" ? "generate --model FOLDER --prompt TEXT"
                                          : "predict FOLDER FILE") +
         "`.\n";
}

}  // namespace

std::string run_sections(const config::JobConfig& job, const RunFacts& facts) {
  std::string out = std::string(kFirstRunSection) + "\nThe job \"" + job.name +
                    "\" made this model in " + std::to_string(facts.rounds) + " rounds";
  if (facts.members > 0)
    out += " of a federation of " + std::to_string(facts.members) +
           " members, none of which shared its data";
  out += ".";
  if (facts.finished_unix_s) out += " The run ended on " + date_of(*facts.finished_unix_s) + ".";
  if (!facts.early_end.empty()) out += " It ended early: " + facts.early_end + ".";
  out += "\n\n## Results\n\n";
  if (facts.evaluation && !facts.evaluation->figures.empty()) {
    out += "On the members' held-out examples together:\n\n| metric | value |\n|---|---|\n";
    for (const tasks::Figure& figure : facts.evaluation->figures)
      out +=
          "| " + std::string(figure.kind.title) + " | " + shown(figure.kind, figure.value) + " |\n";
    out += "\n";
  } else {
    out += "There is no evaluation of this model.\n\n";
  }
  return out + privacy_section(job, facts);
}

std::string run_sections_of(const fs::path& card) {
  const std::string text = read_text(card);
  const std::size_t begin = text.find(kFirstRunSection), end = text.find(kAfterRunSections);
  return begin == std::string::npos || end == std::string::npos || end < begin
             ? std::string()
             : text.substr(begin, end - begin);
}

std::string model_card(const config::JobConfig& job, const CardFacts& facts) {
  const auto task = job.make_task();
  std::string out = front_matter(job, facts) + "# " + job.name + "\n\n";
  out +=
      "A model that several organisations trained together with Sotto, by federated learning.\n\n";
  out += "## Task\n\n" + task->purpose() + "\n";
  if (const auto classes = task->classes(); !classes.empty())
    out += "\nThe outputs are, in their order: " + tasks::list_of(classes, classes.size()) + ".\n";
  out += "\nTexts are cut to " + std::to_string(job.model.max_length) + " tokens.\n\n";
  return out + facts.run_sections + use_section(*task, facts);
}

}  // namespace sotto::job
