#include "participant/data/partition.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <utility>

#include "common/crypto/secure_random.h"

namespace sotto::data {

namespace {

using data::Example;

double standard_normal(crypto::StreamRandom& random) {
  const double u = 1 - random.unit();  // (0, 1]
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * random.unit());
}

/// Marsaglia and Tsang 2000; for alpha < 1 with the factor U^(1/alpha).
double gamma_variate(double alpha, crypto::StreamRandom& random) {
  if (alpha < 1) return gamma_variate(alpha + 1, random) * std::pow(1 - random.unit(), 1 / alpha);
  const double d = alpha - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = standard_normal(random);
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(1 - random.unit()) < 0.5 * x * x + d - d * v + d * std::log(v))
      return d * v;
  }
}

template <class T>
void shuffle(std::vector<T>& items, crypto::StreamRandom& random) {
  for (std::size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1], items[random.below(i)]);
}

/// Draws the shares of the parts and returns their sums up to each part; the last is 1. With a
/// small alpha all variates may be too small for a double; one part then gets everything, as in the
/// limit.
std::vector<double> cumulative_shares(std::size_t parts, double alpha,
                                      crypto::StreamRandom& random) {
  std::vector<double> sums(parts);
  double total = 0;
  for (double& sum : sums)
    sum = total += gamma_variate(alpha, random);
  if (total > 0) {
    for (double& sum : sums)
      sum /= total;
  } else {
    std::fill(sums.begin() + static_cast<std::ptrdiff_t>(random.below(parts)), sums.end(), 1.0);
  }
  return sums;
}

/// Moves one example from the largest part to each empty one.
void fill_empty(std::vector<std::vector<Example>>& parts) {
  for (auto& part : parts) {
    if (!part.empty()) continue;
    auto fullest = std::max_element(parts.begin(), parts.end(), [](const auto& a, const auto& b) {
      return a.size() < b.size();
    });
    if (fullest->size() < 2) return;
    part.push_back(std::move(fullest->back()));
    fullest->pop_back();
  }
}

}  // namespace

Status check_partition(double dirichlet, std::size_t parts, std::size_t training,
                       std::size_t evaluation) {
  if (!kDirichlet.contains(dirichlet))
    return Error{
        "--dirichlet must be a number from 0.01 to 1000000: with a small one each shard "
        "contains mostly some labels, with a large one all have the same distribution"};
  if (parts == 0) return Error{"--participants must be at least 1"};
  const auto too_few = [parts](const char* what, std::size_t found) {
    return Error{std::to_string(parts) + " shards need at least as many " + what +
                 " examples, and there are " + std::to_string(found) +
                 "; lower --participants or give more examples"};
  };
  if (training < parts) return too_few("training", training);
  if (evaluation < parts) return too_few("evaluation", evaluation);
  return {};
}

std::vector<std::vector<Example>> dirichlet_partition(const std::vector<Example>& examples,
                                                      std::size_t labels, std::size_t parts,
                                                      double alpha, std::uint64_t seed) {
  SOTTO_CHECK(kDirichlet.contains(alpha) && parts > 0, "such shards cannot be drawn");
  if (labels == 0) return even_partition(examples, parts, seed);
  crypto::StreamRandom random(seed);
  std::vector<std::vector<Example>> by_label(labels);
  for (const Example& e : examples)
    by_label.at(static_cast<std::size_t>(e.label)).push_back(e);
  std::vector<std::vector<Example>> out(parts);
  for (auto& of_label : by_label) {
    shuffle(of_label, random);
    const std::vector<double> cumulative = cumulative_shares(parts, alpha, random);
    std::size_t at = 0;
    for (std::size_t p = 0; p < parts; ++p) {
      const auto until =
          p + 1 == parts
              ? of_label.size()
              : static_cast<std::size_t>(cumulative[p] * static_cast<double>(of_label.size()));
      for (; at < until; ++at)
        out[p].push_back(std::move(of_label[at]));
    }
  }
  fill_empty(out);
  for (auto& part : out)
    shuffle(part, random);
  return out;
}

std::vector<std::vector<Example>> even_partition(const std::vector<Example>& examples,
                                                 std::size_t parts, std::uint64_t seed) {
  crypto::StreamRandom random(seed);
  std::vector<Example> shuffled = examples;
  shuffle(shuffled, random);
  std::vector<std::vector<Example>> out(parts);
  for (std::size_t i = 0; i < shuffled.size(); ++i)
    out[i % parts].push_back(std::move(shuffled[i]));
  return out;
}

HeldOut hold_out(std::vector<Example> examples, double share, std::uint64_t seed) {
  std::map<std::string, std::vector<std::size_t>> named;
  std::vector<std::vector<std::size_t>> persons;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (examples[i].person.empty())
      persons.push_back({i});
    else
      named[examples[i].person].push_back(i);
  }
  for (auto& [name, indexes] : named)
    persons.push_back(std::move(indexes));
  crypto::StreamRandom random(seed);
  shuffle(persons, random);
  const double wanted = share * static_cast<double>(examples.size());
  HeldOut out;
  for (std::size_t p = 0; p < persons.size(); ++p) {
    const bool is_last = p + 1 == persons.size();
    const bool held =
        static_cast<double>(out.evaluation.size()) < wanted && !(is_last && out.train.empty());
    for (const std::size_t i : persons[p])
      (held ? out.evaluation : out.train).push_back(std::move(examples[i]));
  }
  return out;
}

}  // namespace sotto::data
