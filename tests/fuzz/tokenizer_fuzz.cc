// Any bytes as the files of a tokenizer and as texts. The first byte says which files the parts
// are, a zero byte ends a part, and the last part is the text: 0 tokenizer.json, 1 vocab.json and
// merges.txt, 2 vocab.txt and tokenizer_config.json. Files may be refused with an error that names
// them. What is taken gives ids that are tokens, keeps to the length and answers in UTF-8.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "participant/text/tokenizer.h"

namespace {

namespace fs = std::filesystem;
using sotto::text::Tokenizer;

void true_or_abort(bool holds) {
  if (!holds) std::abort();
}

std::string_view next_part(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\0'), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

sotto::Result<Tokenizer> tokenizer_of(std::uint8_t kind, std::string_view& rest) {
  if (kind == 0) return sotto::text::parse_tokenizer_json(next_part(rest), "tokenizer.json");
  static const fs::path folder =
      fs::temp_directory_path() / ("sotto_tokenizer_fuzz." + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::vector<std::string> files =
      kind == 1 ? std::vector<std::string>{"vocab.json", "merges.txt"}
                : std::vector<std::string>{"vocab.txt", "tokenizer_config.json"};
  for (const std::string& name : files)
    std::ofstream(folder / name, std::ios::binary) << next_part(rest);
  auto made = sotto::text::load_tokenizer(folder);
  true_or_abort(made.ok() || made.error().message.starts_with(folder.string()));
  fs::remove_all(folder);
  return made;
}

bool are_tokens(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  return std::ranges::all_of(
      ids, [size = tokenizer.size()](std::int32_t id) { return id >= 0 && id < size; });
}

void use(const Tokenizer& tokenizer, std::string_view text) {
  true_or_abort(are_tokens(tokenizer, {tokenizer.pad()}));
  const std::vector<std::int32_t> ids = tokenizer.encode(text);
  true_or_abort(are_tokens(tokenizer, ids));
  constexpr std::size_t kRoom = 5;
  const std::size_t longest = tokenizer.frame() + kRoom;
  const std::vector<std::int32_t> framed = tokenizer.encode_framed(text, longest);
  true_or_abort(are_tokens(tokenizer, framed));
  true_or_abort(framed.size() == tokenizer.frame() + std::min(ids.size(), kRoom));
  const std::vector<std::string_view> words{text.substr(0, text.size() / 2), "a",
                                            text.substr(text.size() / 2)};
  const auto cut = tokenizer.encode_words(words, longest);
  true_or_abort(cut.ids.size() <= longest && are_tokens(tokenizer, cut.ids));
  true_or_abort(cut.first_piece.size() == words.size());
  for (const auto& place : cut.first_piece)
    true_or_abort(!place || (*place >= tokenizer.before().size() &&
                             *place < cut.ids.size() - tokenizer.after().size()));
  std::vector<std::int32_t> any = framed;
  any.insert(any.end(), {-1, tokenizer.size(), 0});  // what no encoder gives is no token's text
  const std::string said = tokenizer.decode(any);
  true_or_abort(sotto::text::valid_utf8(said) == said);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || data[0] > 2) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto tokenizer = tokenizer_of(data[0], rest);
  if (tokenizer.ok()) use(*tokenizer, rest);
  return 0;
}
