#include "coordinator/model_folder.h"

#include <string>
#include <system_error>

#include "common/model/safetensors.h"

namespace sotto::coordinator {

Status save_model_folder(const std::filesystem::path& folder, const std::filesystem::path& source,
                         const FlatParameters& model) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{"cannot create " + folder.string() + ": " + failed.message()};
  for (const char* file : {"config.json", "vocab.txt"}) {
    std::filesystem::copy_file(source / file, folder / file,
                               std::filesystem::copy_options::overwrite_existing, failed);
    if (failed) return Error{"cannot copy " + (source / file).string() + ": " + failed.message()};
  }
  return write_safetensors(folder / "model.safetensors", model, {{"format", "pt"}});
}

}  // namespace sotto::coordinator
