// The closed choices of job.json and site.json. The tables of fields (fields.cc, site_fields.cc)
// document the effect of each value.
#pragma once

#include <cstdint>

#include "common/config/words.h"
#include "common/privacy/accounting/protected_unit.h"
#include "common/privacy/mechanisms/discrete_noise.h"

namespace sotto::config {

/// The choice of a run's first weights: those in the model folder, or random ones from the job's
/// seed.
enum class InitialModel : std::uint8_t { kWeights, kRandom };

template <>
struct Words<InitialModel> {
  static constexpr std::array<std::string_view, 2> all{"weights", "random"};
};

enum class Clipping : std::uint8_t { kFlat, kAutomatic, kPerLayer, kAdaptive };

template <>
struct Words<Clipping> {
  static constexpr std::array<std::string_view, 4> all{"flat", "automatic", "per_layer",
                                                       "adaptive"};
};

template <>
struct Words<privacy::NoiseMechanism> {
  static constexpr std::array<std::string_view, 2> all{"discrete_gaussian", "skellam"};
};

template <>
struct Words<privacy::ProtectedUnit> {
  static constexpr std::array<std::string_view, 2> all{"example", "person"};
};

enum class LocalOptimizer : std::uint8_t { kAdam, kSgd };

template <>
struct Words<LocalOptimizer> {
  static constexpr std::array<std::string_view, 2> all{"adam", "sgd"};
};

enum class LearningRateSchedule : std::uint8_t { kConstant, kLinear, kCosine };

template <>
struct Words<LearningRateSchedule> {
  static constexpr std::array<std::string_view, 3> all{"constant", "linear", "cosine"};
};

enum class RequiredApproval : std::uint8_t { kNone, kFirstJobOfAKind, kEveryJob };

template <>
struct Words<RequiredApproval> {
  static constexpr std::array<std::string_view, 3> all{"none", "first_job_of_a_kind", "every_job"};
};

enum class Device : std::uint8_t { kCpu, kCuda };

template <>
struct Words<Device> {
  static constexpr std::array<std::string_view, 2> all{"cpu", "cuda"};
};

/// The format of a site's plain files of records; participant/data/records.h reads them.
enum class DataFormat : std::uint8_t { kAuto, kCsv, kTsv, kJsonl, kConll, kLines, kLabelled };

template <>
struct Words<DataFormat> {
  static constexpr std::array<std::string_view, 7> all{"auto",  "csv",   "tsv",     "jsonl",
                                                       "conll", "lines", "labelled"};
};

/// The precision of the matrix products of training.
enum class Precision : std::uint8_t { kFloat32, kBfloat16 };

template <>
struct Words<Precision> {
  static constexpr std::array<std::string_view, 2> all{"float32", "bfloat16"};
};

}  // namespace sotto::config
