// The version of this build.
#pragma once

namespace sotto {

/// The release, as "0.1.0".
const char* version();

/// The release and the commit that it was built from, as "0.1.0 (59e063966f1c)"; "unknown" stands
/// for the commit where the sources were no git repository.
const char* build_id();

}  // namespace sotto
