// The version of this build.
#pragma once

namespace sotto {

/// Returns the release, as in "0.1.0".
const char* version();

/// Returns the release and the commit that it was built from, as in "0.1.0 (59e063966f1c)". The
/// commit is "unknown" when the sources were not in a git repository.
const char* build_id();

}  // namespace sotto
