#include "participant/cli/export_command.h"

#include <memory>
#include <string>

#include "common/cli/command.h"
#include "common/cli/command_line.h"
#include "common/job/exported_model.h"
#include "participant/cli/model_answers.h"

namespace sotto::participant {

void add_export_command(cli::Command& model) {
  struct Arguments {
    std::string model, base, out, type = "float32";
  };

  auto args = std::make_shared<Arguments>();
  cli::Command* sub = model.add_subcommand(
      "export",
      "Write a trained model as one folder that Sotto, Transformers and other programs load: the "
      "whole weights in one file, a LoRA adapter merged into its base model.\n"
      "Example: sotto-participant model export runs/lora --base configs/tinyshakespeare/model "
      "--out exported");
  sub->add_option("model", args->model, "Folder of the model, or of the LoRA adapter")->required();
  sub->add_option("--out", args->out, "A new folder for the exported model")->required();
  sub->add_option("--base", args->base, "Folder of the base model, where MODEL holds an adapter");
  sub->add_option("--dtype", args->type,
                  "Type of the weights; the smaller ones round each value and halve the file")
      ->capture_default_str()
      ->one_of({"float32", "bfloat16", "float16"});
  sub->callback([args] {
    const job::ExportedModel made =
        cli::or_stop(job::export_model({.model = model_folder(args->model),
                                        .base = args->base,
                                        .out = args->out,
                                        .type = *float_type_named(args->type)}));
    cli::print(args->out + "/model.safetensors: " + std::to_string(made.values) +
               " parameters in " + args->type + (made.merged ? ", with the adapter merged" : ""));
  });
}

}  // namespace sotto::participant
