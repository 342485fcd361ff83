#include "participant/privacy/privacy_batch.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/privacy/accounting/calibration.h"
#include "common/privacy/accounting/rdp_accountant.h"
#include "common/privacy/accounting/subsampled_gaussian.h"

namespace sotto::participant {

namespace {

using nlohmann::json;
using privacy::AccountantKind;

/// Fields reads the fields of one JSON object, one after the other. It keeps the first mistake;
/// values that are read after a mistake are meaningless.
class Fields {
 public:
  Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }

  /// Returns a number for which `fits` holds; `needed` describes these numbers in words.
  double number(const char* key, bool (*fits)(double), const char* needed,
                std::optional<double> otherwise = {}) {
    const json* at = find(key, otherwise.has_value());
    if (!at) return otherwise.value_or(0);
    if (at->is_number() && fits(at->get<double>())) return at->get<double>();
    mistake(quoted(key) + " must be " + needed);
    return 0;
  }

  double positive(const char* key) {
    return number(
        key, [](double v) { return v > 0; }, "a number above 0");
  }

  double rate(std::optional<double> otherwise = {}) {
    return number(
        "sampling_rate", [](double v) { return v > 0 && v <= 1; },
        "a number above 0 and at most 1, the sampling rate", otherwise);
  }

  std::uint64_t whole(const char* key, std::optional<double> otherwise = {}) {
    return static_cast<std::uint64_t>(number(
        key, [](double v) { return v >= 0 && v <= 0x1p48 && v == std::floor(v); },
        "a whole number up to 2^48", otherwise));
  }

  std::uint32_t count(const char* key, std::optional<double> otherwise = {}) {
    return static_cast<std::uint32_t>(number(
        key, [](double v) { return v >= 1 && v <= 1e9 && v == std::floor(v); },
        "a whole number from 1 to 1e9", otherwise));
  }

  /// Returns one of some words; the first one where the field is missing.
  std::string word(const char* key, const std::vector<std::string>& words) {
    const json* at = find(key, true);
    if (!at) return words.front();
    std::string all;
    for (const std::string& word : words) {
      if (*at == word) return word;
      all += (all.empty() ? "" : ", ") + quoted(word);
    }
    mistake(quoted(key) + " must be one of " + all);
    return words.front();
  }

  /// Returns a list that is not empty; nothing after a mistake.
  const json* list(const char* key) {
    const json* at = find(key, false);
    if (at && at->is_array() && !at->empty()) return at;
    if (at) mistake(quoted(key) + " must be a list that is not empty");
    return nullptr;
  }

  void mistake(const std::string& what) {
    if (!error_) error_ = Error{where_ + what};
  }

  /// Returns the first mistake. An unknown field is reported before a missing one, because it is
  /// more informative.
  Status finish() {
    for (const auto& [key, value] : object_.items())
      if (!read_.contains(key))
        mistake("unknown key " + quoted(key) + " in a question of this kind");
    if (missing_) mistake(*missing_);
    return error_ ? Status(*error_) : Status{};
  }

  static std::string quoted(const std::string& text) { return "\"" + text + "\""; }

 private:
  const json* find(const char* key, bool may_be_missing) {
    read_.insert(key);
    const auto at = object_.find(key);
    if (at != object_.end()) return &*at;
    if (!may_be_missing && !missing_) missing_ = quoted(key) + " is missing";
    return nullptr;
  }

  const json& object_;
  std::string where_;
  std::set<std::string> read_;
  std::optional<Error> error_;
  std::optional<std::string> missing_;
};

/// Releases of one kind on one data set, composed.
struct Part {
  std::variant<privacy::Mechanism, privacy::NoisyRounds> release;
  std::uint64_t steps = 0;

  [[nodiscard]] bool is_noise() const {
    return std::holds_alternative<privacy::NoisyRounds>(release);
  }

