// A site's texts, labelled or not, and how they are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace sotto::learning {

/// One text; its label is an index into the job's labels, 0 where a job has none.
struct Example {
  std::string text;
  std::int64_t label = 0;
};

/// "label TAB text" lines, UTF-8; where the job has no labels a line is a text. Errors name file
/// and line: unknown label, missing tab, bad encoding. They never show the record.
Result<std::vector<Example>> read_examples(const std::filesystem::path& file,
                                           const std::vector<std::string>& labels);
/// The same from bytes in memory; `name` stands in the errors.
Result<std::vector<Example>> parse_examples(std::string_view bytes, const std::string& name,
                                            const std::vector<std::string>& labels);

}  // namespace sotto::learning
