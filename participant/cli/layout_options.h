// The options with which commands are told how the records of plain files are laid out.
#pragma once

#include <string>

#include "common/config/site.h"

namespace sotto::cli {
class Command;
}

namespace sotto::participant {

struct LayoutOptions {
  std::string format, delimiter, text, label, person;
};

/// Adds --format, --delimiter, --text and --label.
void add_layout_options(cli::Command& command, LayoutOptions& options);

/// Returns the layout `base` with the options that were given. Throws StartupError where a value is
/// none of those allowed.
config::DataLayout layout_of(const LayoutOptions& options, config::DataLayout base = {});

/// Returns the character that --delimiter names, 0 where it was not given; throws StartupError.
char delimiter_of(const std::string& given);

}  // namespace sotto::participant