  [[nodiscard]] privacy::Releases releases() const {
    if (const auto* mechanism = std::get_if<privacy::Mechanism>(&release))
      return privacy::MechanismReleases{*mechanism, steps};
    privacy::NoisyRounds all = std::get<privacy::NoisyRounds>(release);
    all.rounds = steps;
    return all;
  }
};

/// Returns the DP-SGD steps of a part; nothing for any other kind of release.
std::optional<privacy::DpSgdSteps> dp_sgd(const Part& part) {
  const privacy::Releases releases = part.releases();
  const auto* some = std::get_if<privacy::MechanismReleases>(&releases);
  return some ? privacy::as_dp_sgd(*some) : std::nullopt;
}

privacy::Mechanism gaussian_of(Fields& fields, bool noise_is_asked_for) {
  const double rate = fields.rate();
  if (noise_is_asked_for && fields.has("noise_multiplier"))
    fields.mistake("\"target_epsilon\" asks for the \"noise_multiplier\"; give only one of them");
  const double noise = noise_is_asked_for ? 1 : fields.positive("noise_multiplier");
  const auto examples = static_cast<std::uint32_t>(fields.number(
      "examples", [](double v) { return v >= 1 && v <= 64 && v == std::floor(v); },
      "a whole number from 1 to 64", 1));
  if (fields.word("adjacency", {"add_or_remove_one", "replace_one"}) == "add_or_remove_one")
    return privacy::SampledGaussian{.rate = rate, .noise_multiplier = noise, .examples = examples};
  if (examples > 1) fields.mistake("with \"replace_one\", \"examples\" must not be above 1");
  return privacy::ReplacedExample{.rate = rate, .noise_multiplier = noise};
}

privacy::NoisyRounds noisy_round_of(Fields& fields, privacy::NoiseMechanism mechanism) {
  const double deviation = fields.number(
      "deviation", [](double v) { return v > 0 && v <= 0x1p20; },
      "a number above 0 and at most 2^20, the deviation of one participant's noise");
  return {.mechanism = mechanism,
          .variance = static_cast<std::uint64_t>(
              std::floor(deviation * deviation * static_cast<double>(privacy::kVarianceUnit))),
          .unknown_noises = fields.count("unknown_noises"),
          .squared_sensitivity = fields.whole("squared_sensitivity"),
          .dimension = fields.whole("dimension"),
          .rounds = 1};
}

Part part_of(Fields& fields, bool noise_is_asked_for) {
  const std::string mechanism =
      fields.word("mechanism", {"gaussian", "laplace", "discrete_laplace", "discrete_gaussian",
                                "distributed_discrete_gaussian", "distributed_skellam"});
  const std::uint64_t steps = fields.whole("steps");
  if (mechanism == "gaussian") return {gaussian_of(fields, noise_is_asked_for), steps};
  if (noise_is_asked_for) fields.mistake("\"target_epsilon\" is for \"gaussian\" noise");
  if (mechanism == "laplace")
    return {privacy::SampledLaplace{.rate = fields.rate(1.0), .scale = fields.positive("scale")},
            steps};
  if (mechanism == "discrete_laplace")
    return {privacy::DiscreteLaplace{.decay = fields.positive("decay"),
                                     .sensitivity = fields.count("sensitivity", 1)},
            steps};
  if (mechanism == "discrete_gaussian")
    return {privacy::DiscreteGaussian{.sigma = fields.number(
                                          "sigma", [](double v) { return v > 0 && v <= 1e5; },
                                          "a number above 0 and at most 1e5"),
                                      .sensitivity = fields.count("sensitivity", 1)},
            steps};
  return {noisy_round_of(fields, mechanism == "distributed_skellam"
                                     ? privacy::NoiseMechanism::kSkellam
                                     : privacy::NoiseMechanism::kDiscreteGaussian),
          steps};
}

std::vector<Part> parts_of(Fields& fields) {
  std::vector<Part> out;
  const json* list = fields.list("parts");
  for (std::size_t i = 0; list && i < list->size(); ++i) {
    const std::string where = "parts[" + std::to_string(i) + "]: ";
    if (!(*list)[i].is_object()) {
      fields.mistake(where + "a part is a JSON object");
      break;
    }
    Fields entry((*list)[i], where);
    out.push_back(part_of(entry, false));
    if (Status read = entry.finish(); !read.ok()) fields.mistake(read.error().message);
  }
  return out;
}

std::vector<double> orders_of(Fields& fields) {
  std::vector<double> out;
  const json* list = fields.list("orders");
  for (std::size_t i = 0; list && i < list->size(); ++i) {
    const json& order = (*list)[i];
    if (!order.is_number() || !(order.get<double>() > 1 && order.get<double>() <= 1e4)) {
      fields.mistake("\"orders\" must contain numbers above 1 and at most 1e4");
      break;
    }
    out.push_back(order.get<double>());
  }
  return out;
}

using Composition = std::unique_ptr<privacy::Accountant>;

/// Composes the parts. Noise inside sums is always accounted for by Renyi divergence, independently
/// of the requested accountant.
Result<Composition> composition_of(const std::vector<Part>& parts, const AccountantKind& kind) {
  const bool noise = parts.front().is_noise();
  for (const Part& part : parts)
    if (part.is_noise() != noise)
      return Error{
          "\"parts\" mixes a guarantee for a participant with one for an example; the two are "
          "never added"};
  Composition out = noise ? privacy::accountants::rdp.make() : kind.make();
  for (const Part& part : parts)
    if (Status added = out->add(part.releases()); !added.ok())
      return Error{"\"accountant\": \"" + std::string(kind.name) + "\" " + added.error().message};
  return out;
}

/// Returns the least delta, to a relative 1e-5 and rounded up, at which the composition's epsilon
/// is small enough.
double delta_at(const privacy::Accountant& composition, double epsilon) {
  constexpr double kSmallest = 1e-80;
  double low = std::log(kSmallest);
  double high = 0;
  if (composition.epsilon(kSmallest) <= epsilon) return kSmallest;
  while (high - low > 1e-5) {
    const double middle = (low + high) / 2;
    (composition.epsilon(std::exp(middle)) <= epsilon ? high : low) = middle;
  }
  return std::min(1.0, std::exp(high));
}

Result<std::vector<double>> rdp_of(const std::vector<Part>& parts,
                                   const std::vector<double>& orders) {
  std::vector<double> out(orders.size(), 0.0);
  for (const Part& part : parts) {
    std::vector<double> one;
    const auto* round = std::get_if<privacy::NoisyRounds>(&part.release);
    if (round) {
      SOTTO_TRY(privacy::check(*round));
      one = privacy::noisy_round_rdp(*round, orders);
    } else if (const auto steps = dp_sgd(part)) {
      one = privacy::subsampled_gaussian_rdp(steps->sampling_rate, steps->noise_multiplier, orders);
    } else {
      return Error{
          "\"orders\" needs \"gaussian\" noise with one example added or removed, or distributed "
          "noise"};
    }
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] += static_cast<double>(part.steps) * one[i];
  }
  return out;
}

