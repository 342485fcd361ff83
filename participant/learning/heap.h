// Where large tensors lie.
#pragma once

namespace sotto::learning {

/// From now on, in the whole process, blocks of a megabyte and more have pages of their own and
/// give them back when they are freed. By itself glibc takes such blocks from its heap once the
/// first was freed, and there the tensors of a step, some short-lived and some not, leave holes as
/// large as half of what they take. Nothing elsewhere.
void give_large_blocks_own_pages();

}  // namespace sotto::learning
