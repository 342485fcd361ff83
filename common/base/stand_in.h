// Recognises files that stand in for others: what a download or a clone leaves behind under the
// name of the file that was wanted.
#pragma once

#include <string>

#include "common/base/bytes.h"

namespace sotto {

/// Returns what the file is that begins with these bytes, and what to do, as the end of a sentence:
/// "is a Git LFS pointer ...". Empty when the bytes are none of the known kinds. Needs at most the
/// first 64 bytes.
std::string stand_in(BytesView begin);

}  // namespace sotto
