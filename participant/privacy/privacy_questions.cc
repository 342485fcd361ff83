#include "participant/privacy/privacy_questions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "common/config/choices.h"
#include "common/privacy/accounting/calibration.h"

namespace sotto::participant {

namespace {

[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...) {
  std::array<char, 512> text{};
  std::va_list values;
  va_start(values, format);
  const int size = std::vsnprintf(text.data(), text.size(), format, values);
  va_end(values);
  const int most = static_cast<int>(text.size()) - 1;
  return {text.data(), static_cast<std::size_t>(std::clamp(size, 0, most))};
}

/// Scale converts values of the curve to positions in a picture, from 0 to 1, upwards.
struct Scale {
  double largest = 0;  // of epsilon; a round number

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
    SOTTO_ASSIGN_OR_RETURN(const double noise, privacy::calibrate_noise_multiplier(
                                                   {.epsilon = *question.target_epsilon,
                                                    .delta = question.delta,
                                                    .sampling_rate = out.parts[0].sampling_rate,
                                                    .steps = out.parts[0].steps},
                                                   *question.accountant));
    out.parts[0].noise_multiplier = noise;
  }
  SOTTO_ASSIGN_OR_RETURN(const double epsilon,
                         privacy::epsilon_of(out.parts, question.delta, *question.accountant));
  out.epsilon = epsilon;
  return out;
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
    for (const auto& [kind, into] : {std::pair{&privacy::accountants::pld, &point.epsilon},
                                     std::pair{&privacy::accountants::rdp, &point.epsilon_rdp}}) {
      SOTTO_ASSIGN_OR_RETURN(const double epsilon, privacy::epsilon_of(so_far, delta, *kind));
      *into = epsilon;
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
      "<text x=\"60\" y=\"24\">epsilon at delta %.3g, add or remove one %s; "
      "solid: what is charged, dashed: R\u00e9nyi bound</text>\n",
      curve.delta, std::string(config::word_of(curve.unit)).c_str());
  return out + "<text x=\"310\" y=\"308\" text-anchor=\"middle\">steps</text>\n</svg>\n";
}

}  // namespace sotto::participant
