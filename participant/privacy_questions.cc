#include "participant/privacy_questions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <set>

#include <nlohmann/json.hpp>

namespace sotto::participant {

namespace {

using nlohmann::json;

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
  std::array<char, 512> text{};
  std::va_list values;
  va_start(values, format);
  const int size = std::vsnprintf(text.data(), text.size(), format, values);
  va_end(values);
  const int most = static_cast<int>(text.size()) - 1;
  return {text.data(), static_cast<std::size_t>(std::clamp(size, 0, most))};
}

Status only_keys(const json& object, const std::set<std::string>& known) {
  for (const auto& [key, value] : object.items())
    if (!known.contains(key)) return Error{"unknown key \"" + key + "\""};
  return {};
}

Result<double> number(const json& object, const char* key) {
  const auto at = object.find(key);
  if (at == object.end()) return Error{std::string("\"") + key + "\" is missing"};
  if (!at->is_number()) return Error{std::string("\"") + key + "\" must be a number"};
  return at->get<double>();
}

Result<std::uint64_t> whole_number(const json& object, const char* key) {
  const Result<double> value = number(object, key);
  if (!value.ok()) return value.error();
  if (!(*value >= 0 && *value <= 0x1p48 && *value == std::floor(*value)))
    return Error{std::string("\"") + key + "\" must be a whole number up to 2^48"};
  return static_cast<std::uint64_t>(*value);
}

/// What is asked for stays 0 where a target takes the place of the noise multiplier.
Result<privacy::DpSgdSteps> part_of(const json& object, const std::optional<double>& target) {
  privacy::DpSgdSteps out;
  const Result<double> rate = number(object, "sampling_rate");
  if (!rate.ok()) return rate.error();
  out.sampling_rate = *rate;
  const Result<std::uint64_t> steps = whole_number(object, "steps");
  if (!steps.ok()) return steps.error();
  out.steps = *steps;
  if (target) {
    if (object.contains("noise_multiplier"))
      return Error{"\"target_epsilon\" asks for the \"noise_multiplier\": give one of them"};
    return out;
  }
  const Result<double> noise = number(object, "noise_multiplier");
  if (!noise.ok()) return noise.error();
  out.noise_multiplier = *noise;
  return out;
}

Result<std::vector<privacy::DpSgdSteps>> parts_of(const json& object) {
  const json& parts = object.at("parts");
  if (!parts.is_array() || parts.empty()) return Error{"\"parts\" is a list of runs"};
  for (const char* key : {"sampling_rate", "noise_multiplier", "steps", "target_epsilon"})
    if (object.contains(key))
      return Error{std::string("with \"parts\" there is no \"") + key + "\" beside them"};
  std::vector<privacy::DpSgdSteps> out;
  for (const json& entry : parts) {
    const std::string where = "parts[" + std::to_string(out.size()) + "]: ";
    if (!entry.is_object()) return Error{where + "a JSON object"};
    if (Status known = only_keys(entry, {"sampling_rate", "noise_multiplier", "steps"});
        !known.ok())
      return Error{where + known.error().message};
    const Result<privacy::DpSgdSteps> part = part_of(entry, std::nullopt);
    if (!part.ok()) return Error{where + part.error().message};
    out.push_back(*part);
  }
  return out;
}

Result<PrivacyQuestion> parse(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (object.is_discarded()) return Error{"not a JSON object on one line"};
  if (!object.is_object()) return Error{"a question is a JSON object"};
  if (Status known = only_keys(object, {"accountant", "sampling_rate", "noise_multiplier", "steps",
                                        "delta", "parts", "target_epsilon"});
      !known.ok())
    return known.error();
  PrivacyQuestion out;
  if (const auto at = object.find("accountant"); at != object.end()) {
    if (*at != "pld" && *at != "rdp") return Error{"\"accountant\" is \"pld\" or \"rdp\""};
    out.accounting = *at == "rdp" ? privacy::Accounting::kRdp : privacy::Accounting::kPld;
  }
  const Result<double> delta = number(object, "delta");
  if (!delta.ok()) return delta.error();
  out.delta = *delta;
  if (object.contains("target_epsilon")) {
    const Result<double> target = number(object, "target_epsilon");
    if (!target.ok()) return target.error();
    out.target_epsilon = *target;
  }
  if (object.contains("parts")) {
    Result<std::vector<privacy::DpSgdSteps>> parts = parts_of(object);
    if (!parts.ok()) return parts.error();
    out.parts = std::move(parts).value();
    return out;
  }
  const Result<privacy::DpSgdSteps> part = part_of(object, out.target_epsilon);
  if (!part.ok()) return part.error();
  out.parts = {*part};
  return out;
}

/// Places of the curve in a picture, from 0 to 1, upwards.
struct Scale {
  double largest = 0;  // epsilon, a round number

  [[nodiscard]] double height(double epsilon) const {
    return std::isfinite(epsilon) ? std::clamp(epsilon / largest, 0.0, 1.0) : 1.0;
  }
};

Scale scale_of(const PrivacyCurve& curve) {
  double largest = 0;
  for (const PrivacyCurve::Point& point : curve.points)
    for (const double epsilon : {point.epsilon, point.epsilon_rdp})
      if (std::isfinite(epsilon)) largest = std::max(largest, epsilon);
  if (!(largest > 0)) return {1};
  const double unit = std::pow(10, std::floor(std::log10(largest)));
  for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0})
    if (largest <= step * unit) return {step * unit};
  return {10 * unit};
}

