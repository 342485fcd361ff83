// Checks that a site's evaluation split is not its training data: the guarantee does not cover the
// evaluation split, and a figure measured on training data says nothing.
#pragma once

#include <cstdint>
#include <filesystem>

#include "common/base/result.h"
#include "participant/data/example_source.h"

namespace sotto::data {

/// Returns an Error where both paths lead to one file, by any spelling or link. A file that cannot
/// be read is no Error here.
Status check_separate_files(const std::filesystem::path& train,
                            const std::filesystem::path& evaluation);

/// Returns an Error where the two files have the same content. Only for what stays at the site: the
/// answer to a job must not depend on records.
Status check_different_content(const std::filesystem::path& train,
                               const std::filesystem::path& evaluation);

/// Returns the number of evaluation examples whose text is a training example too. Only plain
/// examples are compared; with a record store the result is 0, because each opening of a record is
/// counted.
std::uint64_t shared_examples(const Examples& train, const Examples& evaluation);

}  // namespace sotto::data
