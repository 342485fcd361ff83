// What a site's refusal of a job may say about time.
#pragma once

#include <string_view>

namespace sotto::run {

/// A refusal whose reason begins so is none for good: the site expects to accept the same job later
/// by itself, at another hour or once a person there has agreed. The coordinator waits for it as
/// for a member that is not there.
inline constexpr std::string_view kNotNow = "not now: ";

}  // namespace sotto::run