std::string polyline(const PrivacyCurve& curve, const Scale& scale,
                     double PrivacyCurve::Point::*epsilon, const char* style) {
  std::string out = "<polyline fill=\"none\" " + std::string(style) + " points=\"60,270";
  for (const PrivacyCurve::Point& point : curve.points)
    out +=
        formatted(" %.1f,%.1f", 60 + 500 * point.share, 270 - 230 * scale.height(point.*epsilon));
  return out + "\"/>\n";
}

}  // namespace

Result<PrivacyAnswer> answer(const PrivacyQuestion& question) {
  PrivacyAnswer out{.parts = question.parts};
  if (question.target_epsilon) {
    if (out.parts.size() != 1) return Error{"noise is calibrated for one run"};
    const Result<double> noise =
        privacy::calibrate_noise_multiplier({.epsilon = *question.target_epsilon,
                                             .delta = question.delta,
                                             .sampling_rate = out.parts[0].sampling_rate,
                                             .steps = out.parts[0].steps},
                                            question.accounting);
    if (!noise.ok()) return noise.error();
    out.parts[0].noise_multiplier = *noise;
  }
  const Result<double> epsilon =
      privacy::epsilon_of(out.parts, question.delta, question.accounting);
  if (!epsilon.ok()) return epsilon.error();
  out.epsilon = *epsilon;
  return out;
}

std::string answer_line(std::string_view line) {
  const Result<PrivacyQuestion> question = parse(line);
  const Result<PrivacyAnswer> found =
      question.ok() ? answer(*question) : Result<PrivacyAnswer>(question.error());
  if (!found.ok())
    return json{{"error", found.error().message}}.dump(-1, ' ', false,
                                                       json::error_handler_t::replace);
  if (question->target_epsilon)
    return json{{"noise_multiplier", found->parts[0].noise_multiplier}}.dump();
  return json{{"epsilon", std::isfinite(found->epsilon) ? json(found->epsilon) : json(nullptr)}}
      .dump();
}

Result<PrivacyCurve> curve(const PrivacyAnswer& answer, double delta, std::size_t points) {
  PrivacyCurve out{.delta = delta};
  for (const privacy::DpSgdSteps& part : answer.parts)
    out.steps += static_cast<double>(part.steps);
  for (std::size_t i = 1; i <= points; ++i) {
    PrivacyCurve::Point point{.share = static_cast<double>(i) / static_cast<double>(points)};
    std::vector<privacy::DpSgdSteps> so_far = answer.parts;
    for (privacy::DpSgdSteps& part : so_far)
      part.steps = static_cast<std::uint64_t>(
          std::ceil(point.share * static_cast<double>(part.steps) * (1 - 1e-12)));
    for (const auto& [accounting, into] :
         {std::pair{privacy::Accounting::kPld, &point.epsilon},
          std::pair{privacy::Accounting::kRdp, &point.epsilon_rdp}}) {
      const Result<double> epsilon = privacy::epsilon_of(so_far, delta, accounting);
      if (!epsilon.ok()) return epsilon.error();
      *into = *epsilon;
    }
    out.points.push_back(point);
  }
  return out;
}

std::string plot_text(const PrivacyCurve& curve) {
  constexpr std::size_t kRows = 12;
  const Scale scale = scale_of(curve);
  std::vector<std::string> picture(kRows + 1, std::string(curve.points.size(), ' '));
  const auto row_of = [&](double epsilon) {
    return kRows - static_cast<std::size_t>(std::lround(kRows * scale.height(epsilon)));
  };
  for (std::size_t x = 0; x < curve.points.size(); ++x) {
    picture[row_of(curve.points[x].epsilon_rdp)][x] = '.';
    picture[row_of(curve.points[x].epsilon)][x] = '*';
  }
  std::string out;
  for (std::size_t row = 0; row <= kRows; ++row) {
    const double epsilon = scale.largest * static_cast<double>(kRows - row) / kRows;
    out += row % 4 == 0 ? formatted("%10.4g |", epsilon) : "           |";
    out += picture[row] + "\n";
  }
  out += "           +" + std::string(curve.points.size(), '-') + "\n";
  return out +
         formatted("            epsilon over %.6g steps; * charged, . Rényi bound\n", curve.steps);
}

std::string plot_svg(const PrivacyCurve& curve) {
  const Scale scale = scale_of(curve);
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 320\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"600\" height=\"320\" fill=\"white\"/>\n";
  for (int line = 0; line <= 4; ++line) {
    const double y = 270 - 230 * line / 4.0;
    out += formatted(
        "<line x1=\"60\" x2=\"560\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
        "<text x=\"54\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
        y, y, y + 4, scale.largest * line / 4);
    out += formatted("<text x=\"%.1f\" y=\"288\" text-anchor=\"middle\">%.6g</text>\n",
                     60 + 125.0 * line, curve.steps * line / 4);
  }
  out += polyline(curve, scale, &PrivacyCurve::Point::epsilon_rdp,
                  "stroke=\"#999\" stroke-dasharray=\"4 3\"");
  out +=
      polyline(curve, scale, &PrivacyCurve::Point::epsilon, "stroke=\"#06c\" stroke-width=\"2\"");
  out += formatted(
      "<text x=\"60\" y=\"24\">epsilon at delta %.3g, add or remove one example; "
      "solid: what is charged, dashed: R\u00e9nyi bound</text>\n",
      curve.delta);
  return out + "<text x=\"310\" y=\"308\" text-anchor=\"middle\">steps</text>\n</svg>\n";
}

}  // namespace sotto::participant