json json_of(double figure) {
  return std::isfinite(figure) ? json(figure) : json(nullptr);
}

Result<json> curve_of(Fields& fields) {
  const std::vector<double> orders = orders_of(fields);
  const std::vector<Part> parts =
      fields.has("parts") ? parts_of(fields) : std::vector<Part>{part_of(fields, false)};
  SOTTO_TRY(fields.finish());
  SOTTO_ASSIGN_OR_RETURN(const std::vector<double> rdp, rdp_of(parts, orders));
  json list = json::array();
  for (const double figure : rdp)
    list.push_back(json_of(figure));
  return json{{"rdp", list}};
}

double delta_of(Fields& fields) {
  return fields.number(
      "delta", [](double v) { return v > 0 && v < 1; }, "a number above 0 and below 1");
}

Result<json> noise_for(Fields& fields, const AccountantKind& kind) {
  privacy::PrivacyTarget target{.epsilon = fields.positive("target_epsilon"),
                                .delta = delta_of(fields)};
  const Part part = part_of(fields, true);
  const auto steps = dp_sgd(part);
  if (!steps) fields.mistake("\"target_epsilon\" needs one example that is added or removed");
  SOTTO_TRY(fields.finish());
  target.sampling_rate = steps->sampling_rate;
  target.steps = steps->steps;
  const Result<double> noise = privacy::calibrate_noise_multiplier(target, kind);
  if (!noise.ok()) return Error{"\"target_epsilon\": " + noise.error().message};
  return json{{"noise_multiplier", *noise}};
}

Result<json> cost_of(Fields& fields, const AccountantKind& kind) {
  const bool delta_is_asked_for = fields.has("epsilon");
  if (delta_is_asked_for && fields.has("delta"))
    fields.mistake("\"epsilon\" asks for the \"delta\"; give only one of them");
  const double given =
      delta_is_asked_for ? fields.number(
                               "epsilon", [](double v) { return v >= 0; }, "a number of at least 0")
                         : delta_of(fields);
  const std::vector<Part> parts =
      fields.has("parts") ? parts_of(fields) : std::vector<Part>{part_of(fields, false)};
  SOTTO_TRY(fields.finish());
  SOTTO_ASSIGN_OR_RETURN(const Composition composition, composition_of(parts, kind));
  if (delta_is_asked_for) return json{{"delta", delta_at(*composition, given)}};
  return json{{"epsilon", json_of(composition->epsilon(given))}};
}

Result<json> answer_to(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (object.is_discarded()) return Error{"the line is not a JSON object"};
  if (!object.is_object()) return Error{"a question must be a JSON object"};
  Fields fields(object, "");
  if (fields.has("orders")) return curve_of(fields);
  std::vector<std::string> names;
  for (const AccountantKind* kind : privacy::accountant_kinds())
    names.emplace_back(kind->name);
  const AccountantKind& kind = *privacy::find_accountant(fields.word("accountant", names));
  return fields.has("target_epsilon") ? noise_for(fields, kind) : cost_of(fields, kind);
}

}  // namespace

std::string answer_line(std::string_view line, std::uint64_t number) {
  const Result<json> answer = answer_to(line);
  const json shown_answer =
      answer.ok()
          ? *answer
          : json{{"error", "line " + std::to_string(number) + ": " + answer.error().message}};
  return shown_answer.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace sotto::participant
