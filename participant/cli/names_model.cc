#include "participant/cli/names_model.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace sotto::participant {

namespace {

class NamesModel final : public redaction::SpanFinder {
 public:
  NamesModel(std::unique_ptr<training::EntityFinder> model, std::vector<std::string> labels)
      : model_(std::move(model)), labels_(std::move(labels)) {}

  Result<std::vector<redaction::Span>> find(std::string_view line) override {
    const auto entities = model_->find(line);
    if (!entities) return Error{"names_model: " + entities.error().message};
    std::vector<redaction::Span> out;
    for (const training::TextEntity& e : *entities)
      if (std::ranges::find(labels_, e.label) != labels_.end()) out.push_back({e.begin, e.end});
    return out;
  }

 private:
  std::unique_ptr<training::EntityFinder> model_;
  std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<redaction::SpanFinder> open_names_model(const redaction::NamesModelPlan& plan,
                                                        training::ModelProvider& models) {
  auto model = models.open_entity_finder(plan.path);
  if (!model) throw StartupError("names_model: " + model.error().message);
  const std::vector<std::string>& known = (*model)->labels();
  std::string list;
  for (const std::string& label : known)
    list += (list.empty() ? "" : ", ") + label;
  for (const std::string& label : plan.labels)
    if (std::ranges::find(known, label) == known.end())
      throw StartupError("names_model: " + plan.path.string() + " has no label " + label +
                         "; its labels are " + list);
  return std::make_unique<NamesModel>(std::move(model).value(), plan.labels);
}

}  // namespace sotto::participant
