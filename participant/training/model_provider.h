// ModelProvider is the interface through which the participant and its commands use a learning
// library. The product has one implementation, over libtorch; tests and embedders have their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/config/job.h"
#include "common/config/site.h"
#include "common/model/flat_parameters.h"
#include "participant/data/site_examples.h"
#include "participant/training/entity_finder.h"
#include "participant/training/predictor.h"
#include "participant/training/text_generator.h"
#include "participant/training/trainer.h"

namespace sotto::training {

/// The linear algebra library that training runs on.
struct BlasDescription {
  std::string text;      // library, kernel and number of threads: one line for the log
  bool is_slow = false;  // the reference implementation: the program should print a warning
};

/// A provider outlives everything that it made. Its functions may be called on any thread; what
/// they return belongs to the caller.
class ModelProvider {
 public:
  virtual ~ModelProvider() = default;

  /// Returns the model that a run of the job starts from: the job's trainable parameters, named as
  /// in Hugging Face's checkpoints. The values come from the weights in the job's model folder, or
  /// from the job's seed, as model.initial says. With LoRA the parameters are the adapters, whose
  /// product is zero at first, and the head. Errors name the file of the model folder: everything
  /// for which make_trainer() would refuse the folder, so that a job that no site can train is
  /// refused before its first round.
  virtual Result<FlatParameters> initial_model(const config::JobConfig& job) = 0;

  /// Reads every example once and leaves out those that do not fit the job; with LoRA it also loads
  /// the weights of the base model. Errors: an invalid model folder, a record that cannot be
  /// opened, a device that this machine does not have, and with differential privacy a trainable
  /// parameter that does not influence the loss.
  virtual Result<std::unique_ptr<Trainer>> make_trainer(const config::JobConfig& job,
                                                        const config::SiteResources& resources,
                                                        data::SiteExamples examples) = 0;

  /// Opens a causal language model. `folder` has Hugging Face's layout: config.json, the whole
  /// weights, the tokenizer. Errors name the file and what is wrong with it.
  virtual Result<std::unique_ptr<TextGenerator>> open_text_generator(
      const std::filesystem::path& folder) = 0;

  /// Opens a model for token classification. `folder` has Hugging Face's layout: config.json, the
  /// whole weights with their head, the tokenizer. The IOB2 tags of the head are read from the
  /// metadata of the weights file ("label.0"), as a run saves them, or else from id2label in
  /// config.json. Errors name the file and what is wrong with it.
  virtual Result<std::unique_ptr<EntityFinder>> open_entity_finder(
      const std::filesystem::path& folder) = 0;

  /// Opens a trained model of any task, also a base model with an adapter. Errors name the file and
  /// what is wrong with it.
  virtual Result<std::unique_ptr<Predictor>> open_predictor(const PredictorPlan& plan) = 0;

  /// Sets the number of threads that one computation uses, for the whole process; at least one.
  virtual void use_threads(std::uint32_t threads) = 0;

  [[nodiscard]] virtual BlasDescription blas_description() const = 0;
};

}  // namespace sotto::training
