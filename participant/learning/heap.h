// The allocation of large tensors.
#pragma once

namespace sotto::learning {

/// From now on, in the whole process, blocks of a megabyte and more are mapped separately and
/// returned to the system when they are freed. By default glibc takes such blocks from its heap
/// once the first was freed. There the tensors of a step, whose lifetimes differ, leave holes as
/// large as half of the memory they use. Has no effect with other C libraries.
void give_large_blocks_own_pages();

}  // namespace sotto::learning
