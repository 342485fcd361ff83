// Closed choices: enumerations with the words for their values in configuration files. A
// specialisation of Words lists the words of an enumeration; with it, a field of that type can be
// used in a table of fields (fields.h), with reading, canonical text, schema and reference.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

namespace sotto::config {

/// A specialisation has `static constexpr std::array<std::string_view, N> all`: the words of the
/// enumerators in their order. The enumerators count from 0 without gaps.
template <class Choice>
struct Words;

template <class Choice>
concept ClosedChoice = std::is_enum_v<Choice> && requires {
  Words<Choice>::all.size();
};

template <ClosedChoice Choice>
[[nodiscard]] constexpr std::string_view word_of(Choice choice) {
  return Words<Choice>::all.at(static_cast<std::size_t>(choice));
}

/// ChoiceSlot is a pointer to a value of any closed choice. The value outlives it.
class ChoiceSlot {
 public:
  template <ClosedChoice Choice>
  ChoiceSlot(Choice* value)  // NOLINT(google-explicit-constructor): other slots are pointers too
      : value_(value),
        words_(Words<Choice>::all),
        get_([](const void* at) {
          return static_cast<std::size_t>(*static_cast<const Choice*>(at));
        }),
        set_([](void* at, std::size_t index) { *static_cast<Choice*>(at) = Choice(index); }) {}

  [[nodiscard]] std::span<const std::string_view> words() const { return words_; }

  [[nodiscard]] std::string_view word() const { return words_[get_(value_)]; }

  /// Returns false, without changing the value, when `word` is none of words().
  [[nodiscard]] bool set(std::string_view word) const {
    for (std::size_t i = 0; i < words_.size(); ++i)
      if (words_[i] == word) return set_(value_, i), true;
    return false;
  }

 private:
  void* value_;
  std::span<const std::string_view> words_;
  std::size_t (*get_)(const void*);
  void (*set_)(void*, std::size_t);
};

}  // namespace sotto::config
