#include "common/base/stand_in.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sotto {

namespace {

struct Kind {
  std::string_view begin;  // in lower case
  std::string_view what;
};

constexpr std::string_view kWebPage =
    "is a web page and not the file itself; download the file again, from the address that its "
    "download link has";

constexpr std::array kKinds = {
    Kind{"version https://git-lfs",
         "is a Git LFS pointer and not the file itself; run \"git lfs pull\" in its folder"},
    Kind{"<!doctype", kWebPage},
    Kind{"<html", kWebPage},
    Kind{"<?xml", kWebPage},
    Kind{
        "pk\x03\x04",
        "is a ZIP archive, as PyTorch's own format is; the file must be in the format of its name"},
    Kind{"\x1f\x8b", "is compressed with gzip; decompress it"},
    Kind{"gguf", "is in the GGUF format; the file must be in the format of its name"},
};

char lower(std::uint8_t c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

}  // namespace

std::string stand_in(BytesView begin) {
  std::string text;
  for (const std::uint8_t c : begin.first(std::min<std::size_t>(begin.size(), 64)))
    text += lower(c);
  text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  for (const Kind& kind : kKinds)
    if (text.starts_with(kind.begin)) return std::string(kind.what);
  return {};
}

}  // namespace sotto
